import type { Trouble } from '@deja/contracts';
import { permitted } from './credentials.ts';
import { partsOf } from './lanes.ts';
import { UNMET_NEEDS, unmetNeed, type PlanRefusal, type UnmetNeed } from './need.ts';
import { credentialViewOf, upstreamOf, type Search, type Target } from './search.ts';
import type { Part } from './snapshot-index.ts';
import { credentialUntilMs, isLastResort } from './standing.ts';

/** What one deployment with one credential waits for. */
interface Wait {
  untilMs: number;
  /** The credential does not work at all; that it might again is a guess. */
  isBroken: boolean;
  /** Only for a provider's limit, or for money in the account. */
  isLimit: boolean;
}

const LIMITS: readonly (Trouble | undefined)[] = ['rate_limited', 'exhausted'] satisfies Trouble[];
const BROKEN: readonly (Trouble | undefined)[] = ['rejected', 'forbidden'] satisfies Trouble[];

/** Why none of the targets gives a candidate. */
export function refusalOf(search: Search, targets: readonly Target[]): PlanRefusal {
  const waits: Wait[] = [];
  let furthest = -1;
  let exists = false;
  let suits = false;
  for (const target of targets) {
    for (const part of partsOf(target)) {
      exists = true;
      const unmet = unmetNeed(search.need, part, upstreamOf(part, target), target.choosing);
      if (unmet !== null) furthest = Math.max(furthest, UNMET_NEEDS.indexOf(unmet));
      else {
        suits = true;
        if (part.deployment.drained !== true) waits.push(...waitsOf(search, part));
      }
    }
  }
  const unmet = UNMET_NEEDS[furthest];
  if (exists && !suits && unmet !== undefined) return { refused: 'no_suitable_deployment', unmet, retryAfterMs: null };
  return unavailable(waits, search.at.nowMs);
}

/** Whether this is what some part of the targets fails by. */
export function failsBy(search: Search, targets: readonly Target[], unmet: UnmetNeed): boolean {
  return targets.some((target) => partsOf(target).some((part) => unmetNeed(search.need, part, upstreamOf(part, target), target.choosing) === unmet));
}

function unavailable(all: readonly Wait[], nowMs: number): PlanRefusal {
  const working = all.filter((wait) => !wait.isBroken);
  const waits = working.length > 0 ? working : all;
  const reason = working.length > 0 && working.every((wait) => wait.isLimit) ? 'rate_limited' : 'unavailable';
  return { refused: 'no_deployment_available', reason, retryAfterMs: waits.length === 0 ? null : Math.max(1, Math.min(...waits.map((wait) => wait.untilMs)) - nowMs) };
}

function waitsOf(search: Search, part: Part): Wait[] {
  const { deployment: { trouble }, pool } = part;
  // One that failures keep out is asked as soon as it has a credential.
  const unavailableUntilMs = isLastResort(part) ? 0 : part.unavailableUntilMs;
  const isWaiting = unavailableUntilMs > search.at.nowMs;
  const isLimit = !isWaiting || LIMITS.includes(trouble);
  if (pool.isKeyless) return [{ untilMs: unavailableUntilMs, isBroken: false, isLimit }];
  return permitted(search, pool).map((credential) => {
    const view = credentialViewOf(search, credential);
    const isSetAside = credential.ref.unavailableUntilMs > search.at.nowMs;
    const why = isSetAside ? credential.ref.trouble : (view?.trouble ?? 'rate_limited');
    return { untilMs: Math.max(unavailableUntilMs, credentialUntilMs(credential, view)), isBroken: BROKEN.includes(why), isLimit: isLimit && LIMITS.includes(why) };
  });
}
