import { jest } from '@jest/globals';
import { newId, type AttemptRecord, type OperationRecord, type PriceOverride, type RoutingSnapshot } from '@deja/contracts';
import { inTransaction, type Pool } from '@deja/postgres';
import { priceOf } from '@deja/pricing';
import { eventually } from '@deja/testing';
import { v7 } from 'uuid';
import type { JobStep } from '../src/jobs/job-kind.ts';
import { getJob } from '../src/jobs/job-queries.ts';
import { JobRunner } from '../src/jobs/job-runner.ts';
import { JobStore } from '../src/jobs/job-store.ts';
import { Ledger } from '../src/ledger/ledger.ts';
import { lateRow, orphanedRows, settledRows } from '../src/ledger/rows.ts';
import { reprice, repriceLedger } from '../src/prices/reprice.ts';
import { Cleanup, database, logger, migrateLedger, telemetry } from './infrastructure.ts';
import { attemptRecord, lateAttempt, openOperation, operationRecord } from './records.ts';

// Deadlines are for a machine that does ten other things meanwhile.
jest.setTimeout(120_000);

const HOUR_MS = 3_600_000;
const NOW = Math.floor(Date.now() / HOUR_MS) * HOUR_MS;
const cleanup = new Cleanup();
let pool: Pool;
let ledger: Ledger;

beforeAll(async () => {
  ({ pool } = await database(cleanup));
  await migrateLedger(pool);
  ledger = new Ledger(pool);
});
afterAll(() => cleanup.run());
beforeEach(() => pool.query('truncate usage.operations, usage.attempts, usage.spend, usage.series, usage.rollup_minutes, usage.rollup_quarters, usage.rollup_days, usage.jobs, usage.repriced'));

const override = (input: number, output = 0, of: Partial<PriceOverride> = {}): PriceOverride => ({ input, cachedInput: input, cacheWrite: input, output, longContext: null, ...of });
const snapshotWith = (prices: RoutingSnapshot['settings']['prices']): RoutingSnapshot =>
  ({ version: 1, issuedAtMs: NOW, models: [], deployments: [{ id: 'openai/gpt-4o-mini', provider: 'openai', kind: 'openai' }], settings: { prices } }) as unknown as RoutingSnapshot;

const usage = { promptTokens: 1000, cachedTokens: 0, cacheWriteTokens: 0, completionTokens: 100, reasoningTokens: 0 };
const call = (over: Partial<AttemptRecord> = {}): AttemptRecord => attemptRecord({ usage, ...over });
const at = (hoursAgo: number, over: Partial<OperationRecord> = {}): OperationRecord => {
  const ms = NOW - hoursAgo * HOUR_MS;
  return operationRecord({ id: v7({ msecs: ms }), receivedAtMs: ms, usage, attempts: [call()], ...over });
};
const record = (...records: OperationRecord[]): Promise<unknown> => ledger.insert({ rows: records.map(settledRows), late: [], rejected: [] });
type Asked = Parameters<ReturnType<typeof reprice>['step']>[1];
const ALL: Asked = { from: new Date(NOW - 300 * HOUR_MS).toISOString(), to: new Date(NOW + HOUR_MS).toISOString(), only_unpriced: false, dry_run: false };

/** All steps of a job, one transaction each. */
async function repriced(prices: RoutingSnapshot['settings']['prices'], asked: Partial<Asked> = {}): Promise<Record<string, unknown>> {
  const kind = reprice(async () => snapshotWith(prices));
  let progress: unknown = null;
  for (;;) {
    const step: JobStep = await inTransaction(pool, (client) => kind.step(client, { ...ALL, ...asked }, progress));
    progress = JSON.parse(JSON.stringify(step.progress)) as unknown;
    if (step.done) return step.result;
  }
}

