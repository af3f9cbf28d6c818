import { readFile } from 'node:fs/promises';
import { jest } from '@jest/globals';
import { newId, type OperationRecord } from '@deja/contracts';
import { inTransaction, type Pool } from '@deja/postgres';
import fc from 'fast-check';
import { Ledger, type LedgerBatch } from '../src/ledger/ledger.ts';
import { lateRow, orphanedRows, settledRows, type LedgerRows } from '../src/ledger/rows.ts';
import { FIGURES } from '../src/rollups/figures.ts';
import { BUCKET_COLUMNS, bucketOf } from '../src/rollups/latency-buckets.ts';
import { addToRollups } from '../src/rollups/rollup-writer.ts';
import { seriesId, seriesOf } from '../src/rollups/series.ts';
import { Cleanup, database, migrateLedger } from './infrastructure.ts';
import { attemptRecord, lateAttempt, openOperation, operationRecord } from './records.ts';

// Deadlines are for a machine that does ten other things meanwhile.
jest.setTimeout(120_000);

const NOW_MS = Date.UTC(2026, 6, 15, 12, 7);
const DAY_MS = 86_400_000;

const cleanup = new Cleanup();
let pool: Pool;
let ledgers: [Ledger, Ledger];

beforeAll(async () => {
  ({ pool } = await database(cleanup));
  await migrateLedger(pool);
  ledgers = [new Ledger(pool, { nowMs: () => NOW_MS }), new Ledger(pool, { nowMs: () => NOW_MS })];
});
afterAll(() => cleanup.run());
beforeEach(() => empty());

const empty = async (): Promise<void> => {
  await pool.query('truncate usage.operations, usage.attempts, usage.spend, usage.series, usage.rollup_minutes, usage.rollup_quarters, usage.rollup_days');
};
const batch = (over: Partial<LedgerBatch>): LedgerBatch => ({ rows: [], late: [], rejected: [], ...over });
const insert = (...rows: LedgerRows[]) => ledgers[0].insert(batch({ rows }));
const at = (over: Partial<OperationRecord>): OperationRecord => operationRecord({ receivedAtMs: NOW_MS, ...over });

const GRAINS = { minutes: `date_trunc('minute', received_at)`, quarters: `date_bin('15 minutes', received_at, '2000-01-01T00:00:00Z')`, days: `date_trunc('day', received_at, 'UTC')` };
const DIMENSIONS = 's.cube, s.tenant, s.key, s."user", s.tag, s.endpoint, s.requested_model, s.model, s.provider, s.cache, s.cache_reason, s.price_version';
const shown = (names: readonly string[]): string => names.map((name) => `coalesce(${name}, 0)::text as ${name}`).join(', ');

/** All sums of a grain, as they stand. */
const sumsOf = async (grain: keyof typeof GRAINS): Promise<unknown[]> =>
  (await pool.query(`select s.id, ${DIMENSIONS}, r.at, ${shown([...FIGURES, ...BUCKET_COLUMNS].map((name) => `r.${name}`)).replaceAll('as r.', 'as ')} from usage.rollup_${grain} r join usage.series s on s.id = r.series order by r.tenant, r.at, s.id`)).rows;

/** All sums of a grain, added up anew from the rows of operations. */
async function sumsOfRows(grain: keyof typeof GRAINS): Promise<unknown[]> {
  const figures = FIGURES.map((name) => `sum(${name})::text as ${name}`).join(', ');
  const buckets = BUCKET_COLUMNS.map((name, i) => `count(*) filter (where bucket = ${i})::text as ${name}`).join(', ');
  const kept = grain === 'minutes' ? `where cube = 'all' and received_at >= '${new Date(NOW_MS - 8 * DAY_MS).toISOString().slice(0, 10)}T00:00:00Z'` : '';
  return (await pool.query(`select series as id, ${DIMENSIONS.replaceAll('s.', '')}, ${GRAINS[grain]} as at, ${figures}, ${buckets} from usage.operation_sums ${kept} group by series, ${DIMENSIONS.replaceAll('s.', '')}, ${GRAINS[grain]} order by tenant, at, id`)).rows;
}

