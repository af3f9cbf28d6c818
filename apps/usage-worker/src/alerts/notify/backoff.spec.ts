import fc from 'fast-check';
import { pauseAfter, pauseOfTest } from './backoff.ts';

const DAY_MS = 24 * 3_600_000;

test('pauses grow from ten seconds to half an hour, spread by a quarter to either side', () => {
  const pauses = [1, 2, 3, 8, 9, 500].map((attempts) => pauseAfter(attempts, 0, 0, 0.5));
  expect(pauses).toEqual([10_000, 20_000, 40_000, 1_280_000, 1_800_000, 1_800_000]);
  fc.assert(fc.property(fc.integer({ min: 1, max: 1000 }), fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), (attempts, random) => {
    const pause = pauseAfter(attempts, 0, 0, random) ?? 0;
    const middle = pauseAfter(attempts, 0, 0, 0.5) ?? 0;
    expect(pause).toBeGreaterThanOrEqual(Math.floor(0.75 * middle));
    expect(pause).toBeLessThanOrEqual(Math.ceil(1.25 * middle));
  }));
});

test('after a day it is given up, and not before', () => {
  expect(pauseAfter(60, 0, DAY_MS - 1, 0.5)).toBe(1_800_000);
  expect(pauseAfter(60, 0, DAY_MS, 0.5)).toBeNull();
});

test('a test is not tried later than a minute after the first time', () => {
  fc.assert(fc.property(fc.integer({ min: 1, max: 10 }), fc.integer({ min: 0, max: 120_000 }), fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), (attempts, nowMs, random) => {
    const pause = pauseOfTest(attempts, 0, nowMs, random);
    expect(pause).toBe(nowMs + pauseAfter(attempts, 0, nowMs, random)! > 60_000 ? null : pauseAfter(attempts, 0, nowMs, random));
  }));
});