const rowsOf = async (sql: string): Promise<Record<string, unknown>[]> => (await pool.query(sql)).rows as Record<string, unknown>[];
const FIGURES = 'requests, prompt_tokens, completion_tokens, cost_nano_usd, saved_nano_usd, unpriced_requests, l38, l39';
/** Everything that is summed. */
async function sums(): Promise<unknown[]> {
  const added = FIGURES.split(', ').map((name) => `sum(${name})::text as ${name}`).join(', ');
  const series = 'cube, s.tenant, s.key, s."user", tag, model, provider, cache, price_version';
  return Promise.all([
    ...['minutes', 'quarters', 'days'].map((grain) => rowsOf(`select at, ${series}, ${added} from usage.rollup_${grain} r join usage.series s on s.id = r.series group by at, ${series} order by at, ${series}`)),
    rowsOf('select who, at, model, nano_usd::text from usage.spend where nano_usd <> 0 order by who, at, model'),
  ]);
}
const operations = () => rowsOf('select id, tenant, price_version, cost_nano_usd, saved_nano_usd, other_usage, prompt_tokens from usage.operations order by id');
const attempts = () => rowsOf('select operation_id, id, shadow, price_version, cost_nano_usd from usage.attempts order by id');
const everything = async (): Promise<unknown[]> => [await operations(), await attempts(), await sums()];
const emptied = () => pool.query('truncate usage.operations, usage.attempts, usage.spend, usage.series, usage.rollup_minutes, usage.rollup_quarters, usage.rollup_days');

test('rows, calls, what hits saved and all sums are as if each had been recorded at the price of its time', async () => {
  const prices = { 'gpt-4o-mini': [override(1e9), override(2e9, 5e9, { validFromMs: NOW - 10 * HOUR_MS })] };
  const priced = (record: OperationRecord): OperationRecord => {
    const price = priceOf({ provider: 'openai', kind: 'openai', upstreamModel: 'gpt-4o-mini', overrides: prices, atMs: record.receivedAtMs });
    return { ...record, savedPrice: record.savedPrice && price, attempts: record.attempts.map((attempt) => ({ ...attempt, price: attempt.usage === null ? attempt.price : price })) };
  };
  const records = [
    ...Array.from({ length: 1100 }, (_, i) => at(i / 20, { tenant: i % 2 ? 'a' : 'b', key: `k${i % 3}`, user: i % 5 ? 'ann' : null, durationMs: 700 + i / 10, attempts: [call({ price: i % 7 ? attemptRecord().price : null })] })),
    at(1, { attempts: [call({ n: 1, status: 429, outcome: 'error', usage: null, usageSource: 'none' }), call({ n: 2 }), call({ n: 3, shadow: true })] }),
    at(20, { attempts: [], cache: 'HIT-EXACT', usageSource: 'cache', savedPrice: attemptRecord().price }),
    at(21, { attempts: [], cache: 'HIT-SEMANTIC', usageSource: 'cache', savedPrice: null }),
    at(22, { usage: { ...usage, serviceTier: 'batch' }, attempts: [call({ usage: { ...usage, serviceTier: 'batch' } })] }),
  ];
  const tiered = Object.fromEntries(Object.entries(prices).map(([name, all]) => [name, all.map((one) => ({ ...one, serviceTiers: { batch: 0.5 } }))]));
  const asIf = records.map((one) => {
    const atMs = one.receivedAtMs;
    const price = priceOf({ provider: 'openai', kind: 'openai', upstreamModel: 'gpt-4o-mini', overrides: tiered, atMs })!;
    const known = priced(one);
    return { ...known, savedPrice: one.cache === 'MISS' ? null : price, attempts: known.attempts.map((attempt) => ({ ...attempt, price: attempt.usage === null ? attempt.price : price })) };
  });
  for (let i = 0; i < asIf.length; i += 500) await record(...asIf.slice(i, i + 500));
  const expected = await everything();
  await emptied();
  for (let i = 0; i < records.length; i += 500) await record(...records.slice(i, i + 500));

  const result = await repriced(tiered);
  expect(result).toMatchObject({ requests: 1104, changed: 1104, unknown: 0 });
  expect(await everything()).toEqual(expected);
  const [{ cost }] = (await rowsOf('select sum(cost_nano_usd)::text as cost from usage.operations')) as [{ cost: string }];
  expect(Math.round(Number(result['after_usd']) * 1e9)).toBe(Number(cost));

  expect(await repriced(tiered)).toMatchObject({ requests: 1104, changed: 0, before_usd: result['after_usd'], after_usd: result['after_usd'] });
  expect(await everything()).toEqual(expected);
});

