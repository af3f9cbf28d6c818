import { drawnByShare } from './affinity.ts';
import { preferred } from './auto.ts';
import { type Lane, type Search, type Target } from './search.ts';
import { chooses, type Part, type ResolvedModel } from './snapshot-index.ts';

/** The public models whose deployments serve a name: itself, or those among which it chooses, in the order of the file. */
export function targetsOf({ index }: Search, { model }: ResolvedModel, name: string, choosing: boolean): Target[] {
  if (!chooses(model)) return [{ indexed: index.of(model), name, choosing }];
  return [...new Set(model.candidates)].flatMap((candidate) => {
    const resolved = index.resolve(candidate);
    // One that chooses among others again is no candidate: it may lead back here.
    return resolved === null || chooses(resolved.model) ? [] : [{ indexed: index.of(resolved.model), name: candidate, choosing: true }];
  });
}

/** The targets as they are to be gone through, one after another. */
export function lanesOf(search: Search, { preference }: ResolvedModel, targets: readonly Target[]): Lane[] {
  if (preference !== null) return preferred(search, preference, targets).map(({ target, segments }) => laneOf(search, target, segments, true));
  return targets.map((target) => laneOf(search, target, target.indexed.segments, false));
}

function laneOf(search: Search, target: Target, segments: readonly (readonly Part[])[], isChecked: boolean): Lane {
  const { indexed, name, choosing } = target;
  // By chance also where turns stay together: all turns of a busy application may have one prefix, and would all be canaries or none.
  const canary = indexed.canaries.length === 0 ? null : drawnByShare(indexed.canaries, (part) => part.canary ?? 0, search.at.random());
  const isHere = canary !== null && (!isChecked || segments.some((segment) => segment.includes(canary)));
  return { indexed, name, choosing, segments, canary: isHere ? canary : null, isChecked, isSticky: search.keyHash !== null && indexed.affinity && indexed.strategy === 'weighted' };
}

/** The shadow whose turn it is among those of a target. */
export function drawnShadow(search: Search, { indexed }: Target): Part | null {
  return indexed.shadows.length === 0 ? null : drawnByShare(indexed.shadows, (part) => part.shadow ?? 0, search.at.random());
}

/** The names of a list of models as ways to go on, each once, without those that are not served. */
export function targetsNamed(search: Search, names: readonly string[], choosing: boolean, except: string): { resolved: ResolvedModel; targets: Target[] }[] {
  return [...new Set(names)].flatMap((name) => {
    const resolved = name === except ? null : search.index.resolve(name);
    return resolved === null ? [] : [{ resolved, targets: targetsOf(search, resolved, name, choosing) }];
  });
}

export const partsOf = ({ indexed }: Target): readonly Part[] => indexed.segments.flat();

