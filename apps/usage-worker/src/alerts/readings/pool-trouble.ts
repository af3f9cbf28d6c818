import type { CredentialRef, Deployment, RoutingSnapshot } from '@deja/contracts';
import { isInScope } from './scope.ts';
import type { Measured } from './reading.ts';
import type { Reader, ReadingContext } from './reading-context.ts';

/** Out: set aside. On probation, nobody knows: it may have healed, and the next request will show. */
type Health = 'in' | 'out' | 'unknown';

const healthOf = ({ trouble, unavailableUntilMs }: Pick<Deployment, 'trouble' | 'unavailableUntilMs'>, nowMs: number): Health =>
  trouble === undefined ? 'in' : unavailableUntilMs > nowMs ? 'out' : 'unknown';

/** 1 for each credential that is set aside, 0 for each that is not. */
export const credentialOut: Reader = async (condition, context) => credentialsOf(snapshotOf(context), context.nowMs).filter(({ labels }) => isInScope(labels, condition.scope));

/** Share of a provider's deployments that are set aside, or whose credentials all are, in [0, 1]. Drained ones do not count. */
export const providerDown: Reader = async ({ above }, context) => providersOf(snapshotOf(context), above ?? 0, context.nowMs);

function snapshotOf({ snapshot }: Pick<ReadingContext, 'snapshot'>): RoutingSnapshot {
  const known = snapshot();
  if (known === null) throw new Error('no routing snapshot was published yet');
  return known;
}

export function credentialsOf({ deployments }: Pick<RoutingSnapshot, 'deployments'>, nowMs: number): Measured[] {
  const found = new Map<string, Measured>();
  for (const { provider, credentials } of deployments) {
    for (const credential of credentials) {
      if (credential.retiring === true) continue;
      const health = healthOf(credential, nowMs);
      const labels = { ...(credential.tenant === undefined ? {} : { tenant: credential.tenant }), provider, credential: credential.id };
      found.set(credential.id, { labels, value: health === 'unknown' ? null : health === 'out' ? 1 : 0 });
    }
  }
  return [...found.values()];
}

/** Where it depends on those of which nobody knows whether it is more than `above`, the value is null. */
export function providersOf({ deployments }: Pick<RoutingSnapshot, 'deployments'>, above: number, nowMs: number): Measured[] {
  const byProvider = Map.groupBy(deployments.filter(({ drained }) => drained !== true), ({ provider }) => provider);
  return [...byProvider].map(([provider, own]) => {
    const healths = own.map((deployment) => deploymentHealth(deployment, nowMs));
    const share = (...counted: Health[]): number => healths.filter((health) => counted.includes(health)).length / own.length;
    const certain = share('out');
    const possible = share('out', 'unknown');
    return { labels: { provider }, value: certain > above || possible <= above ? certain : null };
  });
}

function deploymentHealth(deployment: Deployment, nowMs: number): Health {
  const own = healthOf(deployment, nowMs);
  const credentials = deployment.credentials.filter(({ retiring, tenant }: CredentialRef) => retiring !== true && tenant === undefined).map((credential) => healthOf(credential, nowMs));
  if (own === 'out' || credentials.length === 0) return own;
  if (credentials.every((health) => health === 'out')) return 'out';
  return credentials.every((health) => health !== 'in') ? 'unknown' : own;
}