test('what a row said before is kept', async () => {
  const one = at(2);
  await record(one);
  await repriced({ 'gpt-4o-mini': override(1e9) });
  const kept = await rowsOf('select operation_id, attempt_id, old_cost_nano_usd, old_price_version, new_cost_nano_usd, new_price_version from usage.repriced order by attempt_id nulls first');
  const figures = { operation_id: one.id, old_cost_nano_usd: '210000', old_price_version: '2026-06-30-test', new_cost_nano_usd: '1000000', new_price_version: expect.stringMatching(/^override:gpt-4o-mini-/) };
  expect(kept).toEqual([{ ...figures, attempt_id: null }, { ...figures, attempt_id: one.attempts[0]!.id }]);
});

test('a dry run tells what would change, and changes nothing', async () => {
  await record(at(1), at(2, { attempts: [call({ price: null })] }));
  const before = await everything();
  expect(await repriced({ 'gpt-4o-mini': override(1e9) }, { dry_run: true })).toEqual({
    requests: 2, changed: 2, unknown: 0, before_usd: '0.00021', after_usd: '0.002', saved_before_usd: '0', saved_after_usd: '0',
  });
  expect(await everything()).toEqual(before);
  expect(await rowsOf('select * from usage.repriced')).toEqual([]);
});

test('only what was asked for: of a time, tenant, provider and model, and only what has no price', async () => {
  const [early, later, other] = [at(30, { tenant: 'a' }), at(20, { tenant: 'b', model: 'fast' }), at(10, { tenant: 'b', attempts: [call({ price: null })] })];
  const elsewhere = at(10, { tenant: 'b', provider: 'azure', attempts: [call({ provider: 'azure' })] });
  await record(early, later, other, elsewhere);
  const changed = async (asked: Partial<Asked>): Promise<unknown> => (await repriced({ 'gpt-4o-mini': override(1e9) }, { ...asked, dry_run: true }))['changed'];
  const hours = (ago: number): string => new Date(NOW - ago * HOUR_MS).toISOString();
  expect(await changed({ from: hours(30), to: hours(20) })).toBe(1);
  expect(await changed({ from: hours(20) })).toBe(3);
  expect(await changed({ tenant: 'a' })).toBe(1);
  expect(await changed({ provider: 'azure' })).toBe(1);
  expect(await changed({ model: 'fast' })).toBe(1);
  expect(await repriced({ 'gpt-4o-mini': override(1e9) }, { only_unpriced: true })).toMatchObject({ requests: 1, changed: 1, before_usd: '0', after_usd: '0.001' });
  expect(await repriced({ 'gpt-4o-mini': override(1e9) }, { only_unpriced: true })).toMatchObject({ requests: 0 });
});

