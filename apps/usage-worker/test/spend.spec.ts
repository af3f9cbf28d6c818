import { readFile } from 'node:fs/promises';
import { jest } from '@jest/globals';
import { newId, type BudgetAccount } from '@deja/contracts';
import type { Pool } from '@deja/postgres';
import fc from 'fast-check';
import { Ledger, type LedgerBatch } from '../src/ledger/ledger.ts';
import { lateRow, orphanedRows, settledRows, type LedgerRows } from '../src/ledger/rows.ts';
import { spentOf } from '../src/ledger/spend.ts';
import { Cleanup, database, migrateLedger } from './infrastructure.ts';
import { attemptRecord, lateAttempt, openOperation, operationRecord } from './records.ts';

// Deadlines are for a machine that does ten other things meanwhile.
jest.setTimeout(60_000);

const cleanup = new Cleanup();
let pool: Pool;
let ledger: Ledger;

beforeAll(async () => {
  ({ pool } = await database(cleanup));
  await migrateLedger(pool);
  ledger = new Ledger(pool);
});
afterAll(() => cleanup.run());
beforeEach(async () => {
  await pool.query('truncate usage.operations, usage.attempts, usage.rejected_events, usage.spend');
});

/** A settled operation costs 420,000 nano-USD. */
const COST = 420_000n;
const batch = (over: Partial<LedgerBatch>): LedgerBatch => ({ rows: [], late: [], rejected: [], ...over });
const insert = (...rows: LedgerRows[]) => ledger.insert(batch({ rows }));
const account = (of: Partial<BudgetAccount> = {}): BudgetAccount => ({ key: 'k', tenant: null, clientKey: null, user: null, model: null, fromMs: 0, toMs: null, ...of });
const spent = async (...accounts: Partial<BudgetAccount>[]): Promise<bigint[]> => await spentOf(pool, accounts.map(account));

test('what one operation cost was spent by everybody, its tenant, its key and its user, and by its model in each', async () => {
  await insert(settledRows(operationRecord({ tenant: 'acme', key: 'key-1', user: 'ann', requestedModel: 'auto:speed' })));
  await insert(settledRows(operationRecord({ tenant: 'acme', key: 'key-2', user: null, requestedModel: 'gpt-4o' })));
  await insert(settledRows(operationRecord({ tenant: 'other', key: 'key-3', user: 'ann', requestedModel: 'gpt-4o' })));
  const acme = { tenant: 'acme' };
  expect(await spent({}, acme, { ...acme, clientKey: 'key-1' }, { ...acme, user: 'ann' }, { ...acme, user: 'bob' })).toEqual([3n * COST, 2n * COST, COST, COST, 0n]);
  expect(await spent({ model: 'gpt-4o' }, { ...acme, model: 'auto' }, { ...acme, clientKey: 'key-2', model: 'auto' }, { ...acme, user: 'ann', model: 'auto' })).toEqual([2n * COST, COST, 0n, COST]);
});

test('a period counts what was received within it, to the quarter of an hour', async () => {
  const quarter = Date.UTC(2026, 2, 1, 10, 15);
  for (const receivedAtMs of [quarter - 1, quarter, quarter + 899_999, quarter + 900_000]) await insert(settledRows(operationRecord({ receivedAtMs })));
  expect(await spent({ toMs: quarter }, { fromMs: quarter, toMs: quarter + 900_000 }, { fromMs: quarter + 900_000 }, {})).toEqual([COST, 2n * COST, COST, 4n * COST]);
});

test('an unknown cost counts as far as it is known, and a shadow is nobody’s spending', async () => {
  await insert(settledRows(operationRecord({ attempts: [attemptRecord(), attemptRecord({ n: 2, price: null }), attemptRecord({ n: 3, shadow: true })] })));
  await ledger.insert(batch({ late: [lateRow(lateAttempt(newId()))] }));
  expect(await spent({})).toEqual([COST]);
});

test('an orphan counts its estimate until its settled record takes its place', async () => {
  const record = operationRecord();
  await insert(orphanedRows(openOperation({ id: record.id, user: 'ann', estimatedCostNanoUsd: '9000' })));
  expect(await spent({ tenant: 'default' }, { tenant: 'default', user: 'ann' })).toEqual([9000n, 9000n]);
  await insert(settledRows(record));
  expect(await spent({ tenant: 'default' }, { tenant: 'default', user: 'ann' })).toEqual([COST, COST]);
});

test('an orphan is taken back where it was counted, also when its settled record says something else of it', async () => {
  const record = operationRecord({ user: 'ann', requestedModel: 'b' });
  await insert(orphanedRows(openOperation({ id: record.id, user: null, requestedModel: 'a', receivedAtMs: record.receivedAtMs - 3_600_000, estimatedCostNanoUsd: '9000' })));
  await insert(settledRows(record));
  expect(await spent({ model: 'a' }, { model: 'b' }, { toMs: Math.floor(record.receivedAtMs / 900_000) * 900_000 })).toEqual([0n, COST, 0n]);
});

