import { jest } from '@jest/globals';
import type { OperationRecord } from '@deja/contracts';
import { readEvent } from '../src/intake/event.ts';
import { orphanedRows } from '../src/ledger/rows.ts';
import { Cleanup } from './infrastructure.ts';
import { hit, HOUR_MS, NOW, Questions } from './questions.ts';
import { attemptRecord, openOperation, operationRecord } from './records.ts';

// Deadlines are for a machine that does ten other things meanwhile.
jest.setTimeout(60_000);

const cleanup = new Cleanup();
let asked: Questions;

beforeAll(async () => {
  asked = await Questions.of(cleanup);
});
afterAll(() => cleanup.run());
beforeEach(() => asked.clear());

const exact = { ...hit, cacheReason: null } satisfies Partial<OperationRecord>;
const semantic = { ...exact, cache: 'HIT-SEMANTIC' } satisfies Partial<OperationRecord>;
const NOTHING = { requests: 0, hitsExact: 0, hitsSemantic: 0, savedNanoUsd: '0', savedMs: 0, reasons: [] };
/** An answer of so many tokens, at so many nano-USD for a million of them. */
const costs = (output: number, completionTokens = 1): Partial<OperationRecord> => ({
  usage: { promptTokens: 0, cachedTokens: 0, cacheWriteTokens: 0, completionTokens, reasoningTokens: 0 },
  savedPrice: { version: 'test', input: 0, cachedInput: 0, cacheWrite: 0, output, longContext: null },
});

describe('what caching saved', () => {
  test('is nothing where there was nothing', async () => {
    expect(await asked.savings()).toEqual(NOTHING);
  });

  test('has hits and misses, dollars and time; what went past the cache is no request that it could have answered', async () => {
    await asked.received(NOW - 1, { ...exact, savedMs: 800 });
    await asked.received(NOW - 2, { ...exact, savedMs: 150.6 });
    await asked.received(NOW - 3, { ...semantic, savedMs: 48.5 });
    await asked.received(NOW - 4);
    await asked.received(NOW - 5, { cache: 'BYPASS', cacheReason: 'tools' });
    await asked.received(NOW - 6, { cache: null, cacheReason: null });
    expect(await asked.savings()).toEqual({
      requests: 4, hitsExact: 2, hitsSemantic: 1, savedNanoUsd: '1260000', savedMs: 1000,
      reasons: [{ cache: 'BYPASS', reason: 'tools', requests: 1 }, { cache: 'MISS', reason: 'no_entry', requests: 1 }],
    });
  });

  test('is exact to the nano-dollar, beyond what a double holds', async () => {
    await asked.received(NOW - 1, { ...exact, ...costs(1e15, 9_500_000) });
    for (let i = 2; i < 5; i++) await asked.received(NOW - i, { ...semantic, ...costs(1_000_000) });
    expect((await asked.savings()).savedNanoUsd).toBe('9500000000000003');
  });

  test('leaves out what nobody knows: the price of an answer, or how long it took', async () => {
    await asked.received(NOW - 1, { ...exact, savedPrice: null, savedMs: null });
    await asked.received(NOW - 2, { ...exact, savedMs: 7 });
    await asked.received(NOW - 3, semantic);
    expect(await asked.savings()).toMatchObject({ requests: 3, hitsExact: 2, hitsSemantic: 1, savedNanoUsd: '840000', savedMs: 7 });
  });

  test('names the reasons of misses and of what went past the cache, the most frequent first, and those of the same number in an order of their own', async () => {
    const reasons: [OperationRecord['cache'], string | null, number][] = [['MISS', 'no_entry', 3], ['BYPASS', 'too_short', 4], ['MISS', null, 1], ['MISS', 'not_verified', 2], ['BYPASS', 'no_entry', 2]];
    let atMs = NOW;
    for (const [cache, cacheReason, times] of reasons) for (let i = 0; i < times; i++) await asked.received((atMs -= 1), { cache, cacheReason });
    // Why a hit was a hit is no reason for anything else.
    await asked.received((atMs -= 1), { ...semantic, cacheReason: 'paraphrase' });
    expect((await asked.savings()).reasons).toEqual([
      { cache: 'BYPASS', reason: 'too_short', requests: 4 }, { cache: 'MISS', reason: 'no_entry', requests: 3 }, { cache: 'BYPASS', reason: 'no_entry', requests: 2 },
      { cache: 'MISS', reason: 'not_verified', requests: 2 }, { cache: 'MISS', reason: null, requests: 1 },
    ]);
  });

  test('is told with the 50 most frequent reasons, and counts all', async () => {
    for (let i = 0; i < 51; i++) await asked.received(NOW - 1 - i, { cacheReason: `reason_${String(i).padStart(2, '0')}` });
    await asked.received(NOW - 100, { cacheReason: 'reason_50' });
    const { requests, reasons } = await asked.savings();
    expect([requests, reasons.length, reasons[0]]).toEqual([52, 50, { cache: 'MISS', reason: 'reason_50', requests: 2 }]);
  });

  test('is of one tenant or of all', async () => {
    await asked.received(NOW - 1, { ...exact, tenant: 'acme', savedMs: 5 });
    await asked.received(NOW - 2, { tenant: 'acme', cacheReason: 'too_risky' });
    await asked.received(NOW - 3, { ...exact, tenant: 'other', savedMs: 7 });
    expect(await asked.savings({ tenant: 'acme' })).toEqual({ requests: 2, hitsExact: 1, hitsSemantic: 0, savedNanoUsd: '420000', savedMs: 5, reasons: [{ cache: 'MISS', reason: 'too_risky', requests: 1 }] });
    expect(await asked.savings({ tenant: 'other' })).toMatchObject({ requests: 1, savedMs: 7, reasons: [] });
    expect(await asked.savings({ tenant: 'acm' })).toEqual(NOTHING);
    expect(await asked.savings()).toMatchObject({ requests: 3, hitsExact: 2, savedMs: 12 });
  });

  test('is of the time that is asked for: its first millisecond is in it, its end is not', async () => {
    const [fromMs, toMs] = [NOW - 2 * HOUR_MS, NOW - HOUR_MS];
    for (const [atMs, savedMs] of [[fromMs - 1, 1], [fromMs, 10], [toMs - 1, 100], [toMs, 1000]] as const) await asked.received(atMs, { ...exact, savedMs });
    expect(await asked.savings({ fromMs, toMs })).toMatchObject({ requests: 2, savedMs: 110 });
    expect(await asked.savings({ fromMs: toMs, toMs: fromMs })).toEqual(NOTHING);
    expect(await asked.savings({ fromMs, toMs: fromMs })).toEqual(NOTHING);
  });

  test('leaves out operations whose gateway died: nobody knows what the cache did', async () => {
    await asked.ledger.insert({ rows: [orphanedRows(openOperation())], late: [], rejected: [] });
    expect(await asked.savings({ toMs: Date.now() + HOUR_MS })).toEqual(NOTHING);
  });
});

