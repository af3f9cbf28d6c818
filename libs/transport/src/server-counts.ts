import { metrics } from '@opentelemetry/api';
import type { ServiceName } from '@deja/contracts';
import { HandlingDurations } from './durations.ts';
import { UnknownPattern } from './handler-run.ts';

type Kind = 'requests' | 'events';
type Outcome = 'ok' | 'error' | 'expired' | 'cancelled' | 'malformed' | 'unknown_pattern' | 'reply_lost' | 'taken_over' | 'set_aside';

/** What became of the messages of one replica, as metrics. Plain numbers on the way of a message; added up when somebody looks. */
export class ServerCounts {
  private readonly counts = new Map<Kind, Map<Outcome, number>>([['requests', new Map()], ['events', new Map()]]);
  private readonly durations: HandlingDurations;

  constructor(service: ServiceName, inFlight: Record<Kind, { readonly size: number }>) {
    this.durations = new HandlingDurations(service);
    const meter = metrics.getMeter('deja');
    meter.createObservableCounter('deja.transport.messages', { description: 'messages of this replica, by kind and what became of them' }).addCallback((result) => {
      for (const [kind, outcomes] of this.counts) for (const [outcome, count] of outcomes) result.observe(count, { service, kind, outcome });
    });
    meter.createObservableGauge('deja.transport.in_flight', { description: 'messages being handled by this replica' }).addCallback((result) => {
      for (const kind of this.counts.keys()) result.observe(inFlight[kind].size, { service, kind });
    });
  }

  add(kind: Kind, outcome: Outcome): void {
    const outcomes = this.counts.get(kind);
    outcomes?.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
  }

  /** Measures how long a handler takes, however it ends. */
  async timed<T>(method: string, handle: () => Promise<T>): Promise<T> {
    const startedMs = performance.now();
    let isKnown = true;
    try {
      return await handle();
    } catch (error) {
      isKnown = !(error instanceof UnknownPattern);
      throw error;
    } finally {
      if (isKnown) this.durations.ended(method, performance.now() - startedMs);
    }
  }

  /** How often, so far. */
  of(kind: Kind, outcome: Outcome): number {
    return this.counts.get(kind)?.get(outcome) ?? 0;
  }
}
