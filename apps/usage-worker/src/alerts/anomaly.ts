/**
 * Whether a key uses more than is usual for it at this hour. Robust: medians and median absolute deviations, so that the spikes of the past neither raise
 * what is usual nor widen it (P. J. Rousseeuw and C. Croux, Alternatives to the Median Absolute Deviation, JASA 88, 1993, for the factor 1.4826).
 */

/** What a key used in whole UTC hours, counted from 1970. Ascending; hours without use are absent. */
export interface UsageHistory {
  hours: readonly number[];
  amounts: readonly number[];
}

/** What is usual in one hour. */
export interface Usual {
  amount: number;
  /** Standard deviation of the natural logarithm of amounts, robustly estimated: use varies by factors, not by amounts. */
  spread: number;
  /** Which hours say so. `active_hours`: all in which there was any use, of a key that has none at most times or is young. */
  by: 'hour_of_week' | 'hour_of_day' | 'active_hours';
}

/** What is more than usual. */
export interface Sensitivity {
  /** So many times the usual. */
  ratio: number;
  /** And so many standard deviations (of the logarithm) above it. */
  deviations: number;
  /** And so much more, in the unit of the amounts: a doubling of nearly nothing is no spike. */
  least: number;
}

/** Of the alert metrics, beside the ratio, which is the condition's `above`. `least`: tokens, and nano-USD. Tuned on generated weeks: see bench/alerts-anomaly.ts. */
export const SPIKES = { token_spike: { deviations: 5, least: 100_000 }, cost_spike: { deviations: 5, least: 1_000_000_000 } } as const;

const HOURS_A_DAY = 24;
const HOURS_A_WEEK = 168;
const WEEKS = 8;
export const HISTORY_HOURS = WEEKS * HOURS_A_WEEK;

/** Tuned on generated weeks: see bench/alerts-anomaly.ts. */
export const TUNING = {
  /** A younger key is silent. */
  coldHours: 72,
  /** Hours beside an hour of the week that may stand for it: clocks are changed twice a year, and people are not punctual. */
  besides: 1,
  /** Hours to both sides that say how much use varies: eight weeks are few. */
  around: 2,
  leastWeeks: 3,
  days: 28,
  leastDays: 7,
  leastActiveHours: 12,
  /** Of the active hours, where these have to do: it must be more than nearly all there was. */
  activeQuantile: 0.95,
  /** Hours with less than this share of the usual are taken for this much, when the spread is estimated: how little use there is by chance says nothing about how much there may be. */
  leastPart: 0.05,
  /** A machine that repeats itself exactly is no reason to be alarmed by a little more. */
  leastSpread: 0.15,
  growth: [0.5, 3],
} as const;

/** Normal distributions have a standard deviation of so many median absolute deviations. */
const MAD_TO_DEVIATION = 1.4826;

/** What is usual for a key in an hour (counted from 1970), by the eight weeks before; null where too little is known. */
export function usualAt(history: UsageHistory, hour: number): Usual | null {
  const past = pastOf(history, hour);
  const { first, amountAt } = past;
  if (hour - first < TUNING.coldHours) return null;
  // The hour before may be a part of what is judged.
  const sample = (hours: number[]): number[] => hours.filter((at) => at >= first && at < hour - 1).map(amountAt);
  const usual = byHoursOfWeek(sample, hour) ?? byHourOfDay(sample, hour);
  if (usual !== null) return grown(usual, past, hour);
  const active = sample(Array.from({ length: HISTORY_HOURS }, (_, i) => hour - HISTORY_HOURS + i)).filter((amount) => amount > 0);
  if (active.length < TUNING.leastActiveHours) return null;
  return { amount: quantile(active, TUNING.activeQuantile), spread: TUNING.leastSpread, by: 'active_hours' };
}

type Sample = (hours: number[]) => number[];

/** The busiest of this hour of the week and those beside it, with the spread of all around it; null for a key that is too young or mostly silent then. */
function byHoursOfWeek(sample: Sample, hour: number): Usual | null {
  const samples = Array.from({ length: 2 * TUNING.around + 1 }, (_, i) => i - TUNING.around).map((offset) => {
    const amounts = sample(Array.from({ length: WEEKS }, (_, week) => hour - (week + 1) * HOURS_A_WEEK + offset));
    return { offset, amounts, middle: quantile(amounts, 0.5) };
  });
  if ((samples[TUNING.around]?.amounts.length ?? 0) < TUNING.leastWeeks) return null;
  const amount = Math.max(...samples.filter(({ offset }) => Math.abs(offset) <= TUNING.besides).map(({ middle }) => middle));
  return amount > 0 ? { amount, spread: spreadOf(samples), by: 'hour_of_week' } : null;
}

