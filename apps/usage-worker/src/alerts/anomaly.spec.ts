import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { compared, usualAt, usualOver, type UsageHistory, type Usual } from './anomaly.ts';

const HOUR = 500_000;
const WEEK = 168;
const SENSITIVITY = { ratio: 3, deviations: 5, least: 1000 };

/** Amounts by how many hours ago; what is 0 has no hour. */
function history(hoursBack: number, amount: (at: number) => number): UsageHistory {
  const all = Array.from({ length: hoursBack }, (_, i) => HOUR - hoursBack + i).map((at) => [at, amount(at)] as const).filter(([, value]) => value > 0);
  return { hours: all.map(([at]) => at), amounts: all.map(([, value]) => value) };
}
/** Busy from 8 to 18 on five days of seven. */
const office = (at: number): number => (Math.floor(at / 24) % 7 < 5 && at % 24 >= 8 && at % 24 < 18 ? 10_000 : 500);
const spikes = (amount: number, usual: Usual | null): boolean => {
  if (usual === null) return false;
  const { value, threshold } = compared(amount, usual, SENSITIVITY);
  return value > threshold;
};

describe('what is usual for a key', () => {
  test('is not known in its first three days', () => {
    expect(usualAt(history(71, () => 1000), HOUR)).toBeNull();
    expect(usualAt({ hours: [], amounts: [] }, HOUR)).toBeNull();
    expect(usualAt(history(72, () => 1000), HOUR)?.by).toBe('active_hours');
  });

  test('is by the hour of the week once it has some weeks, by the hour of the day before', () => {
    expect(usualAt(history(8 * WEEK, office), HOUR)?.by).toBe('hour_of_week');
    expect(usualAt(history(10 * 24, () => 1000), HOUR)?.by).toBe('hour_of_day');
  });

  test('of a key with office hours is much by day and little by night', () => {
    const night = HOUR - (HOUR % 24) - 24 + 3;
    const day = Array.from({ length: 7 }, (_, i) => HOUR - (HOUR % 24) - 24 * (i + 1) + 12).find((at) => office(at) === 10_000)!;
    const known = history(8 * WEEK, office);
    expect(usualAt(known, day)?.amount).toBeGreaterThan(9000);
    expect(usualAt(known, night)?.amount).toBeLessThan(600);
    expect(spikes(10_000, usualAt(known, night))).toBe(true);
    expect(spikes(10_000, usualAt(known, day))).toBe(false);
  });

  test('of a key that is mostly silent is by the hours in which it was not', () => {
    const now = usualAt(history(8 * WEEK, (at) => (at % 37 === 0 ? 50_000 : 0)), HOUR);
    expect(now).toMatchObject({ by: 'active_hours', amount: 50_000 });
    expect(spikes(100_000, now)).toBe(false);
    expect(spikes(200_000, now)).toBe(true);
    expect(usualAt(history(8 * WEEK, (at) => (at % 400 === 0 ? 50_000 : 0)), HOUR)).toBeNull();
  });

  test('is not moved by spikes in the past', () => {
    const plain = usualAt(history(8 * WEEK, () => 1000), HOUR)!;
    const spiky = usualAt(history(8 * WEEK, (at) => (at >= HOUR - 2 * WEEK && at < HOUR - 2 * WEEK + 30 ? 900_000 : 1000)), HOUR)!;
    expect(spiky.amount).toBe(plain.amount);
    expect(spikes(10_000, spiky)).toBe(true);
  });

  test('grows with the key', () => {
    const doubling = usualAt(history(8 * WEEK, (at) => 1000 * 2 ** ((at - HOUR) / (2 * WEEK))), HOUR)!;
    expect(doubling.amount).toBeGreaterThan(650);
    expect(spikes(1000, doubling)).toBe(false);
  });

  test('is the same in any unit', () => {
    fc.assert(fc.property(fc.array(fc.integer({ min: 1, max: 1000 }), { minLength: 400, maxLength: 600 }), fc.constantFrom(2, 1024), (amounts, unit) => {
      const of = (by: number): Usual | null => usualAt(history(amounts.length, (at) => (amounts[at - HOUR + amounts.length] ?? 0) * by), HOUR);
      const [one, other] = [of(1)!, of(unit)!];
      expect(other.amount / unit).toBeCloseTo(one.amount, 6);
      expect(other.spread).toBeCloseTo(one.spread, 6);
    }), { numRuns: 20 });
  });

  test('in a stretch that lies in two hours is of both, and not known where one is not', () => {
    const usual = (amount: number): Usual => ({ amount, spread: amount / 1000, by: 'hour_of_week' });
    expect(usualOver([{ usual: usual(100), share: 0.25 }, { usual: usual(300), share: 0.5 }])).toEqual({ amount: 175, spread: 0.3, by: 'hour_of_week' });
    expect(usualOver([{ usual: usual(100), share: 0.25 }, { usual: null, share: 0.5 }])).toBeNull();
    expect(usualOver([])).toBeNull();
  });
});

describe('a spike', () => {
  const usual = fc.record({ amount: fc.oneof(fc.constant(0), fc.double({ min: 1, max: 1e12, noNaN: true })), spread: fc.double({ min: 0, max: 20, noNaN: true }), by: fc.constant('hour_of_week' as const) });
  const amount = fc.double({ min: 0, max: 1e13, noNaN: true });

  test('is as many times the usual, as many deviations and as much more as it has to be', () => {
    const of = (value: number, spread: number, most: number) => spikes(most, { amount: value, spread, by: 'hour_of_week' });
    expect([of(1000, 0, 3000), of(1000, 0, 3001)]).toEqual([false, true]);
    expect([of(1000, Math.log(4) / 5, 3999), of(1000, Math.log(4) / 5, 4001)]).toEqual([false, true]);
    expect([of(10, 0, 1010), of(10, 0, 1011)]).toEqual([false, true]);
  });

  test('of more is one too, and its ratio is that of the amounts', () => {
    fc.assert(fc.property(usual, amount, amount, (of, one, more) => {
      expect(!spikes(one, of) || spikes(one + more, of)).toBe(true);
      const { value } = compared(one, of, SENSITIVITY);
      expect(of.amount === 0 || Math.abs(value * of.amount - one) <= 1e-9 * one + 1e-12).toBe(true);
    }));
  });

  test('is never of what is usual, or of too little', () => {
    fc.assert(fc.property(usual, fc.double({ min: 0, max: 1, noNaN: true }), (of, share) => {
      expect(spikes(of.amount, of)).toBe(false);
      expect(spikes(of.amount * share, of)).toBe(false);
      expect(spikes(SENSITIVITY.least * share, of)).toBe(false);
    }));
  });
});
