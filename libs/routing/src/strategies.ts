import { relieve, samplingKey } from './affinity.ts';
import { FIRST, LAST, LazyOrder, ORDINARY, type Ranked } from './lazy-order.ts';
import { drawFor, upstreamOf, type Lane, type Search } from './search.ts';
import type { Part } from './snapshot-index.ts';
import { latencyMs } from './standing.ts';
import type { DeploymentView } from './view.ts';

/** A part with its place by the strategy of its model. */
export function contender(search: Search, lane: Lane, part: Part, view: DeploymentView | undefined): Ranked<Part> {
  const { weight } = part;
  const key = samplingKey(drawFor(search, lane.isSticky, part.hash), weight);
  return { item: part, rank: weight > 0 ? ORDINARY : LAST, measure: measureOf(search, lane, part, view, key), key, weight, inFlight: view?.inFlight ?? 0 };
}

/** Parts of one segment in the order of the model's strategy. Weight 0: only after all others. */
export function inOrder(lane: Lane, contenders: Ranked<Part>[]): LazyOrder<Part> {
  if (lane.indexed.strategy === 'least_latency') preferBetterOfTwo(contenders);
  if (lane.isSticky) relieve(contenders);
  return new LazyOrder(contenders);
}

function measureOf({ need }: Search, lane: Lane, part: Part, view: DeploymentView | undefined, key: number): number {
  switch (lane.indexed.strategy) {
    case 'weighted':
      return key;
    case 'priority':
      return part.position;
    case 'least_busy':
      return (view?.inFlight ?? 0) / (part.weight > 0 ? part.weight : 1);
    case 'cheapest':
      return need.costOf?.(part.deployment, upstreamOf(part, lane)) ?? Number.POSITIVE_INFINITY;
    case 'least_latency':
      return expectedWaitMs(part, view);
  }
}

/**
 * What a call would have to wait for its first byte, were those under way served before it: a moving average that peaks raise at once,
 * times the calls in flight (peak EWMA, as in Finagle). The oldest call that still waits is a lower bound. Where nothing is known: 0, so that it is tried.
 */
function expectedWaitMs(part: Part, view: DeploymentView | undefined): number {
  return Math.max(latencyMs(part, view) ?? 0, view?.oldestWaitMs ?? 0) * ((view?.inFlight ?? 0) + 1);
}

/**
 * Two are drawn by weight, and the better one comes first. Were the best of all taken by everybody, it would be swamped before
 * anyone notices (the power of two choices: Mitzenmacher 2001).
 */
function preferBetterOfTwo(contenders: readonly Ranked<Part>[]): void {
  let first: Ranked<Part> | undefined;
  let second: Ranked<Part> | undefined;
  for (const one of contenders) {
    if (one.rank !== ORDINARY) continue;
    if (first === undefined || one.key < first.key) [first, second] = [one, first];
    else if (second === undefined || one.key < second.key) second = one;
  }
  if (first === undefined || second === undefined) return;
  (second.measure < first.measure ? second : first).rank = FIRST;
}
