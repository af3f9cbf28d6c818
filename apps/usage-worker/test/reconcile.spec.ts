import { zstdCompressSync } from 'node:zlib';
import { metrics } from '@opentelemetry/api';
import { COUNTING_GATEWAYS_KEY, SPOOLED_FIELD, gatewayAcceptedKey, gatewayAliveKey, gatewayOpsKey, GATEWAYS_KEY, USAGE_QUEUE, USAGE_QUEUE_PREFIX, type OperationRecord } from '@deja/contracts';
import { inTransaction, openPool, type Pool } from '@deja/postgres';
import { openRedis, type RedisClient } from '@deja/redis';
import { eventually } from '@deja/testing';
import { Queue } from 'bullmq';
import { v7 } from 'uuid';
import { eventsOnQueue } from '../src/intake/queue-contents.ts';
import { Ledger } from '../src/ledger/ledger.ts';
import { orphanedRows, settledRows } from '../src/ledger/rows.ts';
import { DriftMetrics } from '../src/reconcile/drift-metrics.ts';
import { getReconciliation, lastReconciliation } from '../src/reconcile/get-reconciliation.ts';
import { LedgerReconciler } from '../src/reconcile/ledger-reconciler.ts';
import { Cleanup, database, logger, migrateLedger, redisServer } from './infrastructure.ts';
import { attemptRecord, openOperation, operationRecord } from './records.ts';

const MINUTE_MS = 60_000;
/** The quarter that is compared. */
const QUARTER = Math.floor(Date.now() / (15 * MINUTE_MS)) * 15 * MINUTE_MS;
const AFTER = QUARTER + 18 * MINUTE_MS;

const servers = new Cleanup();
let pool: Pool;
let url: string;
let ledger: Ledger;
let redis: RedisClient;
let queue: Queue;
let nowMs = AFTER;
let logged: [string, Record<string, number>][] = [];

beforeAll(async () => {
  const server = await redisServer(servers);
  ({ url, pool } = await database(servers));
  await migrateLedger(pool);
  ledger = new Ledger(pool);
  redis = openRedis(server.url, { role: 'blocking', name: 'test', logger });
  await eventually('the connection stands', () => redis.status === 'ready');
  queue = new Queue(USAGE_QUEUE, { connection: redis, prefix: USAGE_QUEUE_PREFIX, skipVersionCheck: true });
  servers.add(async () => {
    await queue.close();
    redis.disconnect();
  });
});
afterAll(() => servers.run());
beforeEach(async () => {
  await redis.flushall();
  await pool.query('truncate usage.operations, usage.attempts, usage.series, usage.rollup_minutes, usage.rollup_quarters, usage.rollup_days, usage.accepted, usage.reconciliation');
  nowMs = AFTER;
  logged = [];
});

function replica(cleanup: Cleanup = servers): { reconciler: LedgerReconciler; drift: DriftMetrics } {
  const own = openPool(url, { name: 'reconcile', logger, max: 1 });
  cleanup.add(() => own.end());
  const drift = new DriftMetrics(metrics.getMeter('test'));
  const log = { info: (fields: object) => void logged.push(['info', fields as Record<string, number>]), warn: (fields: object) => void logged.push(['warn', fields as Record<string, number>]) };
  return { drift, reconciler: new LedgerReconciler({ redis, pool: own, queued: () => eventsOnQueue(redis, (name) => queue.toKey(name)), metrics: drift, logger: log, now: () => nowMs }) };
}

/** One round, a minute after the last. */
async function round({ reconciler }: ReturnType<typeof replica>): Promise<void> {
  nowMs += MINUTE_MS;
  await reconciler.reconcile();
}

const received = (over: Partial<OperationRecord> = {}): OperationRecord => operationRecord({ id: v7({ msecs: QUARTER + MINUTE_MS }), receivedAtMs: QUARTER + MINUTE_MS, ...over });
const record = (...records: OperationRecord[]) => ledger.insert({ rows: records.map(settledRows), late: [], rejected: [] });
const report = () => inTransaction(pool, (client) => getReconciliation(client, nowMs));
const ofQuarter = async () => (await report()).quarters.find(({ at }) => at === new Date(QUARTER).toISOString());

