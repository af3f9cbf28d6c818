import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { readRateLimits } from './rate-limit-headers.ts';

const NOW_MS = Date.parse('2026-03-01T12:00:00Z');
const read = (headers: Record<string, string>): ReturnType<typeof readRateLimits> => readRateLimits(headers, NOW_MS);
const openAi = (kind: string, limit: string, remaining: string, reset?: string): Record<string, string> => ({
  [`x-ratelimit-limit-${kind}`]: limit, [`x-ratelimit-remaining-${kind}`]: remaining, ...(reset !== undefined && { [`x-ratelimit-reset-${kind}`]: reset }),
});

describe('what providers say of their quotas', () => {
  test.each([['6m0s', 360_000], ['1s', 1000], ['20ms', 20], ['1h2m3.5s', 3_723_500], ['7.66s', 7660], ['0s', 0], ['2m59.56s', 179_560], ['1d0h', 86_400_000], ['350µs', 0], ['34', 34_000], ['0.25', 250]])(
    'a reset of %s is that duration', (reset, resetMs) => {
      expect(read(openAi('requests', '60', '59', reset)).requests).toEqual({ limit: 60, remaining: 59, resetMs });
    });

  test.each([['2026-03-01T12:00:30Z', 30_000], ['2026-03-01T13:00:30+01:00', 30_000], ['Sun, 01 Mar 2026 12:00:30 GMT', 30_000], [String(NOW_MS / 1000 + 5), 5000], [String(NOW_MS + 5000), 5000], ['2026-03-01T11:00:00Z', 0]])(
    'a reset of %s is until then', (reset, resetMs) => {
      expect(read({ 'anthropic-ratelimit-requests-remaining': '3', 'anthropic-ratelimit-requests-reset': reset }).requests).toEqual({ limit: null, remaining: 3, resetMs });
    });

  test('a date is one by the provider’s clock, which need not be ours', () => {
    expect(read({ date: 'Sun, 01 Mar 2026 11:50:00 GMT', 'anthropic-ratelimit-requests-remaining': '3', 'anthropic-ratelimit-requests-reset': '2026-03-01T11:50:20Z' }).requests?.resetMs).toBe(20_000);
  });

  test('OpenAI’s and Groq’s two quotas are told apart', () => {
    expect(read({ ...openAi('requests', '14400', '14370', '2m59.56s'), ...openAi('tokens', '18000', '17997', '7.66s') })).toEqual({
      requests: { limit: 14_400, remaining: 14_370, resetMs: 179_560 }, tokens: { limit: 18_000, remaining: 17_997, resetMs: 7660 },
    });
  });

  test('Azure says no reset, sometimes no limit, and -1 or 0 where it does not know', () => {
    expect(read({ 'x-ratelimit-remaining-requests': '99', 'x-ratelimit-remaining-tokens': '4000' })).toEqual({ requests: { limit: null, remaining: 99, resetMs: null }, tokens: { limit: null, remaining: 4000, resetMs: null } });
    expect(read({ ...openAi('tokens', '-1', '-1', '0'), ...openAi('requests', '0', '0') })).toEqual({ requests: null, tokens: null });
  });

  test('Anthropic’s tokens are the sum, unless one of its parts is used up', () => {
    const anthropic = (kind: string, remaining: string): Record<string, string> => ({
      [`anthropic-ratelimit-${kind}-limit`]: '1000', [`anthropic-ratelimit-${kind}-remaining`]: remaining, [`anthropic-ratelimit-${kind}-reset`]: '2026-03-01T12:01:00Z',
    });
    expect(read({ ...anthropic('tokens', '900'), ...anthropic('input-tokens', '800'), ...anthropic('output-tokens', '100') }).tokens?.remaining).toBe(900);
    expect(read({ ...anthropic('tokens', '900'), ...anthropic('input-tokens', '900'), ...anthropic('output-tokens', '0') }).tokens?.remaining).toBe(0);
    expect(read({ ...anthropic('input-tokens', '800'), ...anthropic('output-tokens', '100') }).tokens?.remaining).toBe(100);
  });

  test('of several windows the one with the least left binds', () => {
    expect(read({ ...openAi('requests-minute', '30', '12', '10'), ...openAi('requests-day', '900', '7', '4000') }).requests).toEqual({ limit: 900, remaining: 7, resetMs: 4_000_000 });
  });

  test('Mistral’s and Together’s names are known, and plain ones', () => {
    expect(read({ 'x-ratelimit-limit-req-minute': '60', 'x-ratelimit-remaining-req-minute': '59', 'x-ratelimitbysize-limit-minute': '500000', 'x-ratelimitbysize-remaining-minute': '499900', 'ratelimitbysize-reset': '17' })).toEqual({
      requests: { limit: 60, remaining: 59, resetMs: null }, tokens: { limit: 500_000, remaining: 499_900, resetMs: 17_000 },
    });
    expect(read({ 'x-ratelimit-limit': '10', 'x-ratelimit-remaining': '9', 'x-ratelimit-reset': '1', 'x-tokenlimit-limit': '3000', 'x-tokenlimit-remaining': '2500' })).toEqual({
      requests: { limit: 10, remaining: 9, resetMs: 1000 }, tokens: { limit: 3000, remaining: 2500, resetMs: null },
    });
    expect(read({ 'ratelimit-limit': '100, 100;window=60', 'ratelimit-remaining': '98', 'ratelimit-reset': '3' }).requests).toEqual({ limit: 100, remaining: 98, resetMs: 3000 });
  });

  test('garbage says nothing, and never a number that is none', () => {
    const names = ['x-ratelimit-limit-requests', 'x-ratelimit-remaining-requests', 'x-ratelimit-reset-requests', 'anthropic-ratelimit-tokens-remaining', 'anthropic-ratelimit-tokens-reset', 'x-ratelimit-remaining', 'x-ratelimit-reset', 'date'];
    const wild = fc.oneof(fc.string(), fc.constantFrom('', '-1', 'NaN', '1e999', '9'.repeat(400), '1h1h', 's', '2026-99-99T00:00:00Z', '12:00', 'unlimited', '٣'), fc.double().map(String), fc.integer().map(String));
    const value = fc.oneof(wild, fc.array(wild, { maxLength: 2 }));
    fc.assert(fc.property(fc.dictionary(fc.constantFrom(...names), value), (headers) => {
      for (const said of Object.values(readRateLimits(headers, NOW_MS))) {
        if (said === null) continue;
        for (const number of [said.limit, said.remaining, said.resetMs]) expect(number === null || (Number.isFinite(number) && number >= 0)).toBe(true);
        expect(said.limit === null || said.remaining <= said.limit).toBe(true);
      }
    }));
    expect(read(openAi('requests', 'many', 'some', 'soon'))).toEqual({ requests: null, tokens: null });
    expect(read(openAi('requests', '10', '5', 'soon')).requests).toEqual({ limit: 10, remaining: 5, resetMs: null });
  });

  test('whatever duration was written is what is read', () => {
    fc.assert(fc.property(fc.nat(23), fc.nat(59), fc.nat(59_999), (hours, minutes, ms) => {
      const text = `${hours}h${minutes}m${ms / 1000}s`;
      expect(read(openAi('tokens', '10', '5', text)).tokens?.resetMs).toBe(hours * 3_600_000 + minutes * 60_000 + ms);
    }));
  });
});
