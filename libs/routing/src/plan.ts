import type { Candidate, RoutingSnapshot } from '@deja/contracts';
import { Purse } from './credentials.ts';
import { candidateOf, Gathering } from './gathering.ts';
import { drawnShadow, lanesOf, targetsNamed, targetsOf } from './lanes.ts';
import { unmetNeed, type PlanMoment, type PlanNeed, type PlanRefusal, type PlanResult } from './need.ts';
import { failsBy, refusalOf } from './refusal.ts';
import { searchOf, upstreamOf, viewOf, type Search, type Target } from './search.ts';
import { chooses, type ResolvedModel } from './snapshot-index.ts';
import { demotionOf, isOut } from './standing.ts';
import { LastResorts, walk, walkLast } from './walk.ts';

/** So many candidates at most, for those whose quota turns out to be used up; more where more may be attempted. */
const MOST_CANDIDATES = 16;
/** So many at most for those who are tried instead. */
const MOST_INSTEAD = 4;

/** A planning and all that it came to. */
export interface Course {
  search: Search;
  resolved: ResolvedModel;
  /** Empty exactly when it is refused. */
  candidates: Candidate[];
  contextWindow: Candidate[];
  contentPolicy: Candidate[];
  shadow: Candidate | null;
  refusal: PlanRefusal | null;
}

/**
 * Ordered, distinct candidates for one request; never empty when there is a plan.
 *
 * Order: the deployments of the model by priority, then by its strategy; those in doubt after all others; then the fallback models;
 * then, of all of these, what is out for failures alone, so that nobody is refused whom a deployment could have answered.
 * The first `maxAttempts` are spread over credentials, deployments and fallbacks so that each further attempt learns something new
 * (see Gathering). The same snapshot, need, moment and random numbers give the same plan.
 */
export function planRequest(snapshot: RoutingSnapshot, need: PlanNeed, at: PlanMoment): PlanResult {
  const course = courseOf(snapshot, need, at);
  if (course === null) return { refused: 'model_not_found', retryAfterMs: null };
  if (course.refusal !== null) return course.refusal;
  const { resolved, candidates, contextWindow, contentPolicy, shadow } = course;
  return { plan: { snapshotVersion: snapshot.version, candidates, instead: { contextWindow, contentPolicy }, shadow, hedge: resolved.model.hedge ?? null } };
}

/** The same with everything that `explainRequest` shows; null: there is no such model. */
export function courseOf(snapshot: RoutingSnapshot, need: PlanNeed, at: PlanMoment): Course | null {
  const search = searchOf(snapshot, need, at);
  const resolved = search.index.resolve(need.model);
  if (resolved === null) return null;
  const { model } = resolved;
  const choosing = chooses(model);
  const own = targetsOf(search, resolved, need.model, choosing);
  const tried = [...own];
  const gathering = new Gathering(Math.max(MOST_CANDIDATES, at.maxAttempts));
  const lastResorts = new LastResorts();
  walk(search, lanesOf(search, resolved, own), gathering, lastResorts);

  const isTooLong = gathering.groups.length === 0 && isGiven(model.fallbacksOn?.contextWindow) && failsBy(search, own, 'window');
  const names = [...(isTooLong ? (model.fallbacksOn?.contextWindow ?? []) : []), ...model.fallbacks];
  for (const { resolved: fallback, targets } of gathering.isFull ? [] : targetsNamed(search, names, choosing, need.model)) {
    tried.push(...targets);
    walk(search, lanesOf(search, fallback, targets), gathering, lastResorts);
  }
  walkLast(search, lastResorts, gathering);

  const candidates = gathering.candidates(Math.max(1, at.maxAttempts));
  const isRefused = candidates.length === 0;
  return {
    search,
    resolved,
    candidates,
    contextWindow: isTooLong || isRefused ? [] : instead(search, model.fallbacksOn?.contextWindow, choosing),
    contentPolicy: isRefused ? [] : instead(search, model.fallbacksOn?.contentPolicy, choosing),
    shadow: isRefused ? null : shadowOf(search, gathering.firstLane),
    refusal: isRefused ? refusalOf(search, tried) : null,
  };
}

function instead(search: Search, names: readonly string[] | undefined, choosing: boolean): Candidate[] {
  if (!isGiven(names)) return [];
  const gathering = new Gathering(MOST_INSTEAD);
  const lastResorts = new LastResorts();
  for (const { resolved, targets } of targetsNamed(search, names, choosing, search.need.model)) walk(search, lanesOf(search, resolved, targets), gathering, lastResorts);
  walkLast(search, lastResorts, gathering);
  return gathering.candidates(MOST_INSTEAD);
}

/** The one that gets a copy: of the public model that the first candidate serves, if it is its turn and it is well. */
function shadowOf(search: Search, target: Target | undefined): Candidate | null {
  const part = target === undefined ? null : drawnShadow(search, target);
  if (target === undefined || part === null) return null;
  const isWell = !isOut(search, part) && demotionOf(search, part, viewOf(search, part)) === null;
  if (!isWell || unmetNeed(search.need, part, upstreamOf(part, target), target.choosing) !== null) return null;
  const purse = new Purse(search, part.pool, false);
  return purse.count(1) === 0 ? null : candidateOf(target, part, purse.take());
}

const isGiven = (names: readonly string[] | undefined): names is readonly string[] => names !== undefined && names.length > 0;
