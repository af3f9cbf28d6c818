import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { breakerAfter, countsOf, EMPTY_WINDOW, type Breaker, type BreakerRules, type JudgedCall } from './breaker.ts';

const NOW = 1_000_000_000;
const RULES: BreakerRules = { window_s: 10, min_failures: 5, error_rate: 0.5, pause_ms: [5000, 60_000] };
const CLOSED: Breaker = { health: null, window: EMPTY_WINDOW };

const plain = (): number => 0.5;

/** A call that takes 10 ms unless it says. */
const call = (failed: boolean, endedMs: number, tookMs = 10): JudgedCall => ({ failed, endedMs, beganMs: endedMs - tookMs });
const after = (calls: JudgedCall[], start: Breaker = CLOSED, rules: BreakerRules = RULES): Breaker => calls.reduce((breaker, one) => breakerAfter(breaker, one, rules, plain), start);
const failures = (n: number, fromMs = NOW): JudgedCall[] => Array.from({ length: n }, (_, i) => call(true, fromMs + i));

/** Calls at a steady rate, of which this share fails, evenly spread. */
function steady(share: number, calls: number, perSecond = 50): JudgedCall[] {
  return Array.from({ length: calls }, (_, i) => call(Math.floor((i + 1) * share) > Math.floor(i * share), NOW + Math.round((i * 1000) / perSecond)));
}

describe('a breaker', () => {
  test('opens at several failures in a row, and not before', () => {
    expect(after(failures(4)).health).toBeNull();
    expect(after([...failures(4), call(false, NOW + 60_000), ...failures(4, NOW + 120_000)]).health).toBeNull();
    expect(after(failures(5)).health).toEqual({ trouble: 'failing', failures: 1, failedAtMs: NOW + 4, untilMs: NOW + 4 + 5000 });
  });

  test('opens at failures in a row however long they take, as few calls are all that a quiet deployment gets', () => {
    expect(after(Array.from({ length: 5 }, (_, i) => call(true, NOW + i * 3_600_000))).health).not.toBeNull();
  });

  test('stays closed at 10 % of failures and opens at 60 %, also where long answers overlap them', () => {
    for (const tookMs of [10, 20_000]) {
      const overlapping = (share: number): JudgedCall[] => steady(share, 3000).map((one) => call(one.failed, one.endedMs, one.failed ? 10 : tookMs));
      expect(after(overlapping(0.1)).health).toBeNull();
      expect(after(overlapping(0.4)).health).toBeNull();
      expect(after(overlapping(0.6)).health?.trouble).toBe('failing');
    }
  });

  test('sees no further back than its window', () => {
    const mixed = (fromMs: number): JudgedCall[] => [true, false, true, false].map((failed, i) => call(failed, fromMs + i));
    expect(after([...mixed(NOW), ...mixed(NOW + 2000), ...mixed(NOW + 4000)]).health).not.toBeNull();
    expect(after([...mixed(NOW), ...mixed(NOW + 10_000), ...mixed(NOW + 20_000)]).health).toBeNull();
  });
});

describe('an open breaker', () => {
  const open = after(failures(5));
  const untilMs = open.health!.untilMs;

  test('is not moved by what began before its pause was over, well or badly', () => {
    const late = [call(true, untilMs + 20_000, 30_000), call(false, untilMs + 20_000, 30_000), call(false, untilMs - 1), call(true, untilMs - 1)];
    expect(after(late, open).health).toEqual(open.health);
  });

  test('closes at the first success of a call that began after, and starts from nothing', () => {
    const closed = after([call(false, untilMs + 50)], open);
    expect(closed.health).toBeNull();
    expect(countsOf(closed.window, 0)).toEqual({ calls: 1, failures: 0 });
    expect(after(failures(4, untilMs + 100), closed).health).toBeNull();
  });

  test('that has closed does not count what was under way while it was open', () => {
    const closed = after([call(false, untilMs + 50)], open);
    expect(after(Array.from({ length: 50 }, (_, i) => call(true, untilMs + 20_000 + i, 30_000)), closed)).toEqual(closed);
  });

  test('doubles its pause with each failed try, up to the longest', () => {
    let breaker = open;
    const pauses: number[] = [];
    for (let i = 0; i < 6; i++) {
      const endedMs = breaker.health!.untilMs + 100;
      breaker = after([call(true, endedMs), call(true, endedMs)], breaker); // two tries together are one
      pauses.push(breaker.health!.untilMs - endedMs);
    }
    expect(pauses).toEqual([10_000, 20_000, 40_000, 60_000, 60_000, 60_000]);
  });
});

describe('whatever the outcomes', () => {
  const rules = fc.record({
    window_s: fc.integer({ min: 1, max: 20 }), min_failures: fc.integer({ min: 1, max: 10 }), error_rate: fc.double({ min: 0.01, max: 1, noNaN: true }),
    pause_ms: fc.tuple(fc.integer({ min: 1, max: 5000 }), fc.integer({ min: 5000, max: 60_000 })),
  });
  const calls = fc.array(fc.record({ failed: fc.boolean(), endedMs: fc.integer({ min: NOW, max: NOW + 60_000 }), tookMs: fc.nat(20_000) }), { maxLength: 80 })
    .map((list) => list.map(({ failed, endedMs, tookMs }) => call(failed, endedMs, tookMs)));

  test('it never opens below the least number of failures, and never for longer than the longest pause', () => {
    fc.assert(fc.property(rules, calls, fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), (given, list, random) => {
      let breaker = CLOSED;
      let failed = 0;
      for (const one of list) {
        breaker = breakerAfter(breaker, one, given, () => random);
        failed += one.failed ? 1 : 0;
        expect(breaker.health !== null && failed < given.min_failures).toBe(false);
        expect((breaker.health?.untilMs ?? 0) - (breaker.health?.failedAtMs ?? 0)).toBeLessThanOrEqual(given.pause_ms[1]);
      }
    }));
  });

  test('it counts exactly the calls of its window, in whichever order they are heard of', () => {
    // Never open: all calls count.
    const never = { ...RULES, min_failures: 1000 };
    const shuffled = calls.chain((list) => fc.tuple(fc.constant(list), fc.shuffledSubarray(list, { minLength: list.length })));
    fc.assert(fc.property(shuffled, ([list, otherwise]) => {
      const newest = Math.floor(Math.max(0, ...list.map(({ endedMs }) => endedMs)) / 1000);
      const within = list.filter(({ endedMs }) => Math.floor(endedMs / 1000) > newest - never.window_s);
      for (const order of [list, otherwise]) {
        expect(countsOf(after(order, CLOSED, never).window, 0)).toEqual({ calls: within.length, failures: within.filter(({ failed }) => failed).length });
      }
      expect(after(otherwise, CLOSED, never).window.seconds).toEqual(after(list, CLOSED, never).window.seconds);
    }));
  });
});
