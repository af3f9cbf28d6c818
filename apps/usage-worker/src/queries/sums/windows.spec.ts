import fc from 'fast-check';
import type { TimeSpan } from '../question.ts';
import { DAY_MS, dayParts, MINUTE_MS, QUARTER_MS, windowsOf, type Grains } from './windows.ts';

const START = Date.UTC(2026, 2, 1);
const at = (text: string): number => Date.parse(`2026-03-${text}Z`);
const span = (from: string, to: string): TimeSpan => ({ fromMs: at(from), toMs: at(to) });
const all: Omit<Grains, 'splitDays'> = { brokenDays: [], quarters: true, minutesFromMs: 0 };

test('a time is taken apart into days, quarters, minutes and what is left', () => {
  expect(windowsOf(span('01T22:44:59.5', '05T01:16:00.001'), all)).toEqual({
    days: [span('02T00:00:00', '05T00:00:00')],
    quarters: [span('01T22:45:00', '02T00:00:00'), span('05T00:00:00', '05T01:15:00')],
    minutes: [span('05T01:15:00', '05T01:16:00')],
    rows: [span('01T22:44:59.5', '01T22:45:00'), span('05T01:16:00', '05T01:16:00.001')],
  });
});

test('a day that lies in two buckets is taken in quarters', () => {
  expect(windowsOf(span('01T00:00:00', '04T00:00:00'), { ...all, brokenDays: [at('02T00:00:00')] })).toEqual({
    days: [span('01T00:00:00', '02T00:00:00'), span('03T00:00:00', '04T00:00:00')], quarters: [span('02T00:00:00', '03T00:00:00')], minutes: [], rows: [],
  });
});

test('parts that touch are one', () => {
  const days = [at('01T00:00:00'), at('02T00:00:00'), at('03T00:00:00')];
  expect(windowsOf(span('01T00:00:00', '04T00:15:00'), { ...all, brokenDays: days })).toMatchObject({ days: [], quarters: [span('01T00:00:00', '04T00:15:00')] });
});

test('where sums of minutes are gone, rows are counted', () => {
  expect(windowsOf(span('01T00:01:00', '01T00:20:00'), { ...all, minutesFromMs: at('01T00:10:00') })).toEqual({
    days: [], quarters: [], minutes: [span('01T00:10:00', '01T00:20:00')], rows: [span('01T00:01:00', '01T00:10:00')],
  });
  expect(windowsOf(span('01T00:01:00', '01T00:16:00'), { ...all, minutesFromMs: null })).toMatchObject({ minutes: [], rows: [span('01T00:01:00', '01T00:16:00')] });
});

test('the parts are all of a time, none of it twice, and each begins and ends where its sums do', () => {
  const moment = fc.integer({ min: 0, max: 6 * DAY_MS }).map((ms) => START + ms);
  const grains = fc.record({
    brokenDays: fc.option(fc.uniqueArray(fc.integer({ min: 0, max: 6 }), { maxLength: 7 }).map((days) => days.toSorted((a, b) => a - b).map((day) => START + day * DAY_MS))),
    quarters: fc.boolean(),
    minutesFromMs: fc.option(moment),
  });
  fc.assert(fc.property(moment, moment, grains, (fromMs, toMs, given) => {
    const windows = windowsOf({ fromMs, toMs }, given);
    const parts = Object.values(windows).flat().toSorted((a, b) => a.fromMs - b.fromMs);
    let reachedMs = Math.min(fromMs, toMs);
    if (parts.length > 0) reachedMs = fromMs;
    for (const part of parts) {
      expect(part.fromMs).toBe(reachedMs);
      expect(part.toMs).toBeGreaterThan(part.fromMs);
      reachedMs = part.toMs;
    }
    expect(reachedMs).toBe(fromMs < toMs ? toMs : Math.min(fromMs, toMs));
    for (const [ms, some] of [[DAY_MS, windows.days], [QUARTER_MS, windows.quarters], [MINUTE_MS, windows.minutes]] as const) expect(some.filter((part) => part.fromMs % ms !== 0 || part.toMs % ms !== 0)).toEqual([]);
    expect(windows.minutes.filter((part) => given.minutesFromMs === null || part.fromMs < given.minutesFromMs)).toEqual([]);
    expect(windows.days.filter((part) => given.brokenDays?.some((day) => part.fromMs <= day && day < part.toMs))).toEqual([]);
  }));
});

test('a day that is split counts in the bucket of its larger part, and the quarters of the other part are named', () => {
  const days = [span('01T00:00:00', '04T00:00:00')];
  const splits = new Map([[at('02T00:00:00'), at('02T23:30:00')], [at('03T00:00:00'), at('03T00:15:00')]]);
  expect(dayParts(days, splits)).toEqual({
    beginning: { days: [span('01T00:00:00', '03T00:00:00')], others: [at('02T23:30:00'), at('02T23:45:00')] },
    end: { days: [span('03T00:00:00', '04T00:00:00')], others: [at('03T00:00:00')] },
  });
});
