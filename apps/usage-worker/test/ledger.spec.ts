import { jest } from '@jest/globals';
import { newId } from '@deja/contracts';
import type { Pool } from '@deja/postgres';
import fc from 'fast-check';
import { v7 } from 'uuid';
import { ledgerEvent } from '../src/intake/ledger-event.ts';
import { storable } from '../src/ledger/json.ts';
import { LedgerWriter, NotRecorded } from '../src/ledger/ledger-writer.ts';
import { Ledger, type LedgerBatch } from '../src/ledger/ledger.ts';
import { lateRow, orphanedRows, settledRows } from '../src/ledger/rows.ts';
import { UsageMetrics } from '../src/metrics.ts';
import { Cleanup, database, logger, migrateLedger, telemetry } from './infrastructure.ts';
import { attemptRecord, lateAttempt, openOperation, operationRecord } from './records.ts';

// Deadlines are for a machine that does ten other things meanwhile.
jest.setTimeout(60_000);

const cleanup = new Cleanup();
let pool: Pool;
let ledger: Ledger;
const writer = (): LedgerWriter => new LedgerWriter(ledger, new UsageMetrics(telemetry.meter), telemetry, logger);

beforeAll(async () => {
  ({ pool } = await database(cleanup));
  await migrateLedger(pool);
  ledger = new Ledger(pool);
  await ledger.partitions.ensureAhead(Date.now());
});
afterAll(() => cleanup.run());
beforeEach(async () => {
  await pool.query('truncate usage.operations, usage.attempts, usage.rejected_events');
});

const rowsOf = async (table: string): Promise<Record<string, unknown>[]> => (await pool.query(`select * from usage.${table} order by id`)).rows as Record<string, unknown>[];
const batch = (over: Partial<LedgerBatch>): LedgerBatch => ({ rows: [], late: [], rejected: [], ...over });

test('every column of a settled operation and its attempts is kept as it was sent', async () => {
  const record = operationRecord({ cache: 'HIT-SEMANTIC', cacheEntry: 'e-1', cacheSimilarity: 0.97 });
  await ledger.insert(batch({ rows: [settledRows(record)] }));
  const [operation] = await rowsOf('operations');
  const [attempt] = await rowsOf('attempts');
  expect(operation).toMatchObject({
    id: record.id, tenant: 'default', key: 'key-1', user: 'ann', tags: { team: 'search' }, endpoint: 'chat/completions', requested_model: 'gpt-4o-mini', model: 'gpt-4o-mini', provider: 'openai',
    deployment: 'openai/gpt-4o-mini', credential: 'openai/a', status: 200, outcome: 'ok', error_code: null, cache: 'HIT-SEMANTIC', cache_reason: 'no_entry', cache_entry: 'e-1', cache_similarity: 0.97,
    stream: false, prompt_tokens: 1000, cached_tokens: 400, cache_write_tokens: 0, completion_tokens: 500, reasoning_tokens: 200, usage_source: 'upstream', price_version: '2026-06-30-test',
    cost_nano_usd: '420000', saved_nano_usd: null, received_at: new Date(record.receivedAtMs), first_byte_ms: 121, duration_ms: 801.25, trace_id: record.traceId,
  });
  expect(attempt).toMatchObject({
    operation_id: record.id, id: record.attempts[0]!.id, n: 1, provider: 'openai', deployment: 'openai/gpt-4o-mini', credential: 'openai/a', model: 'gpt-4o-mini', status: 200, outcome: 'ok', error_code: null,
    hedge: false, shadow: false, prompt_tokens: 1000, usage_source: 'upstream', price_version: '2026-06-30-test', cost_nano_usd: '420000', started_at: new Date(record.attempts[0]!.startedAtMs), first_byte_ms: 120.5, duration_ms: 800,
  });
});

