import type { Price, Usage } from '@deja/contracts';
import { ratesFor } from './cost-parts.ts';

const MILLION = 1_000_000;
/** Below it, whole numbers and their sums are exact, and so is a quotient's whole part by a million. */
const EXACT_BELOW = 2 ** 52;

/**
 * The cost of what nearly every request uses: tokens of text. Integer nano-USD, the same as the exact sum of parts; null where
 * something else was used, or where the figures are too large for plain numbers: then that sum is to be asked.
 */
export function plainCostNanoUsd(usage: Usage, price: Price): number | null {
  if (price.tokenless || isSpecial(usage)) return null;
  const prompt = whole(usage.promptTokens);
  const completion = whole(usage.completionTokens);
  const cached = Math.min(whole(usage.cachedTokens), prompt);
  const written = Math.min(whole(usage.cacheWriteTokens), prompt - cached);
  const rates = ratesFor(usage.promptTokens, price);
  if (written > 0 && rates !== price) return null;
  const reasoning = price.reasoning === undefined ? 0 : Math.min(whole(usage.reasoningTokens), completion);
  const millionths =
    (prompt - cached - written) * Math.round(rates.input) +
    cached * Math.round(rates.cachedInput) +
    written * Math.round(price.cacheWrite) +
    (completion - reasoning) * Math.round(rates.output) +
    reasoning * Math.round(price.reasoning ?? 0) +
    Math.round(price.perRequest ?? 0) * MILLION;
  if (!(millionths >= 0 && millionths < EXACT_BELOW)) return null;
  const rest = millionths % MILLION;
  return (millionths - rest) / MILLION + (rest * 2 >= MILLION ? 1 : 0);
}

/** Whether it has sounds, pictures, characters, or was served in another way than usual. */
function isSpecial({ images, audioSeconds, characters, audioInputTokens, imageInputTokens, audioOutputTokens, imageOutputTokens, serviceTier }: Usage): boolean {
  return Boolean(images) || Boolean(audioSeconds) || Boolean(characters) || Boolean(audioInputTokens) || Boolean(imageInputTokens) || Boolean(audioOutputTokens) || Boolean(imageOutputTokens) || serviceTier !== undefined;
}

const whole = (value: number): number => Math.max(0, Math.round(value)) || 0;
