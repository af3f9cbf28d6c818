import type { Counter, Meter } from '@opentelemetry/api';
import { Tally } from '../metrics/tally.ts';

export type CaptureResult = 'queued' | 'spooled' | 'dropped';

/** What becomes of captured bodies. */
export class CaptureMetrics {
  private readonly counter: Counter;
  private readonly bytes: Tally;

  constructor(meter: Meter) {
    this.counter = meter.createCounter('deja.gateway.captures', {
      description: 'Captured requests by what became of them: queued, spooled (on this disk; queued later), dropped (no data key, or neither Redis nor the disk had room)',
    });
    for (const result of ['queued', 'spooled', 'dropped'] as const) this.counter.add(0, { result });
    this.bytes = new Tally(meter, { name: 'deja.gateway.capture.bytes', unit: 'By', description: 'Captured bodies: as text, and sealed', labels: ['form'] });
  }

  count(result: CaptureResult, captures: number): void {
    if (captures > 0) this.counter.add(captures, { result });
  }

  sealed(textBytes: number, sealedBytes: number): void {
    this.bytes.add(textBytes, 'text');
    this.bytes.add(sealedBytes, 'sealed');
  }
}
