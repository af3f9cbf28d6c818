import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { Stage } from '../operation/operation.ts';
import { addedMsOf } from './stage-metrics.ts';

const times = (firstByteMs: number | null, stages: [Stage, number][], attempts: { shadow: boolean; firstByteMs: number | null; durationMs: number }[] = []): Parameters<typeof addedMsOf>[0] => ({ firstByteMs, stages: new Map(stages), attempts });

describe('what deja adds to an answer', () => {
  test('is the time to its first byte less what was waited for providers', () => {
    expect(addedMsOf(times(210, [['auth', 1], ['upstream', 203]]))).toBe(7);
  });

  test('is all of it where the answer came from the cache', () => {
    expect(addedMsOf(times(3, [['auth', 1], ['cache', 1]]))).toBe(3);
  });

  test('is known of calls that are only passed on by their own times: failed ones whole, the last one up to its first byte, shadows not at all', () => {
    const attempts = [{ shadow: false, firstByteMs: null, durationMs: 40 }, { shadow: true, firstByteMs: 500, durationMs: 900 }, { shadow: false, firstByteMs: 100, durationMs: 5000 }];
    expect(addedMsOf(times(150, [['auth', 1]], attempts))).toBe(10);
  });

  test('is not known of a request that was never answered', () => {
    expect(addedMsOf(times(null, [['upstream', 203]]))).toBeNull();
  });

  test('is never negative, and never more than the time to the first byte', () => {
    const call = fc.record({ shadow: fc.boolean(), firstByteMs: fc.option(fc.nat(1000)), durationMs: fc.nat(5000) });
    fc.assert(fc.property(fc.nat(2000), fc.option(fc.double({ min: 0, max: 3000, noNaN: true })), fc.array(call, { maxLength: 5 }), (firstByteMs, upstreamMs, attempts) => {
      const added = addedMsOf(times(firstByteMs, upstreamMs === null ? [] : [['upstream', upstreamMs]], attempts));
      expect(added).toBeGreaterThanOrEqual(0);
      expect(added).toBeLessThanOrEqual(firstByteMs);
    }));
  });
});
