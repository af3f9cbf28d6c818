import type { Counter, Meter } from '@opentelemetry/api';
import { PRIORITIES, type Priority } from '@deja/contracts';
import type { OverloadGate, Refused } from './overload-gate.ts';

/** Of the one metric that every refusal is in, whichever process refuses. */
export const REFUSED_DESCRIPTION = 'Requests refused before anything was done for them, by the bound they met and their priority';

const REASONS = ['late', 'in_flight'] as const;

/** What the gate sees and does. */
export class OverloadMetrics {
  private readonly refusals: Counter;

  constructor(meter: Meter, gate: Pick<OverloadGate, 'limit' | 'latenessMs' | 'inFlight' | 'preparing'>) {
    this.refusals = meter.createCounter('deja.gateway.overload.refused', { description: REFUSED_DESCRIPTION });
    for (const reason of REASONS) for (const priority of PRIORITIES) this.refusals.add(0, { reason, priority });
    this.refusals.add(0, { reason: 'admin', priority: 'interactive' satisfies Priority });
    const gauge = (name: string, description: string, read: () => number, unit?: string): void =>
      meter.createObservableGauge(`deja.gateway.overload.${name}`, { description, ...(unit !== undefined && { unit }) }).addCallback((result) => result.observe(read()));
    gauge('limit', 'Requests that may be prepared at once, before they wait for a provider', () => gate.limit);
    gauge('preparing', 'Requests that are being prepared', () => gate.preparing.count);
    gauge('open', 'Requests of clients, from their head to the end of their answer', () => gate.inFlight);
    gauge('lateness', 'How late the event loop runs what is due, the smallest of the last three looks', () => gate.latenessMs / 1000, 's');
  }

  refused({ reason, priority }: Refused): void {
    this.refusals.add(1, { reason, priority });
  }
}
