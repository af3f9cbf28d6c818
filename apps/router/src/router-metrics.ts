import type { Meter } from '@opentelemetry/api';
import type { RouterRpc } from '@deja/contracts';
import type { SnapshotPublisher } from './snapshot/snapshot-publisher.ts';

/** What an operator can see of the router. */
export class RouterMetrics {
  readonly #resolutions;

  constructor(meter: Meter, publisher: Pick<SnapshotPublisher, 'version' | 'setAside'>) {
    this.#resolutions = meter.createCounter('deja.router.key_resolutions', { description: 'client keys looked up for gateways, by status' });
    meter.createObservableGauge('deja.router.snapshot_version', { description: 'version of the published routing snapshot' })
      .addCallback((result) => result.observe(publisher.version));
    meter.createObservableGauge('deja.router.unavailable_credentials', { description: 'credentials set aside at the moment' })
      .addCallback((result) => result.observe(publisher.setAside.credentials));
    meter.createObservableGauge('deja.router.unavailable_deployments', { description: 'deployments set aside at the moment' })
      .addCallback((result) => result.observe(publisher.setAside.deployments));
  }

  keyResolved(status: RouterRpc['resolve_key']['reply']['status']): void {
    this.#resolutions.add(1, { status });
  }
}
