import type { BudgetPeriod } from './snapshot.ts';

/** A stretch of time, Unix ms: `toMs` is exclusive, and null where there is no end. */
export interface Period {
  fromMs: number;
  toMs: number | null;
}

const DAY_MS = 86_400_000;
/** Zones' offsets are multiples of a quarter of an hour, and so are the ledger's sums. */
const QUARTER_MS = 900_000;
/** No zone is further from UTC, and none was ever within living memory. */
const FURTHEST_MS = 16 * 3_600_000;
const FOR_EVER: Period = { fromMs: 0, toMs: null };

/** The latest period asked for, by kind and zone: nearly every request falls into it. */
const latest = new Map<string, Period>();
/** Making one takes a thousand times as long as using it. */
const calendars = new Map<string, Intl.DateTimeFormat>();
/** Zones are those of budgets, and so few; an operator who writes them in all spellings must not fill the memory. */
const MOST_KEPT = 1000;

/**
 * The calendar day, week (from Monday) or month in this time zone (an IANA name) that `atMs` (Unix ms) falls into; `total` is
 * all of time. Periods of one kind and zone follow each other without gaps or overlaps, whatever the zone's clocks do: a day
 * begins at the first moment whose local date is that day's or a later one. Throws a RangeError for a zone that is none.
 */
export function periodAt(period: BudgetPeriod, timeZone: string, atMs: number): Period {
  if (period === 'total') return FOR_EVER;
  const name = `${period} ${timeZone}`;
  const known = latest.get(name);
  if (known !== undefined && known.fromMs <= atMs && atMs < (known.toMs ?? Infinity)) return known;
  const found = calendarPeriod(period, timeZone, atMs);
  if (latest.size >= MOST_KEPT) latest.clear();
  latest.set(name, found);
  return found;
}

function calendarPeriod(period: Exclude<BudgetPeriod, 'total'>, timeZone: string, atMs: number): Period {
  let first = firstDay(period, localDay(timeZone, atMs));
  let next = followingFirstDay(period, first);
  let toMs = beginningOf(timeZone, next);
  // Clocks that were set back over midnight show the day before once more. It is over all the same: a period is never resumed.
  for (; toMs <= atMs; toMs = beginningOf(timeZone, next)) [first, next] = [next, followingFirstDay(period, next)];
  return { fromMs: beginningOf(timeZone, first), toMs };
}

/** Days are counted from 1970-01-01, a Thursday. */
function firstDay(period: Exclude<BudgetPeriod, 'total'>, day: number): number {
  if (period === 'day') return day;
  if (period === 'week') return day - ((((day + 3) % 7) + 7) % 7);
  const date = new Date(day * DAY_MS);
  return Date.UTC(date.getUTCFullYear(), date.getUTCMonth(), 1) / DAY_MS;
}

function followingFirstDay(period: Exclude<BudgetPeriod, 'total'>, first: number): number {
  if (period !== 'month') return first + (period === 'day' ? 1 : 7);
  const date = new Date(first * DAY_MS);
  return Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 1) / DAY_MS;
}

/** The first quarter of an hour whose local date is this day or later: where a zone leaves out its midnight, or the whole day, what comes in its place. */
function beginningOf(timeZone: string, day: number): number {
  let atMs = day * DAY_MS - FURTHEST_MS;
  while (localDay(timeZone, atMs) < day) atMs += QUARTER_MS;
  return atMs;
}

/** The local date as a number of days. */
function localDay(timeZone: string, atMs: number): number {
  const date = { year: 0, month: 0, day: 0 };
  for (const { type, value } of calendarOf(timeZone).formatToParts(atMs)) if (type === 'year' || type === 'month' || type === 'day') date[type] = Number(value);
  return Date.UTC(date.year, date.month - 1, date.day) / DAY_MS;
}

function calendarOf(timeZone: string): Intl.DateTimeFormat {
  const known = calendars.get(timeZone);
  if (known !== undefined) return known;
  const calendar = new Intl.DateTimeFormat('en-US', { timeZone, calendar: 'gregory', numberingSystem: 'latn', year: 'numeric', month: 'numeric', day: 'numeric' });
  if (calendars.size >= MOST_KEPT) calendars.clear();
  calendars.set(timeZone, calendar);
  return calendar;
}
