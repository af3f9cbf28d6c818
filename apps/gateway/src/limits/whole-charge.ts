import type { Charge } from './ask.ts';

/** Beyond this Lua's JSON loses digits. */
const MOST_TOKENS = 1e13;

/** A charge as the scripts can count it: whole, not negative, and nothing kept that was not charged. */
export function wholeCharge(charge: Charge): Charge {
  const tokens = wholeTokens(charge.tokens);
  const keptTokens = Math.min(tokens, wholeTokens(charge.keptTokens));
  return { operation: charge.operation, tokens, keptTokens, nanoUsd: notNegative(charge.nanoUsd), keptNanoUsd: notNegative(charge.keptNanoUsd) };
}

export const wholeTokens = (tokens: number): number => Math.min(MOST_TOKENS, Math.max(0, Math.ceil(tokens)));
export const notNegative = (nanoUsd: bigint): bigint => (nanoUsd < 0n ? 0n : nanoUsd);
