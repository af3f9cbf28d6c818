import type { Candidate, Price, Settings, Usage } from '@deja/contracts';
import { costNanoUsd, modelFacts, priceOf } from '@deja/pricing';

/** What bounds a request's cost before it runs. */
export interface CostBounds {
  promptTokens: number;
  /** Of one choice; null where the client did not say. */
  outputTokens: number | null;
  /** What an answer may have at most where neither the client nor its model bounds it (`validation.max_output_tokens`). */
  mostOutputTokens: number;
  choices: number;
  /** A second deployment may be asked beside the first, and both are paid. */
  hedged: boolean;
  prices: Settings['prices'];
  /** When the request was received, Unix ms: its prices are those of then. */
  atMs: number;
}

export interface WorstCase {
  /** Integer nano-USD. */
  nanoUsd: bigint;
  /** Deployments whose price nobody knows, as `provider/model`: they count 0. */
  unpriced: string[];
}

/**
 * What a request costs at most, reserved before it runs: the dearest of those that may be asked, and the dearest two where two
 * may be asked at once. Pass everybody who may be: fallbacks for a failure too.
 */
export function worstCase(candidates: readonly Candidate[], bounds: CostBounds): WorstCase {
  const costs = new Map<string, bigint>();
  const unpriced = new Set<string>();
  for (const candidate of candidates) {
    const name = nameOf(candidate); // credentials of one deployment pay the same, and only another deployment is asked beside it
    if (costs.has(name) || unpriced.has(name)) continue;
    const cost = mostNanoUsd(candidate, bounds);
    if (cost === null) unpriced.add(name);
    else costs.set(name, cost);
  }
  const [dearest = 0n, second = 0n] = [...costs.values()].sort((a, b) => (a < b ? 1 : a > b ? -1 : 0));
  return { nanoUsd: bounds.hedged ? dearest + second : dearest, unpriced: [...unpriced] };
}

/** What the prompt alone costs where the plan begins, integer nano-USD: what an operation counts that is never heard of again. Null where the price is unknown. Never more than the worst case. */
export function promptCostNanoUsd(first: Candidate, promptTokens: number, prices: Settings['prices'], atMs: number): bigint | null {
  return costNanoUsd({ ...NOTHING, promptTokens }, priceAt(first, prices, atMs));
}

const NOTHING: Usage = { promptTokens: 0, cachedTokens: 0, cacheWriteTokens: 0, completionTokens: 0, reasoningTokens: 0 };

function mostNanoUsd(candidate: Candidate, { promptTokens, outputTokens, mostOutputTokens, choices, prices, atMs }: CostBounds): bigint | null {
  const price = priceAt(candidate, prices, atMs);
  if (price === null) return null; // an unknown price is not a free one
  const perChoice = outputTokens ?? modelFacts(upstreamOf(candidate))?.maxOutputTokens ?? mostOutputTokens;
  const usage = { ...NOTHING, promptTokens, completionTokens: perChoice * choices };
  // The prompt may be new, written to the provider's cache, or read from it, each at its own rate; a mixture costs something in between.
  const prompts = [usage, { ...usage, cacheWriteTokens: promptTokens }, { ...usage, cachedTokens: promptTokens }];
  // Likewise the answer may be thought, or spoken; without a rate of its own that costs what else is answered does.
  const thought = price.reasoning === undefined ? [] : prompts.map((all) => ({ ...all, reasoningTokens: all.completionTokens }));
  const spoken = price.audioOutput === undefined ? [] : prompts.map((all) => ({ ...all, audioOutputTokens: all.completionTokens }));
  const all = [...prompts, ...thought, ...spoken];
  const costs = all.map((one) => costNanoUsd(one, price) ?? 0n);
  return costs.reduce((most, cost) => (cost > most ? cost : most), 0n);
}

const priceAt = (candidate: Candidate, prices: Settings['prices'], atMs: number): Price | null => priceOf({ ...upstreamOf(candidate), overrides: prices, atMs });
const upstreamOf = ({ deployment: { provider, kind }, upstreamModel }: Candidate) => ({ provider, kind, upstreamModel });
const nameOf = ({ deployment: { provider }, upstreamModel }: Candidate): string => `${provider}/${upstreamModel}`;
