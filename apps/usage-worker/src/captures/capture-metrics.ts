import type { Counter, Meter } from '@opentelemetry/api';

export type CaptureResult = 'stored' | 'duplicate' | 'expired' | 'erased' | 'rejected';

/** What becomes of captured bodies. */
export class CaptureMetrics {
  private readonly captures: Counter;
  /** Jobs on the queue of captures. */
  queued = 0;

  constructor(meter: Meter) {
    this.captures = meter.createCounter('deja.usage.captures', { description: 'Captured bodies by what became of them: stored, duplicate, expired, erased, rejected' });
    // Known before anything happened, so that an alert on their growth never misses the first.
    for (const result of ['stored', 'duplicate', 'expired', 'erased', 'rejected'] satisfies CaptureResult[]) this.captures.add(0, { result });
    meter.createObservableGauge('deja.usage.captures.queue.depth', { description: 'Jobs on the queue of captured bodies' }).addCallback((gauge) => gauge.observe(this.queued));
  }

  count(result: CaptureResult, captures: number): void {
    if (captures > 0) this.captures.add(captures, { result });
  }
}
