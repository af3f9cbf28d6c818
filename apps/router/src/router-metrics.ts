import type { Meter } from '@opentelemetry/api';
import { TROUBLES, type RouterRpc } from '@deja/contracts';
import type { Pool } from './pool/pool.ts';
import type { SnapshotPublisher } from './snapshot/snapshot-publisher.ts';

/** What an operator can see of the router. */
export class RouterMetrics {
  readonly #resolutions;

  constructor(meter: Meter, publisher: Pick<SnapshotPublisher, 'version' | 'setAside'>, pool: Pick<Pool, 'setAsideCounts'>) {
    this.#resolutions = meter.createCounter('deja.router.key_resolutions', { description: 'client keys looked up for gateways, by status' });
    meter.createObservableGauge('deja.router.snapshot_version', { description: 'version of the published routing snapshot' })
      .addCallback((result) => result.observe(publisher.version));
    for (const what of ['credentials', 'deployments'] as const) {
      meter.createObservableGauge(`deja.router.unavailable_${what}`, { description: `${what} set aside at the moment, by what speaks against them` }).addCallback((result) => {
        const { setAside } = publisher;
        for (const trouble of TROUBLES) result.observe(setAside[trouble][what], { trouble });
      });
    }
    meter.createObservableCounter('deja.pool.set_aside', { description: 'credentials and deployments that this replica took out of rotation' }).addCallback((result) => {
      for (const { what, trouble, count } of pool.setAsideCounts) result.observe(count, { what, trouble });
    });
  }

  keyResolved(status: RouterRpc['resolve_key']['reply']['status']): void {
    this.#resolutions.add(1, { status });
  }
}
