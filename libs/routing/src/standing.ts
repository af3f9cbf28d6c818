import type { Search } from './search.ts';
import type { Part, PoolCredential } from './snapshot-index.ts';
import type { CredentialView, DeploymentView } from './view.ts';

/** So many calls must be under way before their waiting says something about the deployment rather than about one prompt. */
const STALLING_CALLS = 5;
/** The oldest call waits this many times longer than usual, and this long at least. */
const STALLING_FACTOR = 4;
const STALLING_MS = 2000;

/** Why a deployment or credential comes after all others of its model, though it is not left out; `out`: after everything, of all models. */
export type Demotion = 'suspect' | 'stalling' | 'probing' | 'out';

/** Not among those that are tried as a matter of course: it is left out, or a last resort. */
export const isOut = ({ at }: Search, { isDrained, unavailableUntilMs }: Part): boolean => isDrained || unavailableUntilMs > at.nowMs;

/** Of those that are out: whether failures alone keep it out. It may be well again by now; what was refused, or drained, is known not to serve. */
export const isLastResort = ({ isDrained, isFailing }: Part): boolean => isFailing && !isDrained;

export function demotionOf({ at }: Search, part: Part, view: DeploymentView | undefined): Demotion | null {
  if (view === undefined) return null;
  if (view.suspectUntilMs > at.nowMs) return 'suspect';
  if (part.isTroubled && view.probing) return 'probing'; // one at a time tries whether it has healed
  const usualMs = latencyMs(part, view) ?? 0;
  return view.inFlight >= STALLING_CALLS && view.oldestWaitMs > Math.max(STALLING_MS, STALLING_FACTOR * usualMs) ? 'stalling' : null;
}

/** When the credential may be used again as far as anyone knows, Unix ms. */
export const credentialUntilMs = ({ unavailableUntilMs }: PoolCredential, view: CredentialView | undefined): number => Math.max(unavailableUntilMs, view?.unavailableUntilMs ?? 0);

export const isCredentialOut = (search: Search, credential: PoolCredential, view: CredentialView | undefined): boolean => credentialUntilMs(credential, view) > search.at.nowMs;

/** As of a deployment. */
export function isLastResortCredential({ at }: Search, { isFailing, unavailableUntilMs }: PoolCredential, view: CredentialView | undefined): boolean {
  const isKeptOutHere = view !== undefined && view.unavailableUntilMs > at.nowMs && view.trouble !== 'failing';
  return !isKeptOutHere && (isFailing || unavailableUntilMs <= at.nowMs);
}

export function credentialDemotion({ at }: Search, { isTroubled }: PoolCredential, view: CredentialView | undefined): Demotion | null {
  if (view === undefined) return null;
  if (view.suspectUntilMs !== undefined && view.suspectUntilMs > at.nowMs) return 'suspect';
  return isTroubled && view.probing ? 'probing' : null;
}

/** Milliseconds to the first byte as seen here, else by all gateways; null when nobody knows. */
export const latencyMs = ({ firstByteMs }: Part, view: DeploymentView | undefined): number | null => view?.firstByteMs ?? firstByteMs;
