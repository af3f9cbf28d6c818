import type { Search } from './search.ts';
import type { Part, PoolCredential } from './snapshot-index.ts';
import type { CredentialView, DeploymentView } from './view.ts';

/** So many calls must be under way before their waiting says something about the deployment rather than about one prompt. */
const STALLING_CALLS = 5;
/** The oldest call waits this many times longer than usual, and this long at least. */
const STALLING_FACTOR = 4;
const STALLING_MS = 2000;

/** Why a deployment or credential comes after all others of its model, though it is not left out. */
export type Demotion = 'suspect' | 'stalling' | 'probing';

export const isOut = ({ at }: Search, { isDrained, unavailableUntilMs }: Part): boolean => isDrained || unavailableUntilMs > at.nowMs;

export function demotionOf({ at }: Search, part: Part, view: DeploymentView | undefined): Demotion | null {
  if (view === undefined) return null;
  if (view.suspectUntilMs > at.nowMs) return 'suspect';
  if (part.isTroubled && view.probing) return 'probing'; // one at a time tries whether it has healed
  const usualMs = latencyMs(part, view) ?? 0;
  return view.inFlight >= STALLING_CALLS && view.oldestWaitMs > Math.max(STALLING_MS, STALLING_FACTOR * usualMs) ? 'stalling' : null;
}

/** When the credential may be used again as far as anyone knows, Unix ms. */
export const credentialUntilMs = ({ unavailableUntilMs }: PoolCredential, view: CredentialView | undefined): number => Math.max(unavailableUntilMs, view?.unavailableUntilMs ?? 0);

export const credentialDemotion = ({ isTroubled }: PoolCredential, view: CredentialView | undefined): Demotion | null => (isTroubled && view?.probing === true ? 'probing' : null);

/** Milliseconds to the first byte as seen here, else by all gateways; null when nobody knows. */
export const latencyMs = ({ firstByteMs }: Part, view: DeploymentView | undefined): number | null => view?.firstByteMs ?? firstByteMs;
