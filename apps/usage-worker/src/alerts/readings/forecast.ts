import type { Budget } from '@deja/contracts';
import type { Span } from './budget-spending.ts';
import type { Spender } from './budgets-in-force.ts';

const DAY_MS = 86_400_000;
const QUARTER_MS = 900_000;
/** What a budget's days are compared with: the same weekdays, a whole number of weeks before. */
const BACK_MS = { day: 7 * DAY_MS, week: 7 * DAY_MS, month: 28 * DAY_MS } as const;
/** Before this share of a period is over, nothing is said of its end. */
const LEAST_SHARE = 0.1;
/** A few requests more or less than then must not count for a hundredfold rest. */
const MOST_GROWTH = 3;

/** What a forecast compares with, a number of weeks ago: from the beginning until the moment that is then what now is, and until the end. */
export interface Comparison {
  elapsed: Span;
  whole: Span;
}

/** The stretches that are looked at for a forecast; null where there is no end to forecast, or it is too early. Ends are whole quarters. */
export function comparisonOf(spender: Spender, period: Budget['period'], nowMs: number): Comparison | null {
  const { fromMs, toMs } = spender;
  if (period === 'total' || toMs === null || (nowMs - fromMs) / (toMs - fromMs) < LEAST_SHARE) return null;
  const backMs = BACK_MS[period];
  const thenMs = Math.floor((nowMs - backMs) / QUARTER_MS) * QUARTER_MS;
  return {
    elapsed: { ...spender, fromMs: fromMs - backMs, toMs: thenMs, isGrowing: true },
    whole: { ...spender, fromMs: fromMs - backMs, toMs: Math.max(thenMs, toMs - backMs) },
  };
}

/**
 * What will have been spent when the period ends, nano-USD: what is spent, and for the rest what was spent in the same hours of the same weekdays a week
 * (of a month: four weeks) ago, times how much more (at most three times, at least a third) has been spent so far than then. Where nothing was spent then,
 * it goes on as evenly as it went so far. `elapsedShare`: of the period, in (0, 1].
 */
export function forecast({ spent, elapsedShare, before }: { spent: bigint; elapsedShare: number; before: { elapsed: bigint; whole: bigint } }): bigint {
  if (before.elapsed <= 0n) return spent + rounded(Number(spent) * (1 / elapsedShare - 1));
  const growth = Math.min(MOST_GROWTH, Math.max(1 / MOST_GROWTH, Number(spent) / Number(before.elapsed)));
  return spent + rounded(Number(before.whole > before.elapsed ? before.whole - before.elapsed : 0n) * growth);
}

const rounded = (value: number): bigint => BigInt(Math.round(value));
