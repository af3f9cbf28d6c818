import type { Candidate, RoutingSnapshot, Trouble } from '@deja/contracts';
import { permitted } from './credentials.ts';
import { partsOf, targetsNamed, targetsOf } from './lanes.ts';
import { unmetNeed, type PlanMoment, type PlanNeed, type UnmetNeed } from './need.ts';
import { courseOf, type Course } from './plan.ts';
import { credentialViewOf, upstreamOf, viewOf, type Search, type Target } from './search.ts';
import { chooses, type Part, type PoolCredential } from './snapshot-index.ts';
import { credentialDemotion, credentialUntilMs, demotionOf, isCredentialOut, isLastResort, isLastResortCredential, isOut, latencyMs, type Demotion } from './standing.ts';
import { credentialKey } from './view.ts';

export type ExplainedRole = 'candidate' | 'shadow' | 'instead_context_window' | 'instead_content_policy';

/** Why something has no part in a plan. */
export type ExplainedReason =
  | UnmetNeed
  | 'drained' // an operator took the deployment out of rotation
  | 'deployment_unavailable'
  | 'credential_unavailable'
  | 'credential_of_another_tenant'
  | 'tenant_has_own_credentials'
  | 'another_credential_is_pinned'
  | 'no_credential' // its provider needs one, and there is none
  | 'shadow_not_drawn' // a shadow, and not its turn; or of another model than the one that serves
  | 'only_instead' // it would be tried when a candidate fails for a certain reason, and there is no candidate
  | 'has_a_place_already' // the same call, under another public model
  | 'enough_before'; // nothing speaks against it, but there are as many before it as may be tried

/** One deployment with one credential, as a plan sees it. */
export interface Explanation {
  /** The public name under which it would serve. */
  model: string;
  /** Id of the deployment. */
  deployment: string;
  /** Id of the credential; null where the provider needs none. */
  credential: string | null;
  version: string | null;
  role: ExplainedRole | null;
  /** Place among those of the same role, from 1; null without a role. */
  order: number | null;
  /** Null exactly when it has a role. */
  reason: ExplainedReason | null;
  /** Why it comes after all others of its model, or of all, though nothing keeps it out. */
  behind: Demotion | null;
  /** What is known against the credential, by the pool or by this gateway; else against the deployment. */
  trouble: Trouble | null;
  /** Null is unknown. */
  detail: { weight: number; priority: number; credentialWeight: number | null; waitMs: number; firstByteMs: number | null; inFlight: number; costNanoUsd: number | null; capability: number | null };
}

interface Place {
  role: ExplainedRole;
  order: number;
}

/**
 * Why a plan is as it is: every deployment and credential of the model, of those it chooses among, its fallbacks and those tried
 * instead. The plan itself is made by the code that plans requests, so that the places shown are those a request would get. Empty
 * where there is no such model.
 */
export function explainRequest(snapshot: RoutingSnapshot, need: PlanNeed, at: PlanMoment): Explanation[] {
  const course = courseOf(snapshot, need, at);
  if (course === null) return [];
  const places = placesOf(course);
  const placed = new Set([...places.values()].flatMap((ofModel) => [...ofModel.keys()]));
  return targetsOfCourse(course).flatMap((target) => {
    const ofModel = places.get(target.name) ?? new Map<string, Place[]>();
    const well = course.refusal === null ? 'enough_before' : 'only_instead'; // where it might have been a candidate, there would be no refusal
    return [...partsOf(target), ...target.indexed.shadows].flatMap((part) => credentialsOf(part).flatMap((credential): Explanation[] => {
      const facts = factsOf(course.search, target, part, credential);
      const call = callName(part.deployment.id, upstreamOf(part, target), credential?.key ?? null);
      const { own = [], others = [] } = Object.groupBy(ofModel.get(call) ?? [], ({ role }) => ((role === 'shadow') === (part.shadow !== null) ? 'own' : 'others'));
      if (own.length === 0) {
        const reason = reasonOf(course.search, target, part, credential);
        return [{ ...facts, role: null, order: null, reason: reason ?? (placed.has(call) ? 'has_a_place_already' : well), behind: reason !== null && facts.behind === 'out' ? null : facts.behind }];
      }
      ofModel.set(call, others); // a place is shown once, also where a model lists a deployment twice
      return own.map((place) => ({ ...facts, ...place, reason: null }));
    }));
  });
}

const credentialsOf = ({ pool }: Part): (PoolCredential | null)[] => (pool.isKeyless || pool.everyones.length + pool.ofTenant.size === 0 ? [null] : [...pool.everyones, ...[...pool.ofTenant.values()].flat()]);

