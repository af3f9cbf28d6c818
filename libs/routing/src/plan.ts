import type { Candidate, CredentialRef, Deployment, Plan, PublicModel, RoutingSnapshot } from '@deja/contracts';
import { weightedOrder } from './weighted-order.ts';

export interface PlanNeed {
  /** The name the client sent. */
  model: string;
  /** Whether a deployment can serve this request at all; all can unless given. */
  suits?: (deployment: Deployment, upstreamModel: string) => boolean;
  /** Only this provider's account has what the request names (a stored object). The credential is null where it is of no account, or gone. */
  pin?: { provider: string; credential: string | null };
}

export interface PlanMoment {
  nowMs: number;
  /** Uniform in [0, 1). The same sequence gives the same plan. */
  random: () => number;
  /** At least 1. */
  maxAttempts: number;
}

export type PlanResult =
  | { plan: Plan }
  | { refused: 'model_not_found' | 'no_deployment_available' | 'no_suitable_deployment'; /** Until the first one is usable again; null when waiting does not help. */ retryAfterMs: number | null };

/** The model that takes every name no other model has. */
const ANY_MODEL = '*';

/**
 * Ordered candidates for one request; never empty when there is a plan, at most `maxAttempts`.
 *
 * Order: another credential of the same deployment, then the next deployment, then the fallback models. Where there are more
 * candidates than attempts, the first deployment keeps two and each further one is sure of one before any gets more, so that a
 * large pool of credentials on one deployment does not use up every attempt. Where there are fewer, they repeat in the same
 * order: a caller whose failure will not go away by repeating (401, say) has to skip the credential it learned this from.
 */
export function planRequest(snapshot: RoutingSnapshot, need: PlanNeed, at: PlanMoment): PlanResult {
  const requested = findModel(snapshot, need.model);
  if (requested === null) return { refused: 'model_not_found', retryAfterMs: null };

  const deployments = new Map(snapshot.deployments.map((deployment) => [deployment.id, deployment]));
  const groups = candidateGroups(requested, need.model, deployments, need, at);
  const seen = new Set([requested.name]);
  for (const name of requested.fallbacks) {
    const fallback = findModel(snapshot, name);
    if (fallback === null || seen.has(name)) continue;
    seen.add(name);
    groups.push(...candidateGroups(fallback, name, deployments, need, at));
  }

  const distinct = chooseWithin(groups.filter((group) => group.length > 0), Math.max(1, at.maxAttempts));
  if (distinct.length === 0) {
    const models = [requested, ...requested.fallbacks.flatMap((name) => findModel(snapshot, name) ?? [])];
    const existing = models.flatMap((model) => model.deployments).flatMap(({ id }) => deployments.get(id) ?? []);
    const suits = (deployment: Deployment): boolean => isSuitable(deployment, deployment.upstreamModel === ANY_MODEL ? need.model : deployment.upstreamModel, need);
    if (existing.length > 0 && !existing.some(suits)) return { refused: 'no_suitable_deployment', retryAfterMs: null };
    return { refused: 'no_deployment_available', retryAfterMs: shortestWaitMs(models, deployments, at.nowMs) };
  }
  return { plan: { snapshotVersion: snapshot.version, candidates: filledUp(distinct, at.maxAttempts), instead: { contextWindow: [], contentPolicy: [] }, shadow: null, hedge: null } };
}

/** The model of that name, else the one for any name. */
function findModel(snapshot: RoutingSnapshot, name: string): PublicModel | null {
  if (name === ANY_MODEL) return null; // a pattern, not a name one can ask for
  return snapshot.models.find((model) => model.name === name) ?? snapshot.models.find((model) => model.name === ANY_MODEL) ?? null;
}

/** Per usable deployment of a model, in the order of its strategy, one candidate for each usable credential. */
function candidateGroups(model: PublicModel, name: string, deployments: Map<string, Deployment>, need: PlanNeed, at: PlanMoment): Candidate[][] {
  return orderedDeployments(model, deployments, at).map((deployment) => {
    const upstreamModel = deployment.upstreamModel === ANY_MODEL ? name : deployment.upstreamModel;
    if (!isSuitable(deployment, upstreamModel, need)) return [];
    const candidate = (credential: CredentialRef | null): Candidate => ({ model: name, deployment, credential, upstreamModel });
    if (deployment.credentials.length === 0) return [candidate(null)];
    const pinned = need.pin?.credential;
    const own = deployment.credentials.filter((credential) => credential.id === pinned);
    const usable = (own.length > 0 ? own : deployment.credentials).filter((credential) => credential.unavailableUntilMs <= at.nowMs);
    return weightedOrder(usable, (credential) => credential.weight, at.random).map(candidate);
  });
}

const isSuitable = (deployment: Deployment, upstreamModel: string, need: PlanNeed): boolean =>
  (need.pin === undefined || need.pin.provider === deployment.provider) && (need.suits?.(deployment, upstreamModel) ?? true);

function orderedDeployments(model: PublicModel, deployments: Map<string, Deployment>, at: PlanMoment): Deployment[] {
  const usable = model.deployments.flatMap(({ id, weight, priority }) => {
    const deployment = deployments.get(id);
    return deployment !== undefined && usableAtMs(deployment) <= at.nowMs ? [{ deployment, weight, priority }] : [];
  });
  // Stable sort: `priority` keeps the order of the file within a tier; every other strategy chooses by weight within it.
  const shuffled = model.strategy === 'priority' ? usable : weightedOrder(usable, (entry) => entry.weight, at.random);
  return shuffled.toSorted((a, b) => a.priority - b.priority).map((entry) => entry.deployment);
}

/** When this deployment and one of its credentials are both usable (Unix ms). */
function usableAtMs(deployment: Deployment): number {
  if (deployment.credentials.length === 0) return deployment.unavailableUntilMs;
  return Math.max(deployment.unavailableUntilMs, Math.min(...deployment.credentials.map((credential) => credential.unavailableUntilMs)));
}

/** At most `limit` candidates, in the order of the groups. See planRequest for who goes without when there are more. */
function chooseWithin(groups: Candidate[][], limit: number): Candidate[] {
  const sure = new Set(groups.flatMap((group, index) => group.slice(0, index === 0 ? 2 : 1)).slice(0, limit));
  let room = limit - sure.size;
  return groups.flat().filter((candidate) => sure.has(candidate) || room-- > 0);
}

function filledUp(distinct: Candidate[], maxAttempts: number): Candidate[] {
  const length = Math.max(distinct.length, maxAttempts);
  return Array.from({ length }, (_, index) => distinct[index % distinct.length]).filter((candidate) => candidate !== undefined);
}

function shortestWaitMs(models: PublicModel[], deployments: Map<string, Deployment>, nowMs: number): number | null {
  const waits = models.flatMap((model) => model.deployments)
    .flatMap(({ id }) => deployments.get(id) ?? [])
    .map((deployment) => Math.max(1, usableAtMs(deployment) - nowMs));
  return waits.length === 0 ? null : Math.min(...waits);
}
