import { describe, expect, test } from '@jest/globals';
import type { Limits } from '@deja/contracts';
import type { CeilingState, Measure } from './ask.ts';
import { durationText, rateLimitHeaders } from './limit-headers.ts';

const state = (limits: Limits, used: Partial<Record<Measure, number>>, resetMs: Partial<Record<Measure, number>> = {}): CeilingState =>
  ({ ceiling: { scope: 'key', model: null, counter: 'c', limits, degraded: 'open' }, used, resetMs });

describe('x-ratelimit headers', () => {
  test('tell the window with the least left of each kind, over all scopes, minutes and days', () => {
    const states = [
      state({ requests_per_minute: 100, tokens_per_minute: 1000, tokens_per_day: 1500 }, { requests_per_minute: 10, tokens_per_minute: 400, tokens_per_day: 1490 }, { tokens_per_day: 86_399_000 }),
      state({ requests_per_minute: 50 }, { requests_per_minute: 49 }, { requests_per_minute: 12_345 }),
    ];
    expect(rateLimitHeaders(states)).toEqual({
      'x-ratelimit-limit-requests': '50', 'x-ratelimit-remaining-requests': '1', 'x-ratelimit-reset-requests': '13s',
      'x-ratelimit-limit-tokens': '1500', 'x-ratelimit-remaining-tokens': '10', 'x-ratelimit-reset-tokens': '23h59m59s',
    });
  });

  test('never say that less than nothing is left, and that what is unused is whole at once', () => {
    expect(rateLimitHeaders([state({ tokens_per_minute: 10 }, { tokens_per_minute: 25 })])).toMatchObject({ 'x-ratelimit-remaining-tokens': '0', 'x-ratelimit-reset-tokens': '1m0s' });
    expect(rateLimitHeaders([state({ requests_per_day: 10 }, { requests_per_day: 0 })])).toMatchObject({ 'x-ratelimit-remaining-requests': '10', 'x-ratelimit-reset-requests': '0s' });
  });

  test('say nothing where nothing counts in a window', () => {
    expect(rateLimitHeaders([])).toEqual({});
    expect(rateLimitHeaders([state({ concurrency: 3 }, { concurrency: 1 })])).toEqual({});
  });

  test.each([[0, '0s'], [1, '1s'], [1000, '1s'], [1001, '2s'], [60_000, '1m0s'], [360_000, '6m0s'], [86_399_000, '23h59m59s'], [86_400_000, '24h0m0s'], [3_600_000, '1h0m0s']])('%d ms are written %s', (ms, text) => {
    expect(durationText(ms)).toBe(text);
  });
});
