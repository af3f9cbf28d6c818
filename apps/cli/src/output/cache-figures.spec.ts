import { expect, test } from '@jest/globals';
import type { ReplyOf } from '@deja/admin-api';
import { cacheFigureLines, matchLines } from './cache-figures.ts';
import { table, type Paint } from './table.ts';

const paint: Paint = (text, tone) => (tone === 'red' ? `!${text}!` : text);
const print = { paint, tableLines: (...[rows, columns]: Parameters<typeof table>) => table(rows, columns, { width: null, paint }) } as Parameters<typeof cacheFigureLines>[1];

const STATS: ReplyOf<'cacheStats'> = {
  object: 'cache_stats', tenant: null, exact_entries: 1234, semantic_entries: 56, bytes: 7_890_123, partial: true,
  savings: {
    from: '2026-03-01T12:00:00.000Z', to: '2026-03-31T12:00:00.000Z', requests: 4000, hits_exact: 1000, hits_semantic: 200, hit_rate: 0.3, saved_usd: '12.3456789', saved_seconds: 4321.5,
    reasons: [{ cache: 'BYPASS', reason: 'too_short', requests: 9000 }, { cache: 'MISS', reason: null, requests: 1 }],
  },
  wrong_rates: [
    { tenant: 'acme', model: 'gpt-4o', observations: 400.4, wrong: 1, rate: 0.0025, low: 0.0001, high: 0.0138, stopped: false },
    { tenant: 'globex', model: 'gpt-4o', observations: 90, wrong: 9, rate: 0.1, low: 0.04, high: 0.18, stopped: true },
  ],
};

test('what the cache holds, saved and got wrong reads as fields and tables', () => {
  expect(cacheFigureLines(STATS, print)).toEqual([
    'tenant            all',
    'exact entries     1,234 or more',
    'semantic entries  56 or more',
    'bytes             7,890,123 or more',
    'from              2026-03-01 12:00',
    'to                2026-03-31 12:00',
    'requests          4,000',
    'hits              30%: 1,000 exact, 200 semantic',
    'saved             $12.35, 4,322 s',
    '',
    'Not answered from the cache',
    'CACHE   REASON     REQUESTS',
    'BYPASS  too_short     9,000',
    'MISS    –                 1',
    '',
    'Semantic answers that were wrong',
    'TENANT  MODEL   CHECKED  WRONG    RATE  95 %             SERVED',
    'acme    gpt-4o      400      1   0.25%  0.01% to 1.38%   yes',
    'globex  gpt-4o       90      9  10.00%  4.00% to 18.00%  !stopped!',
  ]);
});

test('what nobody answers is said to be unknown, and what is empty is left out', () => {
  const unknown = cacheFigureLines({ ...STATS, savings: null, wrong_rates: null }, print);
  expect(unknown.slice(4)).toEqual(['saved             unknown: no usage-worker answers', '', 'Semantic answers that were wrong', 'unknown: no semantic-cache answers']);
  const nothing = { ...STATS.savings!, requests: 0, hits_exact: 0, hits_semantic: 0, hit_rate: 0, saved_usd: '0', saved_seconds: 0, reasons: [] };
  expect(cacheFigureLines({ ...STATS, savings: nothing, wrong_rates: [] }, print).slice(6)).toEqual(['requests          0', 'hits              0%: 0 exact, 0 semantic', 'saved             $0, 0 ms']);
});

test('questions whose answers are meant are a table, and none is no line', () => {
  expect(matchLines([], print)).toEqual([]);
  expect(matchLines([{ tenant: 'acme', entry: '019b7d9e-0000-7000-8000-000000000001', text: 'What does it\u202e cost?', similarity: 0.91239 }], print)).toEqual([
    'SIMILARITY  TENANT  ENTRY                                 QUESTION',
    '     0.912  acme    019b7d9e-0000-7000-8000-000000000001  What does it\\u{202e} cost?',
  ]);
});