/** What a question by one dimension is answered from sums, and from the rows themselves. */
async function byDimension(name: string): Promise<{ sums: unknown[]; rows: unknown[] }> {
  const cube = name === 'user' || name === 'tag' ? name : 'all';
  const from = name === 'tag' ? `usage.operations o left join lateral (select key || '=' || value as tag from jsonb_each_text(o.tags)) t on true` : 'usage.operations o';
  const tokens = ['prompt_tokens', 'cached_tokens', 'cache_write_tokens', 'completion_tokens', 'reasoning_tokens'];
  const [sums, rows] = await Promise.all([
    pool.query(`select s."${name}" as name, sum(requests)::text as requests, sum(errors)::text as errors, ${tokens.map((token) => `sum(${token})::text as ${token}`).join(', ')}, sum(cost_nano_usd)::text as cost, sum(saved_nano_usd)::text as saved, sum(unpriced_requests)::text as unpriced
      from usage.rollup_days r join usage.series s on s.id = r.series where s.cube = '${cube}' group by 1 order by 1`),
    pool.query(`select "${name}" as name, count(*)::text as requests, count(*) filter (where outcome = 'error')::text as errors, ${tokens.map((token) => `coalesce(sum(${token}) filter (where usage_source <> 'cache'), 0)::text as ${token}`).join(', ')},
      coalesce(sum(cost_nano_usd), 0)::text as cost, coalesce(sum(saved_nano_usd), 0)::text as saved, (count(*) filter (where cost_nano_usd is null))::text as unpriced from ${from} group by 1 order by 1`),
  ]);
  return { sums: sums.rows, rows: rows.rows };
}

async function expectExact(): Promise<void> {
  for (const grain of ['minutes', 'quarters', 'days'] as const) expect(await sumsOf(grain)).toEqual(await sumsOfRows(grain));
  for (const name of ['tenant', 'key', 'user', 'tag', 'endpoint', 'requested_model', 'model', 'provider', 'cache', 'cache_reason', 'price_version']) {
    const { sums, rows } = await byDimension(name);
    expect({ name, sums }).toEqual({ name, sums: rows });
  }
}

test('an operation counts once in each cube, in its minute, its quarter of an hour and its UTC day', async () => {
  await insert(settledRows(at({ user: 'ann', tags: { team: 'search', tier: 'gold' }, cacheReason: 'no_entry', durationMs: 801.25 })));
  const { rows } = await pool.query(
    `select s.cube, s."user", s.tag, s.cache_reason, s.model, r.grain, r.at, r.requests::int, r.cost_nano_usd::text, r.prompt_tokens::int, r.l39::int from usage.series s join (
       select 'minutes' as grain, * from usage.rollup_minutes union all select 'quarters', * from usage.rollup_quarters union all select 'days', * from usage.rollup_days) r on r.series = s.id order by s.cube, s.tag, r.grain`,
  );
  const figures = { model: 'gpt-4o-mini', requests: 1, cost_nano_usd: '420000', prompt_tokens: 1000, l39: 1 };
  const days = { grain: 'days', at: new Date(Date.UTC(2026, 6, 15)) };
  const quarters = { grain: 'quarters', at: new Date(Date.UTC(2026, 6, 15, 12)) };
  const all = { cube: 'all', user: null, tag: null, cache_reason: 'no_entry', ...figures };
  const tag = { cube: 'tag', user: null, cache_reason: null, ...figures };
  expect(bucketOf(801.25)).toBe(39);
  expect(rows).toEqual([
    { ...all, ...days }, { ...all, grain: 'minutes', at: new Date(NOW_MS) }, { ...all, ...quarters },
    { ...tag, tag: 'team=search', ...days }, { ...tag, tag: 'team=search', ...quarters }, { ...tag, tag: 'tier=gold', ...days }, { ...tag, tag: 'tier=gold', ...quarters },
    { ...all, cube: 'user', user: 'ann', cache_reason: null, ...days }, { ...all, cube: 'user', user: 'ann', cache_reason: null, ...quarters },
  ]);
});

test('an orphan that a settled record replaces is taken back whole, wherever it was counted', async () => {
  const record = at({ user: 'ann', requestedModel: 'b' });
  await insert(orphanedRows(openOperation({ id: record.id, user: null, requestedModel: 'a', receivedAtMs: NOW_MS - 3 * DAY_MS, estimatedCostNanoUsd: '9000' })));
  expect((await byDimension('requested_model')).sums).toMatchObject([{ name: 'a', requests: '1', cost: '9000' }]);
  await insert(settledRows(record));
  expect((await byDimension('requested_model')).sums).toMatchObject([{ name: 'b', requests: '1', cost: '420000' }]);
  await expectExact();
});

test('an orphan of a time whose sums were dropped is replaced all the same', async () => {
  const record = at({});
  await insert(orphanedRows(openOperation({ id: record.id, receivedAtMs: NOW_MS - 90 * DAY_MS })));
  await pool.query('drop table usage.rollup_quarters_202604');
  await insert(settledRows(record));
  expect(await sumsOf('quarters')).toEqual(await sumsOfRows('quarters'));
});

