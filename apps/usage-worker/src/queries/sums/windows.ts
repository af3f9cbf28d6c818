import type { TimeSpan } from '../question.ts';

export const MINUTE_MS = 60_000;
export const QUARTER_MS = 15 * MINUTE_MS;
export const DAY_MS = 86_400_000;

/** Which sums there are for each part of a time, from the coarsest on; what is left is counted row by row. Parts do not overlap, and together are all of it. */
export interface Windows {
  days: TimeSpan[];
  quarters: TimeSpan[];
  minutes: TimeSpan[];
  rows: TimeSpan[];
}

/** What sums a question can be answered from. */
export interface Grains {
  /** UTC days that lie in two buckets, and where the second begins: such a day's sum is of both, and the sums of its smaller part tell them apart. */
  splitDays: ReadonlyMap<number, number>;
  /** UTC days (Unix ms of their beginnings, ascending) that lie in more of them; null: no day can be used. */
  brokenDays: readonly number[] | null;
  quarters: boolean;
  /** Since when there are sums of minutes, Unix ms; null: there are none, or not of this kind. */
  minutesFromMs: number | null;
}

interface Grain {
  name: 'days' | 'quarters' | 'minutes';
  ms: number;
  /** The first moment that has sums of it. */
  fromMs: number;
  /** Beginnings of units that cannot be used, ascending. */
  broken: readonly number[];
}

/** Days whose sums count in the bucket in which they begin, or end; and quarters of them that are in the other one. Unix ms. */
export interface DayParts {
  beginning: { days: TimeSpan[]; others: number[] };
  end: { days: TimeSpan[]; others: number[] };
}

/** In which bucket each of these days counts: that of its larger part, if it is split. */
export function dayParts(days: readonly TimeSpan[], splitDays: ReadonlyMap<number, number>): DayParts {
  const parts: DayParts = { beginning: { days: [], others: [] }, end: { days: [], others: [] } };
  const isLong = (cutMs: number, dayMs: number): boolean => cutMs - dayMs >= DAY_MS / 2;
  // A whole day may count with either: with the others, it makes no part of its own.
  const wholeAtBeginning = [...splitDays].filter(([dayMs, cutMs]) => isLong(cutMs, dayMs)).length * 2 >= splitDays.size;
  for (const span of days) {
    for (let dayMs = span.fromMs; dayMs < span.toMs; dayMs += DAY_MS) {
      const cutMs = splitDays.get(dayMs) ?? (wholeAtBeginning ? dayMs + DAY_MS : dayMs);
      const atBeginning = isLong(cutMs, dayMs);
      const { days: into, others } = atBeginning ? parts.beginning : parts.end;
      put({ fromMs: dayMs, toMs: dayMs + DAY_MS }, into);
      const [fromMs, toMs] = atBeginning ? [cutMs, dayMs + DAY_MS] : [dayMs, cutMs];
      for (let ms = fromMs; ms < toMs; ms += QUARTER_MS) others.push(ms);
    }
  }
  return parts;
}

/** Takes a time apart: as much of it as can be in days, what sticks out in quarters of an hour, what sticks out of those in minutes, the rest in rows. */
export function windowsOf(span: TimeSpan, { brokenDays, quarters, minutesFromMs }: Omit<Grains, 'splitDays'>): Windows {
  const grains: Grain[] = [
    ...(brokenDays === null ? [] : [{ name: 'days', ms: DAY_MS, fromMs: 0, broken: brokenDays } as const]),
    ...(quarters ? [{ name: 'quarters', ms: QUARTER_MS, fromMs: 0, broken: [] } as const] : []),
    ...(minutesFromMs === null ? [] : [{ name: 'minutes', ms: MINUTE_MS, fromMs: minutesFromMs, broken: [] } as const]),
  ];
  const windows: Windows = { days: [], quarters: [], minutes: [], rows: [] };
  takeApart(span, grains, windows);
  return windows;
}

function takeApart(span: TimeSpan, [grain, ...finer]: readonly Grain[], into: Windows): void {
  if (span.fromMs >= span.toMs) return;
  if (grain === undefined) return put(span, into.rows);
  const fromMs = Math.ceil(Math.max(span.fromMs, grain.fromMs) / grain.ms) * grain.ms;
  const toMs = Math.floor(span.toMs / grain.ms) * grain.ms;
  if (fromMs >= toMs) return takeApart(span, finer, into);
  takeApart({ fromMs: span.fromMs, toMs: fromMs }, finer, into);
  let atMs = fromMs;
  for (const brokenMs of grain.broken) {
    if (brokenMs < atMs || brokenMs >= toMs) continue;
    if (atMs < brokenMs) put({ fromMs: atMs, toMs: brokenMs }, into[grain.name]);
    takeApart({ fromMs: brokenMs, toMs: brokenMs + grain.ms }, finer, into);
    atMs = brokenMs + grain.ms;
  }
  if (atMs < toMs) put({ fromMs: atMs, toMs }, into[grain.name]);
  takeApart({ fromMs: toMs, toMs: span.toMs }, finer, into);
}

/** Parts come in the order of time; those that touch are one. */
function put(span: TimeSpan, into: TimeSpan[]): void {
  const last = into.at(-1);
  if (last?.toMs === span.fromMs) last.toMs = span.toMs;
  else into.push({ ...span });
}