test('any order and repetition of settled records, orphans and duplicates leaves the same rows', async () => {
  const scenario = fc.record({
    operations: fc.array(fc.constantFrom('settled', 'orphaned', 'both'), { minLength: 1, maxLength: 6 }),
    order: fc.infiniteStream(fc.nat()),
    times: fc.integer({ min: 1, max: 3 }),
    split: fc.integer({ min: 1, max: 5 }),
  });
  await fc.assert(
    fc.asyncProperty(scenario, async ({ operations, order, times, split }) => {
      await pool.query('truncate usage.operations, usage.attempts');
      const events = operations.flatMap((kind) => {
        const record = operationRecord({ attempts: [attemptRecord(), attemptRecord({ n: 2 })] });
        const orphan = orphanedRows(openOperation({ id: record.id, receivedAtMs: record.receivedAtMs }));
        return [...(kind === 'orphaned' ? [] : [settledRows(record)]), ...(kind === 'settled' ? [] : [orphan])];
      });
      const sent = Array.from({ length: times }, () => events).flat().map((rows) => ({ rows, at: order.next().value as number })).toSorted((a, b) => a.at - b.at).map(({ rows }) => rows);
      for (let i = 0; i < sent.length; i += split) await ledger.insert(batch({ rows: sent.slice(i, i + split) }));
      const settled = operations.filter((kind) => kind !== 'orphaned').length;
      const outcomes = (await rowsOf('operations')).map((row) => row['outcome']);
      expect(outcomes.filter((outcome) => outcome === 'ok')).toHaveLength(settled);
      expect(outcomes.filter((outcome) => outcome === 'orphaned')).toHaveLength(operations.length - settled);
      expect(await rowsOf('attempts')).toHaveLength(2 * settled);
    }),
    { numRuns: 25 },
  );
});

test('a settled record replaces the orphan whole; an orphan replaces nothing', async () => {
  const record = operationRecord();
  const orphan = orphanedRows(openOperation({ id: record.id }));
  expect(await ledger.insert(batch({ rows: [orphan] }))).toEqual({ settled: 0, orphaned: 1, late: 0, duplicates: 0 });
  expect(await ledger.insert(batch({ rows: [settledRows(record)] }))).toEqual({ settled: 1, orphaned: 0, late: 0, duplicates: 0 });
  const settled = await rowsOf('operations');
  expect(settled).toMatchObject([{ outcome: 'ok', cost_nano_usd: '420000', duration_ms: 801.25 }]);
  expect(await ledger.insert(batch({ rows: [orphan, settledRows(record)] }))).toEqual({ settled: 0, orphaned: 0, late: 0, duplicates: 2 });
  expect(await rowsOf('operations')).toEqual(settled);
});

test('two workers that record the same events at once leave each of them once', async () => {
  const rows = Array.from({ length: 200 }, () => settledRows(operationRecord()));
  const results = await Promise.all([ledger.insert(batch({ rows })), ledger.insert(batch({ rows: rows.toReversed() })), ledger.insert(batch({ rows }))]);
  expect(results.reduce((sum, { settled }) => sum + settled, 0)).toBe(200);
  expect(await rowsOf('operations')).toHaveLength(200);
  expect(await rowsOf('attempts')).toHaveLength(200);
});

test('each row lies in the partition of its day, which is made when it is needed', async () => {
  const lastMinute = Date.UTC(2026, 1, 28, 23, 59, 59, 999);
  const ids = [v7({ msecs: lastMinute }), v7({ msecs: lastMinute + 1 })];
  await Promise.all([new Ledger(pool), new Ledger(pool)].map((one) => one.insert(batch({ rows: ids.map((id) => settledRows(operationRecord({ id }))) }))));
  for (const table of ['operations', 'attempts']) {
    const id = table === 'operations' ? 'id' : 'operation_id';
    const { rows } = await pool.query(`select tableoid::regclass::text as partition, ${id} as id from usage.${table} order by ${id}`);
    expect(rows).toEqual([{ partition: `usage.${table}_20260228`, id: ids[0] }, { partition: `usage.${table}_20260301`, id: ids[1] }]);
  }
});

test('the next seven days have their partitions, and no default partition takes what has no day', async () => {
  const { rows } = await pool.query<{ name: string; bound: string }>(
    `select c.relname as name, pg_get_expr(c.relpartbound, c.oid) as bound from pg_inherits i join pg_class c on c.oid = i.inhrelid where i.inhparent = 'usage.operations'::regclass`,
  );
  const days = Array.from({ length: 8 }, (_, i) => new Date(Date.now() + i * 86_400_000).toISOString().slice(0, 10).replaceAll('-', ''));
  expect(rows.map(({ name }) => name)).toEqual(expect.arrayContaining(days.map((day) => `operations_${day}`)));
  expect(rows.every(({ bound }) => bound.startsWith('FOR VALUES FROM'))).toBe(true);
});