async function gateway(name: string, accepted: number, o: { alive?: boolean; spooled?: number } = {}): Promise<void> {
  await redis.sadd(GATEWAYS_KEY, name);
  await redis.sadd(COUNTING_GATEWAYS_KEY, name);
  await redis.hset(gatewayAcceptedKey(name), { [String(QUARTER)]: accepted, [SPOOLED_FIELD]: JSON.stringify({ [QUARTER]: o.spooled ?? 0 }) });
  if (o.alive !== false) await redis.set(gatewayAliveKey(name), '1');
}

/** Somebody looked while the quarter lasted. */
async function watched(one: ReturnType<typeof replica>): Promise<void> {
  nowMs = QUARTER;
  await round(one);
  nowMs = AFTER;
}

test('what gateways accepted and the ledger has is no difference, whoever has died meanwhile', async () => {
  const one = replica();
  await gateway('a', 2);
  await gateway('b', 1, { alive: false });
  const dead = openOperation({ id: v7({ msecs: QUARTER }), receivedAtMs: QUARTER });
  await record(received(), received({ outcome: 'error', usage: null, usageSource: 'none', attempts: [] }));
  await ledger.insert({ rows: [orphanedRows(dead)], late: [], rejected: [] });
  await watched(one);
  await round(one);
  expect(await ofQuarter()).toEqual({ at: new Date(QUARTER).toISOString(), accepted: 3, unsure: 0, recorded: 3, on_the_way: 0, missing: 0, surplus: 0 });
  expect(await report()).toMatchObject({ object: 'reconciliation', at: new Date(nowMs).toISOString(), missing: 0, surplus: 0, sums_differ: 0 });
  expect([await inTransaction(pool, (client) => lastReconciliation(client, nowMs)), logged]).toEqual([{ missing: 0, surplus: 0, sumsDiffer: 0 }, []]);
  expect(await inTransaction(pool, (client) => lastReconciliation(client, nowMs + 11 * MINUTE_MS))).toBeNull();
});

test('what is open, settled and held, on the queue or on the disk of a living gateway is on the way; what is nowhere is missing, and said once', async () => {
  const one = replica();
  await gateway('a', 7, { spooled: 1 });
  await gateway('gone', 0, { alive: false, spooled: 5 });
  const [open, held, shadowless] = [openOperation({ receivedAtMs: QUARTER }), received(), received()];
  await redis.hset(gatewayOpsKey('a'), { [open.id]: JSON.stringify(open), [held.id]: JSON.stringify(held), torn: '{' });
  await queue.add('settled', { v: 1, events: [shadowless] });
  await queue.add('settled', { v: 2, z: zstdCompressSync(JSON.stringify([received(), { kind: 'late_attempt' }])).toString('base64') });
  await record(received());
  await round(one);
  expect(await ofQuarter()).toMatchObject({ accepted: 7, recorded: 1, on_the_way: 5, missing: 0 });
  await round(one);
  await round(one);
  expect(await ofQuarter()).toMatchObject({ on_the_way: 5, missing: 1 });
  expect(one.drift.differences).toMatchObject({ missing: 1, surplus: 0, sumsDiffer: 0 });
  expect(logged).toEqual([['warn', { missing: 1, surplus: 0, sums_differ: 0 }]]);
  await record(received());
  await round(one);
  await round(one);
  expect(await ofQuarter()).toMatchObject({ recorded: 2, on_the_way: 5, missing: 0 });
  expect(logged.slice(1)).toEqual([['info', { missing: 0, surplus: 0, sums_differ: 0 }]]);
});

test('while more is on the queue than is read, nothing is called missing', async () => {
  const one = replica();
  await gateway('a', 100);
  await queue.addBulk(Array.from({ length: 70 }, () => ({ name: 'settled', data: { v: 1, events: [] } })));
  await round(one);
  await round(one);
  expect(await ofQuarter()).toMatchObject({ on_the_way: 100, missing: 0 });
  await queue.drain();
  await round(one);
  await round(one);
  expect(await ofQuarter()).toMatchObject({ on_the_way: 0, missing: 100 });
});

