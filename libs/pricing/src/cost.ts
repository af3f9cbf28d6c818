import type { AttemptRecord, Price, Usage } from '@deja/contracts';

/** Rates are per million tokens. */
const TOKENS = 1_000_000n;

/**
 * What `usage` costs at `price`, integer nano-USD, null when the price is unknown. Exact, and rounded once, at the end,
 * half up. Tokens read from and written to a provider's cache are part of the prompt and have their own rates; reasoning
 * is part of the completion. A long prompt moves the whole request to the long-context rates, as providers bill it.
 */
export function costNanoUsd(usage: Usage, price: Price | null): bigint | null {
  if (price === null) return null; // an unknown price is not a free one
  const prompt = tokens(usage.promptTokens);
  const cached = least(tokens(usage.cachedTokens), prompt);
  const written = least(tokens(usage.cacheWriteTokens), prompt - cached);
  const plain = prompt - cached - written;
  const output = tokens(usage.completionTokens);

  const long = price.longContext;
  if (long === null || usage.promptTokens <= long.abovePromptTokens) {
    const total = plain * rate(price.input) + cached * rate(price.cachedInput) + written * rate(price.cacheWrite) + output * rate(price.output);
    return rounded(total, TOKENS);
  }
  const total = plain * rate(long.input) + cached * rate(long.cachedInput) + output * rate(long.output);
  // No list names a long-context rate for cache writes; Anthropic's documented multipliers stack, so the ratio to input stays.
  const [share, of] = price.input > 0 ? [rate(price.cacheWrite) * rate(long.input), rate(price.input)] : [rate(price.cacheWrite), 1n];
  return rounded(total * of + written * share, TOKENS * of);
}

/**
 * What a request will probably cost, nano-USD, null when the price is unknown: to compare deployments by, so in plain arithmetic and not rounded.
 * `cachedTokens` of the prompt are read from the provider's cache; nothing is thought to be written to it.
 */
export function expectedCostNanoUsd(o: { price: Price | null; promptTokens: number; cachedTokens: number; outputTokens: number }): number | null {
  if (o.price === null) return null;
  const { longContext } = o.price;
  const rates = longContext !== null && o.promptTokens > longContext.abovePromptTokens ? longContext : o.price;
  const cached = Math.min(o.cachedTokens, o.promptTokens);
  return ((o.promptTokens - cached) * rates.input + cached * rates.cachedInput + o.outputTokens * rates.output) / 1e6;
}

/**
 * What an operation's attempts are known to have cost together, integer nano-USD: what budgets count. Shadows are nobody's
 * spending, and what is unknown (no usage, no price) counts 0.
 */
export function knownCostNanoUsd(attempts: readonly Pick<AttemptRecord, 'usage' | 'price' | 'shadow'>[]): bigint {
  return attempts.reduce((total, { usage, price, shadow }) => total + (shadow || usage === null ? 0n : (costNanoUsd(usage, price) ?? 0n)), 0n);
}

/** A count that is no whole number of tokens is a defect upstream; money must not depend on it. */
const tokens = (count: number): bigint => BigInt(Math.max(0, Math.round(count)) || 0);
const rate = (nanoUsdPerMillion: number): bigint => BigInt(Math.round(nanoUsdPerMillion));
const least = (a: bigint, b: bigint): bigint => (a < b ? a : b);
const rounded = (numerator: bigint, denominator: bigint): bigint => (2n * numerator + denominator) / (2n * denominator);