test('what is known stays where there is no price now, and what costs the same keeps the name of its price', async () => {
  const stays = [
    at(1, { provider: 'gone', deployment: 'gone/m', attempts: [call({ provider: 'gone', model: 'm' })] }),
    at(2, { attempts: [call({ price: { ...attemptRecord().price!, version: 'unbilled' } })] }),
    at(3, { endpoint: 'images/generations', attempts: [call({ price: null, usageSource: 'estimated', outcome: 'cancelled' })] }),
    at(4, { attempts: [call({ usage: { ...usage, images: 1 }, price: null })] }),
    at(5, { attempts: [call({ usage: null, usageSource: 'none' })] }),
    at(6, { attempts: [call({ price: { ...override(150_000_000, 600_000_000), version: 'older' } })] }),
  ];
  await record(...stays);
  await ledger.insert({ rows: [orphanedRows(openOperation({ receivedAtMs: NOW, estimatedCostNanoUsd: '700' }))], late: [], rejected: [] });
  const before = await everything();
  expect(await repriced({ 'gpt-4o-mini': override(150_000_000, 600_000_000) })).toMatchObject({ requests: 7, changed: 0, unknown: 3 });
  expect(await everything()).toEqual(before);
});

test('a shadow that came by itself is priced with its operation, which does not bear it', async () => {
  const one = at(1);
  const late = lateAttempt(one.id, { usage, model: 'gpt-4.1', price: null });
  await ledger.insert({ rows: [settledRows(one)], late: [lateRow(late)], rejected: [] });
  const spent = await rowsOf('select nano_usd::text from usage.spend');
  expect(await repriced({ 'gpt-4.1': override(3e9) })).toMatchObject({ changed: 1, before_usd: '0.00021', after_usd: '0.00021' });
  expect(await attempts()).toEqual(expect.arrayContaining([expect.objectContaining({ id: late.attempt.id, cost_nano_usd: '3000000' })]));
  expect(await rowsOf('select nano_usd::text from usage.spend')).toEqual(spent);
});

test('what comes in meanwhile, and sums that retention has dropped, keep nobody from it', async () => {
  await record(...Array.from({ length: 600 }, (_, i) => at(200 + i / 100)));
  const kind = reprice(async () => snapshotWith({ 'gpt-4o-mini': override(1e9) }));
  const first = await inTransaction(pool, (client) => kind.step(client, ALL, null));
  expect(first).toMatchObject({ done: false, result: { requests: 500 } });
  await record(at(1));
  const second = await inTransaction(pool, (client) => kind.step(client, ALL, JSON.parse(JSON.stringify(first.progress))));
  expect(second).toMatchObject({ done: true, result: { requests: 601, changed: 601, after_usd: '0.601' } });
  expect(await rowsOf('select sum(cost_nano_usd)::text as cost from usage.rollup_days r join usage.series s on s.id = r.series where cube = \'all\'')).toEqual([{ cost: '601000000' }]);
});

test('waits for prices as long as no router has told any', async () => {
  const step = await inTransaction(pool, (client) => reprice(async () => null).step(client, ALL, null));
  expect(step).toMatchObject({ progress: null, done: false, pauseMs: expect.any(Number) });
});

test('is a job that is asked for once, by a call that makes sense', async () => {
  await record(at(1));
  const store = new JobStore(pool);
  const body = { ...ALL, tenant: 'default' };
  const changeId = newId();
  await expect(repriceLedger(store, { changeId, by: { name: 'ops' }, body: { ...body, to: body.from } })).rejects.toMatchObject({ code: 'invalid_value', param: 'to' });
  const made = await repriceLedger(store, { changeId, by: { name: 'ops' }, body });
  expect(await repriceLedger(store, { changeId, by: { name: 'ops' }, body })).toEqual(made);
  const runner = new JobRunner({ pool, kinds: [reprice(async () => snapshotWith({ 'gpt-4o-mini': override(1e9) }))], instance: 'test', logger, meter: telemetry.meter });
  cleanup.add(() => runner.close());
  runner.start();
  const done = await eventually('the job to be done', async () => {
    const job = await inTransaction(pool, (client) => getJob(client, { scope: null, nowMs: NOW }, changeId));
    return job.state === 'done' ? job : null;
  });
  expect(done).toMatchObject({ kind: 'reprice', created_by: 'ops', request: body, result: { requests: 1, changed: 1, unknown: 0, before_usd: '0.00021', after_usd: '0.001' } });
});
