import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { LIMIT, LOOK_EVERY_MS, LOOKS, SHRINK } from './bounds.ts';
import { nextLimit, type Look } from './concurrency-limit.ts';
import { Lateness } from './lateness.ts';

const BOUND_MS = 50;
const limit = fc.integer({ min: LIMIT.least, max: LIMIT.most });
const latenessMs = fc.double({ min: 0, max: 60_000, noNaN: true });
const peak = fc.integer({ min: 0, max: 20_000 });
const look = (given: Partial<Look>): Look => ({ latenessMs: 0, boundMs: BOUND_MS, peak: LIMIT.most, ...given });

describe('the limit on what is being prepared', () => {
  test('stays within its bounds, whatever is seen', () => {
    fc.assert(fc.property(limit, fc.array(fc.record({ latenessMs, peak, boundMs: fc.integer({ min: 5, max: 10_000 }) }), { maxLength: 60 }), (first, looks) => {
      const limits = looks.reduce((all, seen) => [...all, nextLimit(all.at(-1)!, seen)], [first]);
      expect(limits.every((one) => Number.isInteger(one) && one >= LIMIT.least && one <= LIMIT.most)).toBe(true);
    }));
  });

  test('is never higher after a later look, nor lower for a higher limit before it', () => {
    fc.assert(fc.property(limit, limit, latenessMs, latenessMs, peak, (a, b, x, y, most) => {
      const [low, high] = [Math.min(a, b), Math.max(a, b)];
      const [early, late] = [Math.min(x, y), Math.max(x, y)];
      expect(nextLimit(a, look({ latenessMs: late, peak: most }))).toBeLessThanOrEqual(nextLimit(a, look({ latenessMs: early, peak: most })));
      expect(nextLimit(low, look({ latenessMs: x, peak: most }))).toBeLessThanOrEqual(nextLimit(high, look({ latenessMs: x, peak: most })));
    }));
  });

  test('shrinks with every late look, by three tenths of what is used at most', () => {
    fc.assert(fc.property(limit, fc.double({ min: BOUND_MS, max: 60_000, noNaN: true }), (used, ms) => {
      const next = nextLimit(used, look({ latenessMs: ms, peak: used }));
      expect(next).toBeLessThanOrEqual(Math.max(LIMIT.least, used * SHRINK.least));
      expect(next).toBeGreaterThanOrEqual(Math.max(LIMIT.least, Math.floor(used * SHRINK.most)));
    }));
  });

  test('falls at once to what was used, where it was far above that', () => {
    expect(nextLimit(LIMIT.most, look({ latenessMs: 10 * BOUND_MS, peak: 100 }))).toBe(70);
  });

  test('stays as it is between calm and late', () => {
    fc.assert(fc.property(limit, fc.double({ min: 15, max: 49.9, noNaN: true }), peak, (before, ms, most) => expect(nextLimit(before, look({ latenessMs: ms, peak: most }))).toBe(before)));
  });

  test('is where it began within a second of calm, however low it was', () => {
    let now = LIMIT.least as number;
    for (let ms = 0; ms < 1000; ms += LOOK_EVERY_MS) now = nextLimit(now, look({}));
    expect(now).toBeGreaterThanOrEqual(LIMIT.first);
  });
});

describe('the lateness of the event loop', () => {
  test('is what every one of the last looks was late at least', () => {
    fc.assert(fc.property(fc.array(fc.integer({ min: 0, max: 5000 }), { minLength: LOOKS, maxLength: 40 }), (late) => {
      let nowMs = 1000;
      const lateness = new Lateness(nowMs);
      for (const ms of late) lateness.look((nowMs += LOOK_EVERY_MS + ms));
      expect(lateness.ms).toBe(Math.min(...late.slice(-LOOKS)));
    }));
  });

  test('is nothing after one pause, however long, or a timer that came early', () => {
    const lateness = new Lateness(0);
    lateness.look(30_000);
    lateness.look(30_019);
    expect(lateness.ms).toBe(0);
  });
});
