import type { Settings } from '@deja/contracts';
import { FAMILY_RANKS, MODEL_RANKS } from './capability-table.ts';
import { withoutDate, type UpstreamModel } from './model-lists.ts';

const MODELS: ReadonlyMap<string, number> = new Map(MODEL_RANKS);
const FAMILIES: ReadonlyMap<string, number> = new Map(FAMILY_RANKS);

/**
 * How capable an upstream model is, 0 to 100, or null when nobody said. An override of `provider/model` goes before one of `model`, and
 * both before the shipped ranks. There a model is the same wherever it is served: a vendor before a slash in its name, and its letters'
 * case, make no difference, and a dated snapshot is its model. Of a simulated model nothing is known.
 */
export function capabilityOf(o: UpstreamModel & { overrides: Settings['capability'] }): number | null {
  const override = own(o.overrides, `${o.provider}/${o.upstreamModel}`) ?? own(o.overrides, o.upstreamModel);
  if (override !== undefined) return override;
  if (o.kind === 'simulated') return null;
  const name = o.upstreamModel.slice(o.upstreamModel.lastIndexOf('/') + 1).toLowerCase();
  return MODELS.get(name) ?? MODELS.get(withoutDate(name)) ?? familyRank(name);
}

/** The rank of the longest family whose name this one begins with, cut at its dashes. */
function familyRank(name: string): number | null {
  for (let end = name.length; end > 0; end = name.lastIndexOf('-', end - 1)) {
    const rank = FAMILIES.get(name.slice(0, end));
    if (rank !== undefined) return rank;
  }
  return null;
}

const own = (overrides: Settings['capability'], name: string): number | undefined => (Object.hasOwn(overrides, name) ? overrides[name] : undefined);