/** By public name, then by call. */
function placesOf({ candidates, contextWindow, contentPolicy, shadow }: Course): Map<string, Map<string, Place[]>> {
  const places = new Map<string, Map<string, Place[]>>();
  const list = (role: ExplainedRole, of: readonly Candidate[]): void => of.forEach(({ model, deployment, credential, upstreamModel }, n) => {
    const call = callName(deployment.id, upstreamModel, credential === null ? null : credentialKey(credential));
    const ofModel = places.get(model) ?? new Map<string, Place[]>();
    places.set(model, ofModel.set(call, [...(ofModel.get(call) ?? []), { role, order: n + 1 }]));
  });
  list('candidate', candidates);
  list('shadow', shadow === null ? [] : [shadow]);
  list('instead_context_window', contextWindow);
  list('instead_content_policy', contentPolicy);
  return places;
}

const callName = (deployment: string, upstreamModel: string, credential: string | null): string => JSON.stringify([deployment, upstreamModel, credential]);

/** Everything that has, or might have had, a place; each public name once. */
function targetsOfCourse({ search, resolved }: Course): Target[] {
  const { model } = resolved;
  const names = [...model.fallbacks, ...(model.fallbacksOn?.contextWindow ?? []), ...(model.fallbacksOn?.contentPolicy ?? [])];
  const choosing = chooses(model);
  const targets = new Map<string, Target>();
  for (const target of [...targetsOf(search, resolved, search.need.model, choosing), ...targetsNamed(search, names, choosing, search.need.model).flatMap((named) => named.targets)]) {
    if (!targets.has(target.name)) targets.set(target.name, target);
  }
  return [...targets.values()];
}

function reasonOf(search: Search, target: Target, part: Part, credential: PoolCredential | null): ExplainedReason | null {
  const unmet = unmetNeed(search.need, part, upstreamOf(part, target), target.choosing);
  if (unmet !== null) return unmet;
  if (part.deployment.drained === true) return 'drained';
  const serves = part.shadow === null; // a shadow is nobody's last resort
  if (isOut(search, part) && !(serves && isLastResort(part))) return 'deployment_unavailable';
  if (credential === null && !part.pool.isKeyless) return 'no_credential';
  if (credential !== null && !permitted(search, part.pool).includes(credential)) return notPermitted(search, credential);
  const view = credential === null ? undefined : credentialViewOf(search, credential);
  if (credential !== null && isCredentialOut(search, credential, view) && !(serves && isLastResortCredential(search, credential, view))) return 'credential_unavailable';
  return serves ? null : 'shadow_not_drawn';
}

function behindOf(search: Search, part: Part, credential: PoolCredential | null): Demotion | null {
  const view = credential === null ? undefined : credentialViewOf(search, credential);
  const isOutItself = isOut(search, part) || (credential !== null && isCredentialOut(search, credential, view));
  return isOutItself ? 'out' : (demotionOf(search, part, viewOf(search, part)) ?? (credential === null ? null : credentialDemotion(search, credential, view)));
}

function notPermitted({ need }: Search, { ref }: PoolCredential): ExplainedReason {
  if (ref.tenant !== undefined && ref.tenant !== need.tenant) return 'credential_of_another_tenant';
  if (need.pin !== undefined && need.pin.credential !== null && need.pin.credential !== ref.id) return 'another_credential_is_pinned';
  return 'tenant_has_own_credentials';
}

function factsOf(search: Search, target: Target, part: Part, credential: PoolCredential | null): Omit<Explanation, 'role' | 'order' | 'reason'> {
  const { deployment, weight, priority } = part;
  const { need, at } = search;
  const view = viewOf(search, part);
  const upstreamModel = upstreamOf(part, target);
  const own = credential === null ? undefined : credentialViewOf(search, credential);
  const untilMs = Math.max(deployment.unavailableUntilMs, credential === null ? 0 : credentialUntilMs(credential, own));
  return {
    model: target.name,
    deployment: deployment.id,
    credential: credential?.ref.id ?? null,
    version: credential?.ref.version ?? null,
    behind: behindOf(search, part, credential),
    trouble: credential?.ref.trouble ?? own?.trouble ?? deployment.trouble ?? null,
    detail: {
      weight,
      priority,
      credentialWeight: credential?.ref.weight ?? null,
      waitMs: Math.max(0, untilMs - at.nowMs),
      firstByteMs: latencyMs(part, view),
      inFlight: view?.inFlight ?? 0,
      costNanoUsd: need.costOf?.(deployment, upstreamModel) ?? null,
      capability: need.capabilityOf?.(deployment, upstreamModel) ?? null,
    },
  };
}
