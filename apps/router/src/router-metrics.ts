import type { Meter } from '@opentelemetry/api';
import { TROUBLES, type RouterRpc } from '@deja/contracts';
import type { Pool } from './pool/pool.ts';
import { POOL_STATES, type PoolState } from './pool/states.ts';
import type { SnapshotPublisher } from './snapshot/snapshot-publisher.ts';

/** What an operator can see of the router. */
export class RouterMetrics {
  readonly #resolutions;

  constructor(meter: Meter, publisher: Pick<SnapshotPublisher, 'version' | 'setAside' | 'states'>, pool: Pick<Pool, 'setAsideCounts'>) {
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
    this.#observeStates(meter, publisher);
  }

  /** Each has a series for every state, 1 for the one it is in: so a query finds it before and after, and sums are counts. */
  #observeStates(meter: Meter, publisher: Pick<SnapshotPublisher, 'states'>): void {
    const states = POOL_STATES.join(', ');
    meter.createObservableGauge('deja.router.deployment_state', { description: `1 for the state that a deployment is in, else 0: ${states}` }).addCallback((result) => {
      for (const { deployment, state } of publisher.states.deployments) eachState(state, (is, name) => result.observe(is, { deployment, state: name }));
    });
    meter.createObservableGauge('deja.router.credential_state', { description: `1 for the state that a credential is in, else 0: ${states}` }).addCallback((result) => {
      for (const { provider, credential, state } of publisher.states.credentials) eachState(state, (is, name) => result.observe(is, { provider, credential, state: name }));
    });
  }

  keyResolved(status: RouterRpc['resolve_key']['reply']['status']): void {
    this.#resolutions.add(1, { status });
  }
}

function eachState(current: PoolState, observe: (is: 0 | 1, name: PoolState) => void): void {
  for (const name of POOL_STATES) observe(name === current ? 1 : 0, name);
}