test('duplicates and shadows that come by themselves change no sum', async () => {
  const record = at({});
  await insert(settledRows(record));
  const before = await Promise.all([sumsOf('minutes'), sumsOf('quarters'), sumsOf('days')]);
  await insert(settledRows(record), settledRows(record), orphanedRows(openOperation({ id: record.id })));
  await ledgers[0].insert(batch({ late: [lateRow(lateAttempt(record.id))] }));
  expect(await Promise.all([sumsOf('minutes'), sumsOf('quarters'), sumsOf('days')])).toEqual(before);
});

const text = fc.constantFrom('a', 'b', 'a\0b', 'a\ufffdb', '\ud800', '\\u0000', '"', '=,{}', 'x'.repeat(4096));
const operation = fc.record({
  tenant: fc.constantFrom('acme', 'other'),
  key: fc.constantFrom(null, 'k1', 'k2'),
  user: fc.option(text),
  tags: fc.dictionary(text, text, { maxKeys: 3 }),
  endpoint: fc.constantFrom('chat/completions', 'embeddings'),
  requestedModel: fc.constantFrom('m', 'auto:cost'),
  model: fc.constantFrom(null, 'm', 'n'),
  provider: fc.constantFrom(null, 'p', 'q'),
  outcome: fc.constantFrom('ok', 'error', 'cancelled', 'blocked'),
  cache: fc.constantFrom(null, 'MISS', 'HIT-EXACT', 'BYPASS'),
  cacheReason: fc.constantFrom(null, 'no_entry', 'off'),
  usageSource: fc.constantFrom('upstream', 'cache', 'estimated'),
  savedMs: fc.oneof(fc.constant(null), fc.double({ noNaN: true, noDefaultInfinity: true }), fc.double({ min: 0, max: 1e5, noNaN: true })),
  durationMs: fc.oneof(fc.double({ min: -1, max: 1e6, noNaN: true }), fc.integer({ min: 0, max: 78 }).map((i) => 2 ** (i / 4))),
  /** Some within the minutes that are kept, some before. */
  receivedAtMs: fc.oneof(fc.integer({ min: NOW_MS - 20 * 60_000, max: NOW_MS }), fc.integer({ min: NOW_MS - 10 * DAY_MS, max: NOW_MS + DAY_MS })),
  priced: fc.array(fc.boolean(), { maxLength: 3 }),
  kinds: fc.constantFrom(['settled'], ['orphaned'], ['settled', 'orphaned']),
  estimate: fc.option(fc.nat(1_000_000)),
});

test('whatever comes in whatever order and however often, through two workers at once, the sums of each cube are those of the rows for every dimension, to the nano-dollar', async () => {
  const scenario = fc.record({ operations: fc.array(operation, { minLength: 1, maxLength: 12 }), order: fc.infiniteStream(fc.nat()), times: fc.integer({ min: 1, max: 3 }), split: fc.integer({ min: 1, max: 6 }) });
  await fc.assert(
    fc.asyncProperty(scenario, async ({ operations, order, times, split }) => {
      await empty();
      const events = operations.flatMap(({ priced, kinds, estimate, ...of }) => {
        const record = operationRecord({ ...of, savedPrice: attemptRecord().price, attempts: priced.map((known, i) => attemptRecord({ n: i + 1, ...(known ? {} : { price: null }) })) } as Partial<OperationRecord>);
        const { id, tenant, key, user, tags, requestedModel, receivedAtMs } = record;
        const open = openOperation({ id, tenant, key, user, tags, requestedModel, receivedAtMs, estimatedCostNanoUsd: estimate === null ? null : String(estimate) });
        return kinds.map((kind) => (kind === 'settled' ? settledRows(record) : orphanedRows(open)));
      });
      const sent = Array.from({ length: times }, () => events).flat().map((rows) => ({ rows, place: order.next().value as number })).toSorted((a, b) => a.place - b.place).map(({ rows }) => rows);
      const send = async (ledger: Ledger, all: LedgerRows[]): Promise<void> => {
        for (let i = 0; i < all.length; i += split) await ledger.insert(batch({ rows: all.slice(i, i + split) }));
      };
      await Promise.all([send(ledgers[0], sent), send(ledgers[1], sent.toReversed().filter((_, i) => i % 2 === 0))]);
      await expectExact();
    }),
    { numRuns: 30 },
  );
});