test('a day that was dropped under a running worker is made again', async () => {
  const id = v7({ msecs: Date.UTC(2026, 0, 5) });
  await ledger.insert(batch({ rows: [settledRows(operationRecord({ id }))] }));
  await pool.query('drop table usage.operations_20260105, usage.attempts_20260105');
  await ledger.insert(batch({ rows: [settledRows(operationRecord({ id }))] }));
  expect((await rowsOf('operations')).map((row) => row['id'])).toEqual([id]);
});

test('reading a span of time touches only the partitions of its days', async () => {
  const { rows } = await pool.query<{ 'QUERY PLAN': string }>(`explain select 1 from usage.operations where id >= usage.first_id_at(now()) and id < usage.first_id_at(now() + interval '1 minute')`);
  const plan = rows.map((row) => row['QUERY PLAN']).join('\n');
  expect(plan).toMatch(/Subplans Removed: \d+/);
});

test('text that Postgres cannot store is made storable, and nothing else of it changes', async () => {
  const record = operationRecord({ user: 'a\0b\ud800c', tags: { 'k\0': 'v\udfff', plain: '\\u0000' } });
  await writer().record([ledgerEvent(record, { nowMs: Date.now(), open: 'rejected' })]);
  expect(await rowsOf('operations')).toMatchObject([{ user: 'a\ufffdb\ufffdc', tags: { 'k\ufffd': 'v\ufffd', plain: '\\u0000' } }]);
});

test('whatever text a client sends, the ledger has it as it was, but for what Postgres cannot store', async () => {
  const text = fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom('NULL', 'null', '', '{}', '{"a",b}', '"', '\\', '\\"', ' , ', "'", '\ud800', 'a\0'));
  // Where an object had the name \, V8 13.6 reads a name of one escaped character as \ in the next of that shape, here in what Postgres answers.
  const name = text.filter((said) => said !== '\\');
  const scenario = fc.record({ user: fc.option(text), key: fc.option(text), requestedModel: text, tags: fc.dictionary(name, text, { maxKeys: 3, noNullPrototype: true }), flags: fc.array(text, { maxLength: 3 }) });
  await fc.assert(
    fc.asyncProperty(fc.array(scenario, { minLength: 1, maxLength: 4 }), async (all) => {
      await pool.query('truncate usage.operations, usage.attempts');
      const records = all.map((of) => operationRecord(of));
      await ledger.insert(batch({ rows: records.map(settledRows) }));
      const stored = (value: string | null): string | null => value && storable(value);
      expect(await rowsOf('operations')).toMatchObject(
        records.toSorted((a, b) => (a.id < b.id ? -1 : 1)).map(({ id, user, key, requestedModel, tags, flags }) => ({
          id, user: stored(user), key: stored(key), requested_model: stored(requestedModel), safety_flags: flags.map(stored), tags: Object.fromEntries(Object.entries(tags).map(([name, tag]) => [stored(name), stored(tag)])),
        })),
      );
    }),
    { numRuns: 60 },
  );
});

test('of a large batch that one row spoils, all but that row is recorded', async () => {
  const records = Array.from({ length: 60 }, () => operationRecord());
  const events = records.map((record) => ledgerEvent(record, { nowMs: Date.now(), open: 'rejected' as const }));
  const rows = settledRows(operationRecord());
  events.splice(41, 0, { rows: { ...rows, operation: { ...rows.operation, cost_nano_usd: 2n ** 63n } }, raw: { id: rows.operation.id }, traceparent: null });
  await writer().record(events);
  expect((await rowsOf('operations')).map((row) => row['id'])).toEqual(records.map(({ id }) => id).toSorted());
  expect((await pool.query('select raw from usage.rejected_events')).rows).toEqual([{ raw: JSON.stringify({ id: rows.operation.id }) }]);
});