test('what was recorded and never accepted is a surplus, where all who were there count', async () => {
  const one = replica();
  await gateway('a', 1);
  await watched(one);
  await record(received(), received());
  await round(one);
  expect(await ofQuarter()).toMatchObject({ surplus: 0, unsure: 0 });
  await round(one);
  expect(await ofQuarter()).toMatchObject({ accepted: 1, recorded: 2, surplus: 1, unsure: 0 });
});

test.each([
  ['a gateway of an earlier version was there', async () => {
    await redis.sadd(GATEWAYS_KEY, 'old');
    await redis.set(gatewayAliveKey('old'), '1');
  }],
  ['nobody was there to see which gateways there were', null],
])('what a quarter has more is unsure where %s', async (_, before) => {
  const one = replica();
  await gateway('a', 1);
  if (before !== null) {
    await before();
    await watched(one);
    await redis.del(gatewayAliveKey('old'));
  }
  await record(received(), received(), received());
  await round(one);
  await round(one);
  expect(await ofQuarter()).toMatchObject({ accepted: 1, recorded: 3, unsure: 2, surplus: 0 });
});

test('what was seen of a gateway stays when it is gone and Redis has lost everything', async () => {
  const one = replica();
  await gateway('a', 2);
  await watched(one);
  await redis.flushall();
  await record(received(), received());
  await round(one);
  await round(one);
  expect(await ofQuarter()).toMatchObject({ accepted: 2, recorded: 2, missing: 0, surplus: 0, unsure: 0 });
});

test('processes whose counts are over are forgotten', async () => {
  const one = replica();
  await redis.sadd(COUNTING_GATEWAYS_KEY, 'over', 'new');
  await redis.set(gatewayAliveKey('new'), '1');
  await round(one);
  expect(await redis.smembers(COUNTING_GATEWAYS_KEY)).toEqual(['new']);
});

describe('sums of the ledger', () => {
  beforeEach(async () => {
    await gateway('a', 2);
    await record(received(), received({ user: null, tags: { a: '1', b: '2' }, attempts: [attemptRecord(), attemptRecord({ n: 2, price: null })] }));
  });

  test.each([
    ['a quarter', 'update usage.rollup_quarters set cost_nano_usd = cost_nano_usd + 1 where ctid = (select min(ctid) from usage.rollup_quarters where at = $1)', [new Date(QUARTER)]],
    ['a row that nobody counted', 'delete from usage.rollup_quarters where at = $1', [new Date(QUARTER)]],
    ['the cost of an operation', 'update usage.attempts set cost_nano_usd = cost_nano_usd + 1 where operation_id in (select id from usage.operations where cost_nano_usd is not null)', []],
  ])('that are not those of its rows are found: %s', async (_, spoil, values) => {
    const one = replica();
    for (let i = 0; i < 40; i++) await round(one);
    expect(await report()).toMatchObject({ sums_differ: 0 });
    await pool.query(spoil, values);
    for (let i = 0; i < 40; i++) await round(one);
    expect((await report()).sums_differ).toBeGreaterThan(0);
    expect(one.drift.differences.sumsDiffer).toBeGreaterThan(0);
    expect((await ofQuarter())?.missing).toBe(0);
  });
});

test('of two replicas one compares, and both tell of what was found', async () => {
  const [one, other] = [replica(), replica()];
  await gateway('a', 3);
  await round(one);
  await round(one);
  nowMs += 1000;
  await other.reconciler.reconcile();
  expect([one.drift.differences.missing, other.drift.differences.missing]).toEqual([3, 3]);
  expect((await report()).at).toBe(new Date(nowMs - 1000).toISOString());
  nowMs += MINUTE_MS;
  await Promise.all([one.reconciler.reconcile(), other.reconciler.reconcile()]);
  expect(logged.filter(([level]) => level === 'warn')).toHaveLength(1);
});
