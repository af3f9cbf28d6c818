import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { RestartBackoff } from './restart-backoff.ts';

describe('a process that ended', () => {
  test('is back in a quarter of a second, and later with each death that follows', () => {
    const backoff = new RestartBackoff();
    expect(Array.from({ length: 9 }, () => backoff.afterLifeOf(100))).toEqual([250, 500, 1000, 2000, 4000, 8000, 15_000, 15_000, 15_000]);
  });

  test('counts as well again when it has lived for half a minute', () => {
    const backoff = new RestartBackoff();
    expect([0, 0, 30_000, 29_999, 1e9].map((lived) => backoff.afterLifeOf(lived))).toEqual([250, 500, 250, 500, 250]);
  });

  test('never waits for less than a quarter of a second or more than a quarter of a minute, and never for less than before while it dies young', () => {
    fc.assert(fc.property(fc.array(fc.integer({ min: 0, max: 60_000 }), { maxLength: 60 }), (lives) => {
      const backoff = new RestartBackoff();
      let before = 0;
      for (const lived of lives) {
        const wait = backoff.afterLifeOf(lived);
        expect(wait).toBeGreaterThanOrEqual(lived < 30_000 ? Math.max(250, before) : 250);
        expect(wait).toBeLessThanOrEqual(15_000);
        before = wait;
      }
    }));
  });
});
