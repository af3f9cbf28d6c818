/** How long the times are whose sums are kept. A quarter is of an hour: the offsets of all time zones are multiples of it. Days are UTC's. */
export const GRAINS = ['minutes', 'quarters', 'days'] as const;
export type Grain = (typeof GRAINS)[number];

const GRAIN_MS: Record<Grain, number> = { minutes: 60_000, quarters: 15 * 60_000, days: 24 * 60 * 60_000 };

/** When the minute, quarter or day begins in which a moment lies. Unix ms. */
export const beginningOf = (grain: Grain, ms: number): number => Math.floor(ms / GRAIN_MS[grain]) * GRAIN_MS[grain];

/** The beginning of the first UTC day of which sums by minute are kept for so many days. Unix ms. */
export const minutesKeptFrom = (nowMs: number, retentionDays: number): number => beginningOf('days', nowMs - retentionDays * GRAIN_MS.days);

/** The partition of sums that a moment falls into; null for days, which are one table. */
export function partitionOf(grain: Grain, ms: number): string | null {
  if (grain === 'days') return null;
  const day = new Date(ms).toISOString().slice(0, 10).replaceAll('-', '');
  return grain === 'minutes' ? `rollup_minutes_${day}` : `rollup_quarters_${day.slice(0, 6)}`;
}
