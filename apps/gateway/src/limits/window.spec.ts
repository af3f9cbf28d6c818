import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { LocalWindow } from './window.ts';

const arrivals = fc.array(fc.record({ afterMs: fc.integer({ min: 0, max: 20_000 }), tokens: fc.integer({ min: 0, max: 40 }) }), { maxLength: 200 });

describe('the local sliding window', () => {
  test('in any 60 seconds it admits at most the limit, and it refuses only what would exceed it', () => {
    fc.assert(
      fc.property(arrivals, fc.integer({ min: 1, max: 30 }), fc.integer({ min: 40, max: 300 }), (steps, requestsPerMinute, tokensPerMinute) => {
        const window = new LocalWindow();
        const admitted: { atMs: number; tokens: number }[] = [];
        let nowMs = 1_000_000;
        for (const { afterMs, tokens } of steps) {
          nowMs += afterMs;
          const within = (spanMs: number): { requests: number; tokens: number } => {
            const counted = admitted.filter(({ atMs }) => atMs > nowMs - spanMs);
            return { requests: counted.length, tokens: counted.reduce((sum, one) => sum + one.tokens, 0) };
          };
          const fits = window.admit({ requestsPerMinute, tokensPerMinute }, { requests: 1, tokens }, nowMs, 1);
          if (fits) admitted.push({ atMs: nowMs, tokens });
          const minute = within(60_000);
          // A bucket is one second: what is refused would not have fitted into the last 61.
          const longest = within(61_000);
          const room = longest.requests + 1 <= requestsPerMinute && longest.tokens + tokens <= tokensPerMinute;
          expect({ over: minute.requests > requestsPerMinute || minute.tokens > tokensPerMinute, refusedForNothing: !fits && room }).toEqual({ over: false, refusedForNothing: false });
        }
      }),
    );
  });
});