test('whatever comes in whatever order and however often, the sums are those of the rows', async () => {
  const operation = fc.record({
    tenant: fc.constantFrom('a', 'b'), key: fc.constantFrom(null, 'k1', 'k2'), user: fc.constantFrom(null, 'ann', 'a\0nn', 'a\ufffdnn', 'x'.repeat(4096)), model: fc.constantFrom('m', 'm:cost', 'n'),
    kinds: fc.constantFrom(['settled'], ['orphaned'], ['settled', 'orphaned']), calls: fc.integer({ min: 0, max: 3 }), estimate: fc.option(fc.nat(1_000_000)),
  });
  const scenario = fc.record({ operations: fc.array(operation, { minLength: 1, maxLength: 8 }), order: fc.infiniteStream(fc.nat()), times: fc.integer({ min: 1, max: 3 }), split: fc.integer({ min: 1, max: 5 }) });
  await fc.assert(
    fc.asyncProperty(scenario, async ({ operations, order, times, split }) => {
      await pool.query('truncate usage.operations, usage.attempts, usage.spend');
      const events = operations.flatMap(({ tenant, key, user, model, kinds, calls, estimate }) => {
        const record = operationRecord({ tenant, key, user, requestedModel: model, attempts: Array.from({ length: calls }, (_, i) => attemptRecord({ n: i + 1 })) });
        const open = openOperation({ id: record.id, tenant, key, user, requestedModel: model, receivedAtMs: record.receivedAtMs, estimatedCostNanoUsd: estimate === null ? null : String(estimate) });
        return kinds.map((kind) => (kind === 'settled' ? settledRows(record) : orphanedRows(open)));
      });
      const sent = Array.from({ length: times }, () => events).flat().map((rows) => ({ rows, at: order.next().value as number })).toSorted((a, b) => a.at - b.at).map(({ rows }) => rows);
      for (let i = 0; i < sent.length; i += split) await insert(...sent.slice(i, i + split));
      const { rows } = await pool.query<{ tenant: string; key: string | null; user: string | null; model: string; cost: string }>(
        `select tenant, key, "user", split_part(requested_model, ':', 1) as model, coalesce(cost_nano_usd, 0) as cost from usage.operations`,
      );
      const sum = (of: Partial<BudgetAccount>): bigint =>
        rows.filter((row) => (of.tenant ?? row.tenant) === row.tenant && (of.clientKey ?? row.key) === row.key && (of.user ?? row.user) === row.user && (of.model ?? row.model) === row.model).reduce((total, { cost }) => total + BigInt(cost), 0n);
      const tenants = ['a', 'b'].flatMap((tenant) => [{ tenant }, { tenant, clientKey: 'k1' }, { tenant, clientKey: 'k2' }, { tenant, user: 'ann' }, { tenant, user: 'a\ufffdnn' }, { tenant, user: 'x'.repeat(4096) }]);
      const accounts = [{}, ...tenants].flatMap((of) => [of, { ...of, model: 'm' }, { ...of, model: 'n' }]);
      expect(await spent(...accounts)).toEqual(accounts.map(sum));
    }),
    { numRuns: 40 },
  );
});

test('workers that record many operations of the same tenants at once count each once, and none waits in a circle', async () => {
  const rows = Array.from({ length: 300 }, (_, i) => settledRows(operationRecord({ tenant: `t${i % 7}`, key: `k${i % 11}`, user: `u${i % 13}`, requestedModel: `m${i % 5}` })));
  const orphans = rows.map(({ operation }) => orphanedRows(openOperation({ id: operation.id, tenant: operation.tenant, key: operation.key, user: operation.user, requestedModel: operation.requested_model, estimatedCostNanoUsd: '100' })));
  const orders = [rows, rows.toReversed(), orphans, orphans.toReversed(), rows.toSorted((a, b) => (a.operation.tenant < b.operation.tenant ? -1 : 1))];
  await Promise.all(orders.map(async (order) => {
    for (let i = 0; i < order.length; i += 25) await insert(...order.slice(i, i + 25));
  }));
  expect(await spent({})).toEqual([300n * COST]);
  expect((await spent(...Array.from({ length: 7 }, (_, i) => ({ tenant: `t${i}` })))).reduce((a, b) => a + b)).toBe(300n * COST);
});

test('sums that no bigint holds are exact', async () => {
  const huge = { version: 'v', input: 1e15, cachedInput: 0, cacheWrite: 0, output: 0, longContext: null };
  const usage = { promptTokens: 2 ** 31 - 1, cachedTokens: 0, cacheWriteTokens: 0, completionTokens: 0, reasoningTokens: 0 };
  const rows = Array.from({ length: 8 }, () => settledRows(operationRecord({ attempts: [attemptRecord({ price: huge, usage })] })));
  await insert(...rows);
  expect(await spent({})).toEqual([8n * (2n ** 31n - 1n) * 10n ** 9n]);
});

test('the migration counts what the ledger holds already', async () => {
  for (let i = 0; i < 12; i += 1) {
    const attempts = [attemptRecord({ price: i % 3 === 0 ? null : attemptRecord().price }), attemptRecord({ n: 2, shadow: true }), attemptRecord({ n: 3 })];
    await insert(settledRows(operationRecord({ tenant: `t${i % 2}`, user: i % 2 === 0 ? null : 'ann', requestedModel: i % 4 === 0 ? 'm:speed' : 'm', receivedAtMs: Date.UTC(2026, 0, 1, 0, 10 * i), attempts })));
  }
  await insert(orphanedRows(openOperation()), settledRows(operationRecord({ attempts: [] })));
  const sums = async () => (await pool.query('select * from usage.spend order by who, at, model')).rows as unknown[];
  const before = await sums();
  expect(before.length).toBeGreaterThan(20);
  await pool.query('truncate usage.spend');
  const migration = await readFile(new URL('../migrations/0002_spend.sql', import.meta.url), 'utf8');
  const fill = migration.split('--> statement-breakpoint').filter((statement) => statement.includes('INSERT INTO'));
  expect(fill).toHaveLength(1);
  await pool.query(fill[0]!);
  expect(await sums()).toEqual(before);
});
