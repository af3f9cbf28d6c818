import type { AttemptRecord, Price, Usage } from '@deja/contracts';
import { partsOf, ratesFor, type CostKind, type CostPart } from './cost-parts.ts';
import { plainCostNanoUsd } from './plain-cost.ts';

/**
 * What `usage` costs at `price`, integer nano-USD; null when the price is unknown, or has no rate for something that was used. Exact, and
 * rounded once, at the end, half up. Tokens read from and written to a provider's cache are part of the prompt and have their own rates; so have
 * sounds and pictures. A long prompt moves the whole request to the rates of its length, as providers bill it.
 */
export function costNanoUsd(usage: Usage, price: Price | null): bigint | null {
  if (price === null) return null; // an unknown price is not a free one
  const plain = plainCostNanoUsd(usage, price);
  return plain === null ? partsCostNanoUsd(usage, price) : BigInt(plain);
}

/** The same by way of all its parts, whatever was used. */
export function partsCostNanoUsd(usage: Usage, price: Price): bigint | null {
  const { parts, missing, multiplier } = partsOf(usage, price);
  if (missing.length > 0) return null;
  let [top, bottom] = [0n, 1n];
  for (const part of parts) {
    if (part.per === bottom) top += part.quantity * part.rate;
    else [top, bottom] = [top * part.per + part.quantity * part.rate * bottom, bottom * part.per];
  }
  return rounded(top * multiplier.top, bottom * multiplier.bottom);
}

/** One line of a bill. `costNanoUsd` is rounded by itself: of several lines, the sum may be off by half a nano-dollar each. */
export interface CostLine {
  kind: CostKind;
  /** Tokens, characters, pictures, requests, or milliseconds of sound. */
  quantity: bigint;
  costNanoUsd: bigint;
}

export interface CostExplained {
  /** Name of the price; null when it is unknown. */
  version: string | null;
  costNanoUsd: bigint | null;
  /** Of everything that has a rate. */
  lines: CostLine[];
  /** What was used and has no rate: why the cost is unknown. */
  missing: CostKind[];
}

/** How `costNanoUsd` comes about, for people who ask. */
export function explainCost(usage: Usage, price: Price | null): CostExplained {
  if (price === null) return { version: null, costNanoUsd: null, lines: [], missing: [] };
  const { parts, missing, multiplier } = partsOf(usage, price);
  const costOf = ({ quantity, rate, per }: CostPart): bigint => rounded(quantity * rate * multiplier.top, per * multiplier.bottom);
  return {
    version: price.version,
    costNanoUsd: costNanoUsd(usage, price),
    lines: parts.filter(({ quantity }) => quantity > 0n).map((part) => ({ kind: part.kind, quantity: part.quantity, costNanoUsd: costOf(part) })),
    missing,
  };
}

/**
 * What a request will probably cost, nano-USD, null when the price is unknown: to compare deployments by, so in plain arithmetic and not rounded.
 * `cachedTokens` of the prompt are read from the provider's cache; nothing is thought to be written to it.
 */
export function expectedCostNanoUsd(o: { price: Price | null; promptTokens: number; cachedTokens: number; outputTokens: number }): number | null {
  if (o.price === null || (o.price.tokenless && o.promptTokens + o.outputTokens > 0)) return null;
  const rates = ratesFor(o.promptTokens, o.price);
  const cached = Math.min(o.cachedTokens, o.promptTokens);
  return ((o.promptTokens - cached) * rates.input + cached * rates.cachedInput + o.outputTokens * rates.output) / 1e6 + (o.price.perRequest ?? 0);
}

/**
 * What an operation's attempts are known to have cost together, integer nano-USD: what budgets count. Shadows are nobody's
 * spending, and what is unknown (no usage, no price) counts 0.
 */
export function knownCostNanoUsd(attempts: readonly Pick<AttemptRecord, 'usage' | 'price' | 'shadow'>[]): bigint {
  return attempts.reduce((total, { usage, price, shadow }) => total + (shadow || usage === null ? 0n : (costNanoUsd(usage, price) ?? 0n)), 0n);
}

const rounded = (numerator: bigint, denominator: bigint): bigint => (2n * numerator + denominator) / (2n * denominator);
