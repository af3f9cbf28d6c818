import { describe, expect, test } from '@jest/globals';
import { nanoUsd } from '@deja/contracts';
import fc from 'fast-check';
import { savingsShown, spanOf } from './cache-figures.ts';

const NOW_MS = Date.UTC(2026, 2, 31, 12);
const DAY_MS = 86_400_000;

describe('the time that figures are of', () => {
  test.each([
    ['the last 30 days', {}, NOW_MS - 30 * DAY_MS, NOW_MS],
    ['from a moment until now', { from: '2026-03-31T11:00:00Z' }, NOW_MS - DAY_MS / 24, NOW_MS],
    ['30 days before a moment', { to: '2026-03-01T01:00:00+01:00' }, Date.UTC(2026, 0, 30), Date.UTC(2026, 2, 1)],
    ['between two moments', { from: '2026-01-01T00:00:00Z', to: '2026-02-01T00:00:00Z' }, Date.UTC(2026, 0, 1), Date.UTC(2026, 1, 1)],
    ['none at all', { from: '2026-01-01T00:00:00Z', to: '2026-01-01T00:00:00Z' }, Date.UTC(2026, 0, 1), Date.UTC(2026, 0, 1)],
    ['not before 1970', { from: '1969-01-01T00:00:00Z', to: '1970-01-01T00:00:00Z' }, 0, 0],
  ])('is %s', (_, asked, fromMs, toMs) => expect(spanOf(asked, NOW_MS)).toEqual({ fromMs, toMs }));

  test.each([{ from: '2026-03-31T12:00:00.001Z' }, { from: '2026-01-02T00:00:00Z', to: '2026-01-01T00:00:00Z' }])('does not end before it begins: %j', (asked) => {
    expect(() => spanOf(asked, NOW_MS)).toThrow(expect.objectContaining({ code: 'invalid_value', param: 'from' }));
  });
});

describe('savings', () => {
  test('of no requests have a hit rate of 0', () => {
    const none = { requests: 0, hitsExact: 0, hitsSemantic: 0, savedNanoUsd: '0', savedMs: 0, reasons: [] };
    expect(savingsShown(none, { fromMs: 0, toMs: NOW_MS })).toEqual({ from: '1970-01-01T00:00:00.000Z', to: '2026-03-31T12:00:00.000Z', requests: 0, hits_exact: 0, hits_semantic: 0, hit_rate: 0, saved_usd: '0', saved_seconds: 0, reasons: [] });
  });

  test('are exact to the nano-dollar and the millisecond, and their rate is a share', () => {
    const counts = fc.record({ exact: fc.nat(1e9), semantic: fc.nat(1e9), misses: fc.nat(1e9), nano: fc.bigInt({ min: 0n, max: 10n ** 24n }), ms: fc.nat(1e12) });
    fc.assert(fc.property(counts, ({ exact, semantic, misses, nano, ms }) => {
      const requests = exact + semantic + misses;
      const shown = savingsShown({ requests, hitsExact: exact, hitsSemantic: semantic, savedNanoUsd: String(nano), savedMs: ms, reasons: [] }, { fromMs: 0, toMs: 1 });
      expect([nanoUsd(shown.saved_usd), Math.round(shown.saved_seconds * 1000)]).toEqual([nano, ms]);
      expect(shown.hit_rate).toBeGreaterThanOrEqual(0);
      expect(shown.hit_rate).toBeLessThanOrEqual(1);
    }));
  });
});
