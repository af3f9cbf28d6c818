import type { Counter, Meter } from '@opentelemetry/api';

export type DeliveryOutcome = 'delivered' | 'retried' | 'failed';

/** What becomes of notifications. */
export class DeliveryMetrics {
  private readonly deliveries: Counter;

  constructor(meter: Meter) {
    this.deliveries = meter.createCounter('deja.usage.alerts.deliveries', { description: 'Tries to tell a receiver of an alert by outcome: delivered, retried (it is tried again), failed (it is given up)' });
    for (const outcome of ['delivered', 'retried', 'failed'] satisfies DeliveryOutcome[]) this.deliveries.add(0, { outcome });
  }

  delivered(outcome: DeliveryOutcome): void {
    this.deliveries.add(1, { outcome });
  }
}
