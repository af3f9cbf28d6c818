import type { Logger } from '@deja/telemetry';
import { Loops } from '../loops.ts';
import type { Room } from '../room.ts';
import type { Alerts } from './alerts.ts';
import type { DeliveryLoop } from './notify/delivery-loop.ts';

const DELIVERY_INTERVAL_MS = 1_000;

/** Alerts are evaluated where it is this replica's turn, and told by all. */
export class AlertRoom implements Room {
  private readonly alerts: Alerts;
  private readonly deliveries: DeliveryLoop;
  private readonly loops: Loops;

  constructor(alerts: Alerts, deliveries: DeliveryLoop, logger: Pick<Logger, 'warn'>) {
    this.alerts = alerts;
    this.deliveries = deliveries;
    this.loops = new Loops(logger);
  }

  start(): void {
    this.alerts.start();
    this.loops.begin(DELIVERY_INTERVAL_MS, () => this.deliveries.deliver(), 'alerts could not be delivered; the next round does');
  }

  async stop(): Promise<void> {
    await Promise.all([this.alerts.stop(), this.loops.end()]);
  }
}
