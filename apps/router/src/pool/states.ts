import { TROUBLES, type CredentialRef, type Deployment, type Trouble } from '@deja/contracts';

/**
 * What may be said of a deployment or a credential in one word. `probation`: its pause is over, and one request at a time tries whether it has
 * healed. `drained`: an operator took it out of rotation. `no_credential`: its provider is not called without one, and there is none. The rest is the
 * trouble for which it is set aside.
 */
export const POOL_STATES = ['available', 'probation', ...TROUBLES, 'drained', 'no_credential'] as const;
export type PoolState = (typeof POOL_STATES)[number];

/** More deployments or credentials than these have no series of their own: an admin API may make as many as it likes, a scrape has an end. */
export const MOST_SHOWN = 500;

export interface DeploymentState {
  deployment: string;
  state: PoolState;
}

export interface CredentialState {
  provider: string;
  /** Its name within the provider. */
  credential: string;
  state: PoolState;
}

/** The state of every deployment and every credential at that moment, in the order of the snapshot: those of the configuration before those of the admin API. */
export function poolStates(deployments: readonly Deployment[], nowMs: number): { deployments: DeploymentState[]; credentials: CredentialState[] } {
  const credentials = new Map<string, CredentialState>();
  for (const { provider, credentials: own } of deployments) {
    for (const credential of own) {
      // A credential stands in each deployment of its provider. The former value of a rotated one has the same id, and is only a fallback.
      if (credential.retiring !== true && !credentials.has(credential.id)) credentials.set(credential.id, { provider, credential: nameOf(credential, provider), state: healthState(credential, nowMs) });
    }
  }
  return {
    deployments: deployments.slice(0, MOST_SHOWN).map((deployment) => ({ deployment: deployment.id, state: deploymentState(deployment, nowMs) })),
    credentials: [...credentials.values()].slice(0, MOST_SHOWN),
  };
}

function deploymentState(deployment: Deployment, nowMs: number): PoolState {
  if (deployment.drained === true) return 'drained';
  if (deployment.keyed === true && deployment.credentials.length === 0) return 'no_credential';
  return healthState(deployment, nowMs);
}

function healthState({ unavailableUntilMs, trouble }: { unavailableUntilMs: number; trouble?: Trouble }, nowMs: number): PoolState {
  if (trouble === undefined) return 'available';
  return unavailableUntilMs > nowMs ? trouble : 'probation';
}

const nameOf = ({ id }: CredentialRef, provider: string): string => (id.startsWith(`${provider}/`) ? id.slice(provider.length + 1) : id);