test('many events at once are each recorded once, however they are gathered, and whoever asks for room gets it', async () => {
  const records = Array.from({ length: 9_000 }, () => operationRecord({ attempts: [] }));
  const events = records.map((record) => ledgerEvent(record, { nowMs: Date.now(), open: 'rejected' as const }));
  const one = writer();
  const full = one.record(events.slice(0, 4_000));
  const parts = Array.from({ length: 25 }, (_, i) => events.slice(4_000 + i * 200, 4_000 + (i + 1) * 200));
  await Promise.all(parts.map(async (part) => {
    await one.room();
    await one.record(part);
  }));
  await full;
  await Promise.all([one.room(), one.record([])]);
  expect((await rowsOf('operations')).map((row) => row['id'])).toEqual(records.map(({ id }) => id).toSorted());
});

test('a writer that stops keeps nobody waiting for room', async () => {
  const away = new LedgerWriter({ insert: () => Promise.reject(Object.assign(new Error('away'), { code: 'ECONNREFUSED' })) }, new UsageMetrics(telemetry.meter), telemetry, logger);
  const event = ledgerEvent(operationRecord(), { nowMs: Date.now(), open: 'rejected' });
  const recorded = Promise.allSettled(Array.from({ length: 4 }, () => away.record(Array.from({ length: 2_000 }, () => event))));
  const room = away.room();
  await away.stop();
  expect(await room).toBeUndefined();
  expect((await recorded).map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected', 'rejected']);
  await expect(away.record([event])).rejects.toBeInstanceOf(NotRecorded);
});

test('an event that only Postgres refuses is set aside, and the rest of its batch goes on', async () => {
  const rows = settledRows(operationRecord());
  const good = operationRecord();
  await writer().record([
    { rows: { ...rows, operation: { ...rows.operation, cost_nano_usd: 2n ** 63n } }, raw: { id: rows.operation.id }, traceparent: null },
    ledgerEvent(good, { nowMs: Date.now(), open: 'rejected' }),
    ledgerEvent({ kind: 'nonsense' }, { nowMs: Date.now(), open: 'rejected' }),
  ]);
  expect((await rowsOf('operations')).map((row) => row['id'])).toEqual([good.id]);
  const { rows: rejected } = await pool.query('select reason, raw from usage.rejected_events order by reason');
  expect(rejected).toEqual([
    { reason: expect.stringContaining('out of range'), raw: JSON.stringify({ id: rows.operation.id }) },
    { reason: expect.stringContaining('kind'), raw: '{"kind":"nonsense"}' },
  ]);
});

test('the same poison twice is set aside once', async () => {
  const event = ledgerEvent({ kind: 'nonsense', id: newId() }, { nowMs: Date.now(), open: 'rejected' });
  await writer().record([event, event]);
  await writer().record([event]);
  expect((await pool.query('select 1 from usage.rejected_events')).rowCount).toBe(1);
});

describe('a shadow that comes by itself', () => {
  const read = (event: unknown) => ledgerEvent(event, { nowMs: Date.now(), open: 'rejected' });

  test('is an attempt of its operation with a cost of its own, and the operation’s figures are what they were', async () => {
    const record = operationRecord();
    const event = lateAttempt(record.id);
    await writer().record([read(record)]);
    const before = await rowsOf('operations');
    await writer().record([read(event)]);
    expect(await rowsOf('operations')).toEqual(before);
    const { rows } = await pool.query('select operation_id, id, n, shadow, deployment, outcome, cost_nano_usd from usage.attempts order by n');
    expect(rows).toEqual([
      { operation_id: record.id, id: event.attempt.id, n: 0, shadow: true, deployment: 'openai/gpt-4.1', outcome: 'ok', cost_nano_usd: '420000' },
      { operation_id: record.id, id: record.attempts[0]!.id, n: 1, shadow: false, deployment: 'openai/gpt-4o-mini', outcome: 'ok', cost_nano_usd: '420000' },
    ]);
  });

  test('whose price is unknown has no cost, not a cost of 0; and one that failed without usage cost 0', async () => {
    const operation = newId();
    await writer().record([read(lateAttempt(operation, { price: null })), read(lateAttempt(operation, { outcome: 'error', status: 500, errorCode: 'upstream_error', usage: null, usageSource: 'none' }))]);
    const { rows } = await pool.query('select outcome, cost_nano_usd from usage.attempts order by outcome desc');
    expect(rows).toEqual([{ outcome: 'ok', cost_nano_usd: null }, { outcome: 'error', cost_nano_usd: '0' }]);
  });

  test('is counted once, however often it comes', async () => {
    const row = lateRow(lateAttempt(newId()));
    expect(await ledger.insert(batch({ late: [row, row] }))).toEqual({ settled: 0, orphaned: 0, late: 1, duplicates: 1 });
    expect(await ledger.insert(batch({ late: [row] }))).toEqual({ settled: 0, orphaned: 0, late: 0, duplicates: 1 });
    expect(await rowsOf('attempts')).toHaveLength(1);
  });

  test('leaves the same rows before its operation, after it, between orphan and settled record, alone, and again', async () => {
    type Step = (at: { record: ReturnType<typeof operationRecord>; shadows: ReturnType<typeof lateAttempt>[] }) => Partial<LedgerBatch>;
    const steps: Record<string, Step> = {
      settled: ({ record }) => ({ rows: [settledRows(record)] }),
      orphan: ({ record }) => ({ rows: [orphanedRows(openOperation({ id: record.id }))] }),
      shadow: ({ shadows }) => ({ late: [lateRow(shadows[0]!)] }),
      shadows: ({ shadows }) => ({ late: shadows.map(lateRow) }),
      together: ({ record, shadows }) => ({ rows: [settledRows(record)], late: shadows.map(lateRow) }),
    };
    await fc.assert(
      fc.asyncProperty(fc.array(fc.constantFrom(...Object.keys(steps)), { minLength: 1, maxLength: 6 }), async (order) => {
        await pool.query('truncate usage.operations, usage.attempts');
        const record = operationRecord();
        const at = { record, shadows: [lateAttempt(record.id), lateAttempt(record.id, { price: null })] };
        for (const step of order) await ledger.insert(batch(steps[step]!(at)));
        const settled = order.some((step) => step === 'settled' || step === 'together');
        const known = [
          ...(settled ? record.attempts : []),
          ...(order.some((step) => step.startsWith('shadow') || step === 'together') ? [at.shadows[0]!.attempt] : []),
          ...(order.some((step) => step === 'shadows' || step === 'together') ? [at.shadows[1]!.attempt] : []),
        ];
        expect((await rowsOf('attempts')).map((row) => row['id'])).toEqual(known.map(({ id }) => id).toSorted());
        expect((await rowsOf('operations')).map((row) => row['cost_nano_usd'])).toEqual(settled ? ['420000'] : order.includes('orphan') ? [null] : []);
      }),
      { numRuns: 40 },
    );
  });

  test('recorded by two workers at once stands once', async () => {
    const rows = Array.from({ length: 200 }, () => lateRow(lateAttempt(newId())));
    const results = await Promise.all([ledger.insert(batch({ late: rows })), ledger.insert(batch({ late: rows.toReversed() })), ledger.insert(batch({ late: rows }))]);
    expect(results.reduce((sum, { late }) => sum + late, 0)).toBe(200);
    expect(await rowsOf('attempts')).toHaveLength(200);
  });

  test('lies in the partition of its operation’s day, whenever it ended, and makes the day if it comes first', async () => {
    const operation = v7({ msecs: Date.UTC(2026, 2, 3, 23, 59, 59, 999) });
    await new Ledger(pool).insert(batch({ late: [lateRow(lateAttempt(operation, { id: v7({ msecs: Date.UTC(2026, 2, 4) }) }))] }));
    expect((await pool.query('select tableoid::regclass::text as partition from usage.attempts')).rows).toEqual([{ partition: 'usage.attempts_20260303' }]);
  });

  test('and is no shadow is set aside: it would be missing in what its operation cost', async () => {
    await writer().record([read({ ...lateAttempt(newId(), { shadow: false }) })]);
    expect(await rowsOf('attempts')).toEqual([]);
    expect((await pool.query('select reason from usage.rejected_events')).rows).toEqual([{ reason: expect.stringContaining('attempt.shadow') }]);
  });
});