describe('the time that a hit saved', () => {
  test('stands with its request, and in an export; with any other request there is none', async () => {
    const served = await asked.received(NOW - 1, { ...exact, savedMs: 812 });
    await asked.received(NOW - 2, { savedMs: 5 });
    await asked.received(NOW - 3, exact);
    const { data } = await asked.list();
    expect(data.map(({ saved_ms: savedMs }) => savedMs)).toEqual([812, null, null]);
    const lines = (await asked.exported({ format: 'jsonl' })).map((line) => JSON.parse(line) as { id: string; saved_ms: number | null });
    expect(lines.find(({ id }) => id === served.id)?.saved_ms).toBe(812);
    const [header = '', ...rows] = await asked.exported({ format: 'csv' });
    const column = header.trim().split(',').indexOf('saved_ms');
    expect(column).toBeGreaterThan(0);
    expect(rows.some((row) => row.split(',').includes('812'))).toBe(true);
  });

  test('is read as the gateway sends it, and one that sends none is of a version before', () => {
    const read = (fields: Record<string, unknown>): unknown => readEvent({ ...operationRecord({ cache: 'HIT-EXACT', attempts: [attemptRecord()] }), ...fields }, Date.now());
    expect(read({ savedMs: 12 })).toMatchObject({ event: { savedMs: 12 } });
    expect(read({ savedMs: null })).toMatchObject({ event: { savedMs: null } });
    expect(read({})).not.toMatchObject({ event: { savedMs: expect.anything() } });
    expect(read({ savedMs: 'soon' })).toMatchObject({ rejected: expect.stringMatching(/^savedMs/) });
  });
});
