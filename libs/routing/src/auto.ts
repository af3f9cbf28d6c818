import type { Preference } from '@deja/contracts';
import { abilitiesKnown, unmetNeed } from './need.ts';
import { upstreamOf, viewOf, type Search, type Target } from './search.ts';
import type { Part } from './snapshot-index.ts';
import { isOut, latencyMs } from './standing.ts';

/** Those of a target's parts that meet every need. */
interface Suitable {
  target: Target;
  segments: Part[][];
}

/**
 * The targets of a model that chooses, with their suitable parts, best first: by their cheapest, quickest or most capable
 * deployment that is not out of rotation. Unknown: last. Equals stay in the order of the file. Parts of which nobody knows whether
 * they can do what is asked follow after all that can.
 */
export function preferred(search: Search, preference: Preference, targets: readonly Target[]): Suitable[] {
  const known: Suitable[] = [];
  const unknown: Suitable[] = [];
  for (const target of targets) {
    const fit = target.indexed.segments.map((segment) => segment.filter((part) => unmetNeed(search.need, part, upstreamOf(part, target), target.choosing) === null));
    const isKnown = (part: Part): boolean => abilitiesKnown(search.need, part.deployment, upstreamOf(part, target));
    known.push({ target, segments: fit.map((segment) => segment.filter(isKnown)) });
    unknown.push({ target, segments: fit.map((segment) => segment.filter((part) => !isKnown(part))) });
  }
  return [...best(search, preference, known), ...best(search, preference, unknown)];
}

function best(search: Search, preference: Preference, all: readonly Suitable[]): Suitable[] {
  return all
    .filter(({ segments }) => segments.some((segment) => segment.length > 0))
    .map((suitable) => ({ suitable, measure: measureOf(search, preference, suitable) }))
    .sort((a, b) => (a.measure === b.measure ? 0 : a.measure - b.measure))
    .map(({ suitable }) => suitable);
}

/** Smaller is better; Infinity when unknown. */
function measureOf(search: Search, preference: Preference, { target, segments }: Suitable): number {
  let smallest = Number.POSITIVE_INFINITY;
  for (const segment of segments) {
    for (const part of segment) {
      if (!isOut(search, part)) smallest = Math.min(smallest, measureOfPart(search, preference, part, upstreamOf(part, target)) ?? smallest);
    }
  }
  return smallest;
}

function measureOfPart(search: Search, preference: Preference, part: Part, upstreamModel: string): number | null {
  switch (preference) {
    case 'cost':
      return search.need.costOf?.(part.deployment, upstreamModel) ?? null;
    case 'speed':
      return latencyMs(part, viewOf(search, part));
    case 'capability': {
      const rank = search.need.capabilityOf?.(part.deployment, upstreamModel) ?? null;
      return rank === null ? null : -rank;
    }
  }
}