test('workers that record many operations of the same series at once never wait in a circle', async () => {
  const rows = Array.from({ length: 300 }, (_, i) => settledRows(at({ tenant: `t${i % 7}`, key: `k${i % 11}`, user: `u${i % 13}`, tags: { team: `${i % 5}` }, receivedAtMs: NOW_MS - (i % 40) * 60_000 })));
  const orphans = rows.map(({ operation: { id, tenant, key, user, tags, received_at } }) => orphanedRows(openOperation({ id, tenant, key, user, tags, receivedAtMs: Date.parse(received_at), estimatedCostNanoUsd: '100' })));
  const orders = [rows, rows.toReversed(), orphans, orphans.toReversed(), rows.toSorted((a, b) => (a.operation.tenant < b.operation.tenant ? -1 : 1))];
  await Promise.all(orders.map(async (order, n) => {
    for (let i = 0; i < order.length; i += 25) await ledgers[n % 2]!.insert(batch({ rows: order.slice(i, i + 25) }));
  }));
  await expectExact();
});

test('a series says when the first operation of it was received', async () => {
  await insert(settledRows(at({ receivedAtMs: NOW_MS - 1000 })), settledRows(at({ receivedAtMs: NOW_MS - 5000 })));
  await insert(settledRows(at({ receivedAtMs: NOW_MS })));
  expect((await pool.query(`select first_at from usage.series where cube = 'all'`)).rows).toEqual([{ first_at: new Date(NOW_MS - 5000) }]);
});

test('sums that no bigint holds are exact', async () => {
  const price = { version: 'v', input: 1e15, cachedInput: 0, cacheWrite: 0, output: 0, longContext: null };
  const usage = { promptTokens: 2 ** 31 - 1, cachedTokens: 0, cacheWriteTokens: 0, completionTokens: 0, reasoningTokens: 0 };
  await insert(...Array.from({ length: 8 }, () => settledRows(at({ attempts: [attemptRecord({ price, usage })] }))));
  expect((await byDimension('tenant')).sums).toMatchObject([{ cost: String(8n * (2n ** 31n - 1n) * 10n ** 9n) }]);
});

test('Postgres and this app give a series the same id, and a duration the same bucket', async () => {
  await fc.assert(
    fc.asyncProperty(operation, async ({ priced: _priced, kinds: _kinds, estimate: _estimate, ...of }) => {
      for (const name of seriesOf(settledRows(operationRecord(of as Partial<OperationRecord>)).operation)) {
        const { rows } = await pool.query(`select usage.series_id($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) as id, usage.latency_bucket($13) as bucket`, [...Object.values(name.row), of.durationMs]);
        expect(rows).toEqual([{ id: seriesId(name), bucket: bucketOf(of.durationMs) }]);
      }
    }),
  );
});

test('what corrects old rows changes the sums there are, and brings none back that retention dropped', async () => {
  const rows = settledRows(at({}));
  await insert(rows);
  await pool.query('drop table usage.rollup_minutes_20260715');
  const operation = { ...rows.operation, cost_nano_usd: 1n };
  await inTransaction(pool, async (client) => {
    await client.query('update usage.operations set cost_nano_usd = 1');
    await addToRollups(client, [{ operation: rows.operation, sign: -1 }, { operation, sign: 1 }]);
  });
  expect(await sumsOf('quarters')).toEqual(await sumsOfRows('quarters'));
  expect(await sumsOf('days')).toEqual(await sumsOfRows('days'));
  expect(await sumsOf('minutes')).toEqual([]);
});

test('the migration counts what the ledger holds already', async () => {
  const old = new Ledger(pool);
  for (let i = 11; i >= 0; i -= 1) {
    const attempts = [attemptRecord({ price: i % 3 === 0 ? null : attemptRecord().price }), attemptRecord({ n: 2, shadow: true })];
    await old.insert(batch({ rows: [settledRows(operationRecord({ tenant: `t${i % 2}`, user: i % 2 === 0 ? null : 'ann', durationMs: 2 ** i, receivedAtMs: Date.now() - i * 700 * 60_000, attempts }))] }));
  }
  await old.insert(batch({ rows: [orphanedRows(openOperation({ id: newId(), receivedAtMs: Date.now() - 100 * DAY_MS })), settledRows(operationRecord({ attempts: [], tags: {} }))] }));
  const all = async (): Promise<unknown[][]> => [await sumsOf('minutes'), await sumsOf('quarters'), await sumsOf('days'), (await pool.query('select * from usage.series order by id')).rows];
  const before = await all();
  for (const { name } of (await pool.query<{ name: string }>(`select inhrelid::regclass::text as name from pg_inherits where inhparent in ('usage.rollup_minutes'::regclass, 'usage.rollup_quarters'::regclass)`)).rows) await pool.query(`drop table ${name}`);
  await pool.query('truncate usage.series, usage.rollup_days');
  const migration = await readFile(new URL('../migrations/0004_rollups.sql', import.meta.url), 'utf8');
  for (const statement of migration.split('--> statement-breakpoint').slice(-2)) await pool.query(statement);
  expect(await all()).toEqual(before);
});
