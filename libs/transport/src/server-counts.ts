import { metrics } from '@opentelemetry/api';
import type { ServiceName } from '@deja/contracts';

type Kind = 'requests' | 'events';
type Outcome = 'ok' | 'error' | 'expired' | 'cancelled' | 'malformed' | 'unknown_pattern' | 'reply_lost' | 'taken_over' | 'set_aside';

/** What became of the messages of one replica, as metrics. Plain numbers on the way of a message; added up when somebody looks. */
export class ServerCounts {
  private readonly counts = new Map<Kind, Map<Outcome, number>>([['requests', new Map()], ['events', new Map()]]);

  constructor(service: ServiceName, inFlight: Record<Kind, { readonly size: number }>) {
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

  /** How often, so far. */
  of(kind: Kind, outcome: Outcome): number {
    return this.counts.get(kind)?.get(outcome) ?? 0;
  }
}
