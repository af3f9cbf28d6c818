import { newId, type CapturedExchange } from '@deja/contracts';
import fc from 'fast-check';
import { v7 } from 'uuid';
import { readCaptures } from './capture-batch.ts';

const NOW = Date.UTC(2026, 2, 31, 12);
const DAY_MS = 86_400_000;
const at = { nowMs: NOW, retentionDays: 30 };
const exchange = (over: Partial<CapturedExchange> = {}): CapturedExchange => ({
  operation: v7({ msecs: NOW }), tenant: 'acme', mode: 'full', dataKey: 'key-1', request: { sealed: 'AQID', bytes: 40, truncated: false }, response: { sealed: '/+8=', bytes: 7, truncated: true }, searchText: 'where is it', ...over,
});
const batch = (...exchanges: unknown[]): unknown => ({ v: 1, exchanges });

test('a batch becomes rows whose bytes are what was sealed', () => {
  const one = exchange();
  expect(readCaptures(batch(one, exchange({ request: null, response: null, searchText: '' })), at)).toEqual({
    captures: [
      {
        operation_id: one.operation, tenant: 'acme', mode: 'full', data_key: 'key-1', request: Buffer.from([1, 2, 3]), request_bytes: 40, request_truncated: false,
        response: Buffer.from([255, 239]), response_bytes: 7, response_truncated: true, words: 'where is it',
      },
      expect.objectContaining({ request: null, request_bytes: null, request_truncated: null, response: null, response_bytes: null, response_truncated: null, words: null }),
    ],
    expired: 0,
    rejected: [],
  });
});

test('what cannot be read is told of by its member, without a value, and keeps nothing else from being kept', () => {
  const good = exchange();
  const read = readCaptures(batch(exchange({ operation: 'x' }), good, exchange({ request: { sealed: 'se cret', bytes: 1, truncated: false } }), null, exchange({ operation: v7({ msecs: NOW + 2 * DAY_MS }) })), at);
  expect(read.captures.map(({ operation_id: id }) => id)).toEqual([good.operation]);
  expect(read.rejected).toEqual([
    expect.stringMatching(/^operation: /), expect.stringMatching(/^request\.sealed: /), expect.stringMatching(/^batch: /), 'operation: its time lies more than a day in the future',
  ]);
  expect(read.rejected.join()).not.toContain('cret');
});

test('whatever a job holds, reading it throws nothing', () => {
  fc.assert(fc.property(fc.anything(), (data) => {
    expect(readCaptures(data, at).captures).toEqual([]);
    expect(readCaptures({ v: 1, exchanges: [data] }, at).rejected).toHaveLength(1);
  }));
});

test('days are kept whole: a body is too old when its whole day is, and never while it is not known how long bodies are kept', () => {
  const daysAgo = (days: number): unknown => batch(exchange({ operation: v7({ msecs: NOW - days * DAY_MS }) }));
  const kept = (days: number, retentionDays: number | null): boolean => readCaptures(daysAgo(days), { nowMs: NOW, retentionDays }).captures.length === 1;
  expect([0, 29, 30].map((days) => kept(days, 30))).toEqual([true, true, true]);
  expect([31, 32, 100].map((days) => kept(days, 30))).toEqual([false, false, false]);
  expect([100, 399, 402].map((days) => kept(days, null))).toEqual([true, true, false]);
});

test('words that are too many, or that Postgres could not store, are cut and replaced', () => {
  const [capture] = readCaptures(batch(exchange({ operation: newId(), searchText: `a\0b${'c'.repeat(1_000_000)}` })), { nowMs: Date.now(), retentionDays: null }).captures;
  expect(capture!.words).toHaveLength(128 * 1024);
  expect(capture!.words).toMatch(/^a\u{fffd}bc+$/u);
});