function byHourOfDay(sample: Sample, hour: number): Usual | null {
  const amounts = sample(Array.from({ length: TUNING.days }, (_, day) => hour - (day + 1) * HOURS_A_DAY));
  const middle = quantile(amounts, 0.5);
  return amounts.length >= TUNING.leastDays && middle > 0 ? { amount: middle, spread: spreadOf([{ amounts, middle }]), by: 'hour_of_day' } : null;
}

interface Past {
  /** The first hour with any use; Infinity where there is none. */
  first: number;
  amountAt: (hour: number) => number;
}

function pastOf({ hours, amounts }: UsageHistory, hour: number): Past {
  const from = hour - HISTORY_HOURS;
  const dense = new Float64Array(HISTORY_HOURS);
  let first = Infinity;
  for (const [i, at] of hours.entries()) {
    if (at < from || at >= hour) continue;
    first = Math.min(first, at);
    dense[at - from] = amounts[i] ?? 0;
  }
  return { first, amountAt: (at) => dense[at - from] ?? 0 };
}

/** What is usual in a stretch that lies in several hours: `parts` are shares of whole hours. null where one of them is not known. */
export function usualOver(parts: readonly { usual: Usual | null; share: number }[]): Usual | null {
  const known = parts.flatMap(({ usual, share }) => (usual === null ? [] : [{ usual, share }]));
  const [first] = known;
  if (first === undefined || known.length < parts.length) return null;
  const sum = (of: (usual: Usual) => number): number => known.reduce((total, { usual, share }) => total + share * of(usual), 0);
  return { amount: sum(({ amount }) => amount), spread: Math.max(...known.map(({ usual }) => usual.spread)), by: known.find(({ usual }) => usual.by === 'active_hours')?.usual.by ?? first.usual.by };
}

/** How many times the usual an amount is, and how many times it may be. */
export function compared(amount: number, usual: Usual, { ratio, deviations, least }: Sensitivity): { value: number; threshold: number } {
  const most = Math.max(ratio * usual.amount, usual.amount * Math.exp(deviations * usual.spread), usual.amount + least);
  // What was never used before has no ratio: any use is measured by what is let pass.
  const unit = usual.amount > 0 ? usual.amount : Math.max(most / ratio, Number.MIN_VALUE);
  return { value: amount / unit, threshold: most / unit };
}

/** Of the logarithm of amounts, each against the middle of its own sample. */
function spreadOf(samples: readonly { amounts: readonly number[]; middle: number }[]): number {
  const distances = samples.flatMap(({ amounts, middle }) => (middle > 0 ? amounts.map((amount) => Math.abs(Math.log(Math.max(amount / middle, TUNING.leastPart)))) : []));
  return Math.max(MAD_TO_DEVIATION * quantile(distances, 0.5), TUNING.leastSpread);
}

/** The median of eight weeks lags behind a key that grows: by how much the last seven days have more than the sample's days. */
function grown(usual: Usual, { first, amountAt }: Past, hour: number): Usual {
  // Whole weeks: each weekday counts as often as every other.
  const days = 7 * Math.min(WEEKS, Math.floor((hour - 1 - first) / HOURS_A_WEEK));
  const totals = Array.from({ length: days }, (_, day) => {
    let total = 0;
    for (let i = 1; i <= HOURS_A_DAY; i += 1) total += amountAt(hour - 1 - day * HOURS_A_DAY - i);
    return total;
  });
  const all = quantile(totals, 0.5);
  if (days < 2 * 7 || all <= 0) return usual;
  const [least, most] = TUNING.growth;
  const factor = Math.min(most, Math.max(least, quantile(totals.slice(0, 7), 0.5) / all));
  return { ...usual, amount: usual.amount * factor };
}

/** Interpolated; of an empty sample 0. */
function quantile(sample: readonly number[], share: number): number {
  const sorted = Float64Array.from(sample).toSorted();
  const at = (sorted.length - 1) * share;
  const below = sorted[Math.floor(at)] ?? 0;
  const above = sorted[Math.ceil(at)] ?? below;
  return below + (above - below) * (at - Math.floor(at));
}
