import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { periodAt } from './budget-period.ts';

const QUARTER_MS = 900_000;
/** Zones whose clocks, or whose people, did something unusual. */
const ODD = ['Africa/Cairo', 'America/Sao_Paulo', 'America/Santiago', 'America/St_Johns', 'America/Havana', 'Antarctica/Troll', 'Asia/Beirut', 'Asia/Gaza', 'Asia/Kathmandu', 'Asia/Tehran', 'Australia/Lord_Howe', 'Pacific/Apia', 'Pacific/Chatham', 'Pacific/Kiritimati', 'Pacific/Kwajalein'];
const zone = fc.oneof(fc.constantFrom(...ODD), fc.constantFrom(...Intl.supportedValuesOf('timeZone'), 'UTC'));
const kind = fc.constantFrom('day', 'week', 'month' as const);
const moment = fc.integer({ min: Date.UTC(1990, 0, 1), max: Date.UTC(2037, 11, 31) });
const calendar = { zone, kind: kind as fc.Arbitrary<'day' | 'week' | 'month'>, moment };

const at = (text: string): number => Date.parse(text);
const day = (zoneName: string, text: string): [string, string] => {
  const { fromMs, toMs } = periodAt('day', zoneName, at(text));
  return [new Date(fromMs).toISOString(), new Date(toMs!).toISOString()];
};
/** What a wall clock there shows, for comparison: made in another way than the period is. */
const wall = (zoneName: string, ms: number): { date: string; weekday: string } => ({
  date: new Intl.DateTimeFormat('sv-SE', { timeZone: zoneName }).format(ms),
  weekday: new Intl.DateTimeFormat('en-GB', { timeZone: zoneName, weekday: 'short' }).format(ms),
});

describe('the periods of budgets', () => {
  test('contain the moment, and each ends where the next one begins, in every time zone', () => {
    fc.assert(fc.property(calendar.kind, calendar.zone, calendar.moment, (period, zoneName, ms) => {
      const now = periodAt(period, zoneName, ms);
      expect(now.fromMs <= ms && ms < now.toMs!).toBe(true);
      expect(periodAt(period, zoneName, now.toMs!).fromMs).toBe(now.toMs);
      expect(periodAt(period, zoneName, now.fromMs - 1).toMs).toBe(now.fromMs);
      expect([periodAt(period, zoneName, now.fromMs), periodAt(period, zoneName, now.toMs! - 1)]).toEqual([now, now]);
    }), { numRuns: 300 });
  });

  test('begin and end at quarters of an hour, because the ledger adds up nothing finer', () => {
    fc.assert(fc.property(calendar.kind, calendar.zone, calendar.moment, (period, zoneName, ms) => {
      const { fromMs, toMs } = periodAt(period, zoneName, ms);
      expect([fromMs % QUARTER_MS, toMs! % QUARTER_MS]).toEqual([0, 0]);
    }), { numRuns: 300 });
  });

  test('are what a wall calendar says: one date a day, weeks from Monday to Sunday, months from the first to the last', () => {
    fc.assert(fc.property(calendar.zone, calendar.moment, (zoneName, ms) => {
      const { fromMs, toMs } = periodAt('day', zoneName, ms);
      expect(wall(zoneName, fromMs).date).toBe(wall(zoneName, toMs! - 1).date);
      expect(wall(zoneName, toMs!).date > wall(zoneName, fromMs).date).toBe(true);
      const week = periodAt('week', zoneName, ms);
      expect([wall(zoneName, week.fromMs).weekday, wall(zoneName, week.toMs! - 1).weekday]).toEqual(['Mon', 'Sun']);
      const month = periodAt('month', zoneName, ms);
      expect(wall(zoneName, month.fromMs).date.slice(8)).toBe('01');
      expect(wall(zoneName, month.fromMs).date.slice(0, 7)).toBe(wall(zoneName, month.toMs! - 1).date.slice(0, 7));
    }), { numRuns: 300 });
  });

  test('a day has 23 or 25 hours when the clocks change', () => {
    expect(day('Europe/Zurich', '2026-03-29T12:00:00Z')).toEqual(['2026-03-28T23:00:00.000Z', '2026-03-29T22:00:00.000Z']);
    expect(day('Europe/Zurich', '2026-10-25T12:00:00Z')).toEqual(['2026-10-24T22:00:00.000Z', '2026-10-25T23:00:00.000Z']);
  });

  test('a day without midnight begins when its first hour does', () => {
    expect(day('Africa/Cairo', '2024-04-26T12:00:00Z')).toEqual(['2024-04-25T22:00:00.000Z', '2024-04-26T21:00:00.000Z']);
    expect(day('America/Sao_Paulo', '2018-11-04T12:00:00Z')).toEqual(['2018-11-04T03:00:00.000Z', '2018-11-05T02:00:00.000Z']);
  });

  test('a day that a zone left out is no period: the one after it follows the one before', () => {
    expect(day('Pacific/Apia', '2011-12-30T09:59:00Z')).toEqual(['2011-12-29T10:00:00.000Z', '2011-12-30T10:00:00.000Z']);
    expect(day('Pacific/Apia', '2011-12-30T10:00:00Z')).toEqual(['2011-12-30T10:00:00.000Z', '2011-12-31T10:00:00.000Z']);
  });

  test('a day that is over does not come back where clocks are set back over midnight', () => {
    // 00:01 became 23:01 of the day before.
    const later = periodAt('day', 'America/St_Johns', at('2010-11-07T02:45:00Z'));
    expect(later.fromMs).toBe(at('2010-11-07T02:30:00Z'));
    expect(wall('America/St_Johns', at('2010-11-07T02:45:00Z')).date).toBe('2010-11-06');
  });

  test('a month and a week in their zone', () => {
    expect(periodAt('month', 'America/New_York', at('2026-03-15T00:00:00Z'))).toEqual({ fromMs: at('2026-03-01T05:00:00Z'), toMs: at('2026-04-01T04:00:00Z') });
    expect(periodAt('week', 'UTC', at('2026-01-01T00:00:00Z'))).toEqual({ fromMs: at('2025-12-29T00:00:00Z'), toMs: at('2026-01-05T00:00:00Z') });
    expect(periodAt('month', 'UTC', at('2025-12-31T23:59:59Z'))).toEqual({ fromMs: at('2025-12-01T00:00:00Z'), toMs: at('2026-01-01T00:00:00Z') });
  });

  test('a total has no end, and the same beginning for everybody', () => {
    fc.assert(fc.property(zone, moment, (zoneName, ms) => {
      expect(periodAt('total', zoneName, ms)).toEqual({ fromMs: 0, toMs: null });
    }));
  });

  test('what is remembered of a zone does not change what is said of another moment', () => {
    const [first, other] = [at('2026-06-15T12:00:00Z'), at('2020-01-15T12:00:00Z')];
    const alone = periodAt('month', 'Asia/Tokyo', first);
    periodAt('month', 'Asia/Tokyo', other);
    expect(periodAt('month', 'Asia/Tokyo', first)).toEqual(alone);
  });

  test('a name that is no time zone is refused', () => {
    expect(() => periodAt('day', 'Mars/Olympus', 0)).toThrow(RangeError);
  });
});
