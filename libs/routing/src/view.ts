import type { Trouble } from '@deja/contracts';

/** What one gateway has seen itself since the snapshot was made. Whatever is absent is unknown. */
export interface RoutingView {
  /** By id of the deployment. */
  deployments: ReadonlyMap<string, DeploymentView>;
  /** By `id@version` of the credential. */
  credentials: ReadonlyMap<string, CredentialView>;
}

export interface DeploymentView {
  /** Calls that have not ended. */
  inFlight: number;
  /** Peak-sensitive moving average of the time to the first byte, ms; null before the first one. */
  firstByteMs: number | null;
  /** How long the oldest call has been waiting for its first byte, ms; 0 when none waits. */
  oldestWaitMs: number;
  /** It failed for this gateway: not before others until then (Unix ms). */
  suspectUntilMs: number;
  /** A call under way tries whether it has healed. */
  probing: boolean;
}

export interface CredentialView {
  inFlight: number;
  /** This gateway was told to wait until then (Unix ms), and the snapshot may not know yet. */
  unavailableUntilMs: number;
  /** Why; absent: for a rate limit. */
  trouble?: Trouble | undefined;
  /** At its own address it failed for this gateway: not before others until then (Unix ms). */
  suspectUntilMs?: number | undefined;
  probing: boolean;
}

/** Name of a credential's value in a view. */
export const credentialKey = (credential: { id: string; version: string }): string => `${credential.id}@${credential.version}`;
