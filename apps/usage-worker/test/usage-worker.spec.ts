import { zstdCompressSync } from 'node:zlib';
import { jest } from '@jest/globals';
import { gatewayAliveKey, gatewayOpsKey, GATEWAYS_KEY, newId, USAGE_QUEUE, USAGE_QUEUE_PREFIX, type OperationRecord } from '@deja/contracts';
import type { Pool } from '@deja/postgres';
import { openRedis, type RedisClient } from '@deja/redis';
import { Queue } from 'bullmq';
import { LedgerWriter } from '../src/ledger/ledger-writer.ts';
import { Ledger } from '../src/ledger/ledger.ts';
import { UsageMetrics } from '../src/metrics.ts';
import { OrphanSweep } from '../src/orphans/orphan-sweep.ts';
import { eventually } from '@deja/testing';
import { Cleanup, database, logger, migrateLedger, pathTo, redisServer, replica, telemetry } from './infrastructure.ts';
import { attemptRecord, lateAttempt, openOperation, operationRecord } from './records.ts';

// Deadlines are for a machine that does ten other things meanwhile.
jest.setTimeout(60_000);

const servers = new Cleanup();
const each = new Cleanup();
let redisUrl: string;
let redisPid: () => number;
let databaseUrl: string;
let pool: Pool;
let redis: RedisClient;
let queue: Queue;

beforeAll(async () => {
  const server = await redisServer(servers);
  redisUrl = server.url;
  redisPid = () => server.pid!;
});
afterAll(() => servers.run());

beforeEach(async () => {
  ({ url: databaseUrl, pool } = await database(each));
  redis = openRedis(redisUrl, { role: 'blocking', name: 'test', logger });
  await redis.flushall();
  queue = new Queue(USAGE_QUEUE, { connection: redis, prefix: USAGE_QUEUE_PREFIX, skipVersionCheck: true });
  queue.on('error', () => undefined); // Redis is killed on purpose
  each.add(async () => {
    await queue.close();
    redis.disconnect();
  });
});
afterEach(() => each.run());

const send = (events: unknown[]): Promise<unknown> => queue.add('settled', { v: 1, events }, { removeOnComplete: true, attempts: 5 });
const ids = async (outcome: string): Promise<string[]> => (await pool.query<{ id: string }>('select id from usage.operations where outcome = $1 order by id', [outcome])).rows.map(({ id }) => id);
const recorded = (events: { id: string }[], outcome = 'ok') =>
  eventually(`${events.length} rows with outcome ${outcome}`, async () => JSON.stringify(await ids(outcome).catch(() => [])) === JSON.stringify(events.map(({ id }) => id).toSorted()));
const queued = async (): Promise<number> => Object.values(await queue.getJobCounts('waiting', 'active', 'delayed', 'failed', 'completed')).reduce((sum, n) => sum + n, 0);
const ready = async (opsPort: number): Promise<{ status: number; checks: Record<string, boolean> }> => {
  const reply = await fetch(`http://127.0.0.1:${opsPort}/readyz`);
  return { status: reply.status, ...((await reply.json()) as { checks: Record<string, boolean> }) };
};
const records = (count: number): OperationRecord[] => Array.from({ length: count }, () => operationRecord({ attempts: [attemptRecord(), attemptRecord({ n: 2 })] }));

test('a settled operation on the queue is in the ledger with tokens and cost, and its job is gone', async () => {
  const { opsPort } = await replica(each, { redisUrl, databaseUrl });
  expect(await ready(opsPort)).toEqual({ status: 200, ready: true, checks: { postgres: true, redis: true, accepting: true, listening: true } });
  const record = operationRecord();
  await send([record]);
  await recorded([record]);
  expect((await pool.query('select prompt_tokens, completion_tokens, cost_nano_usd, price_version from usage.operations')).rows).toEqual([
    { prompt_tokens: 1000, completion_tokens: 500, cost_nano_usd: '420000', price_version: '2026-06-30-test' },
  ]);
  await eventually('an empty queue', async () => (await queued()) === 0);
});

test('a shadow on the queue is an attempt in the ledger, whether its operation came or not', async () => {
  await replica(each, { redisUrl, databaseUrl });
  const record = operationRecord();
  const [known, unknown] = [lateAttempt(record.id), lateAttempt(newId())];
  await send([unknown, known]);
  await send([record]);
  await recorded([record]);
  await eventually('an empty queue', async () => (await queued()) === 0);
  const { rows } = await pool.query<{ id: string }>('select id from usage.attempts');
  expect(rows.map(({ id }) => id).toSorted()).toEqual([record.attempts[0]!.id, known.attempt.id, unknown.attempt.id].toSorted());
});

test('jobs of gateways of this version and of earlier ones are recorded alike, and one that cannot be unpacked is set aside as one event', async () => {
  await replica(each, { redisUrl, databaseUrl });
  const [plain, ...packed] = records(4) as [OperationRecord, ...OperationRecord[]];
  const z = zstdCompressSync(JSON.stringify(packed)).toString('base64');
  await send([plain]);
  await queue.add('settled', { v: 2, z });
  await queue.add('settled', { v: 2, z: z.slice(0, -8) });
  await recorded([plain, ...packed]);
  await eventually('an empty queue', async () => (await queued()) === 0);
  const { rows } = await pool.query<{ raw: string }>('select raw from usage.rejected_events');
  expect(rows.map(({ raw }) => JSON.parse(raw) as unknown)).toEqual([{ v: 2, z: z.slice(0, -8) }]);
});

test('two replicas that start together share the queue, and each event is recorded once', async () => {
  const events = records(300);
  await Promise.all(Array.from({ length: 60 }, (_, i) => send(events.slice(i * 5, i * 5 + 5))));
  await Promise.all([replica(each, { redisUrl, databaseUrl }), replica(each, { redisUrl, databaseUrl })]);
  await send(events.slice(0, 50)); // delivered twice
  await recorded(events);
  await eventually('an empty queue', async () => (await queued()) === 0);
  expect((await pool.query('select 1 from usage.attempts')).rowCount).toBe(600);
});

test('while Postgres is away events are held, readiness says so, and no job fails', async () => {
  const proxy = await pathTo(databaseUrl, each);
  const { opsPort } = await replica(each, { redisUrl, databaseUrl: proxy.url });
  proxy.set('cut');
  const events = records(20);
  const jobs = (await Promise.all(events.map((event) => send([event])))) as { id: string }[];
  await eventually('readiness goes off', async () => (await ready(opsPort)).status === 503);
  expect((await ready(opsPort)).checks).toMatchObject({ postgres: false, redis: true });
  expect(await ids('ok')).toEqual([]);
  const held = await Promise.all(jobs.map(({ id }) => queue.getJob(id)));
  expect(held.map((job) => job?.attemptsMade)).toEqual(events.map(() => 0));
  proxy.set('open');
  await recorded(events);
  await eventually('readiness comes back', async () => (await ready(opsPort)).status === 200);
  await eventually('an empty queue', async () => (await queued()) === 0);
});

test('a worker that stops while Postgres is away gives its jobs back, and the next one records them', async () => {
  const proxy = await pathTo(databaseUrl, each);
  const first = await replica(each, { redisUrl, databaseUrl: proxy.url, graceMs: 200 });
  proxy.set('cut');
  const events = records(3);
  const job = (await send(events)) as { id: string };
  await eventually('the job is under way', async () => (await queue.getJobCounts('active'))['active'] === 1);
  await first.close();
  expect(await queue.getJobCounts('waiting', 'active', 'failed')).toEqual({ waiting: 1, active: 0, failed: 0 });
  expect((await queue.getJob(job.id))?.attemptsMade).toBe(0);
  await replica(each, { redisUrl, databaseUrl });
  await recorded(events);
});

test('a stop records what is under way first', async () => {
  const worker = await replica(each, { redisUrl, databaseUrl });
  const events = records(40);
  await Promise.all(events.map((event) => send([event])));
  await worker.close();
  expect(await ids('ok')).toHaveLength(events.length - (await queued()));
  expect((await queue.getJobCounts('active'))['active']).toBe(0);
});

test('a poison event is set aside and counted, and the rest of its batch goes on', async () => {
  const { opsPort } = await replica(each, { redisUrl, databaseUrl });
  const [good, other] = [operationRecord(), operationRecord()];
  await send([good, { ...operationRecord(), tenant: 5 }, other]);
  await queue.add('settled', 'no batch at all');
  await send([{ ...openOperation() }]);
  await recorded([good, other]);
  await eventually('three events set aside', async () => (await pool.query('select 1 from usage.rejected_events')).rowCount === 3);
  const { rows } = await pool.query<{ reason: string }>('select reason from usage.rejected_events');
  expect(rows.map(({ reason }) => reason.split(':')[0])).toEqual(expect.arrayContaining(['event', 'kind', 'tenant']));
  await eventually('an empty queue', async () => (await queued()) === 0);
  const metrics = await (await fetch(`http://127.0.0.1:${opsPort}/metrics`)).text();
  expect(metrics).toMatch(/deja_usage_events_total\{[^}]*result="rejected"[^}]*\} [1-9]/);
  expect(metrics).toContain('deja_usage_queue_depth');
});

test('after Redis was killed and came back the worker takes events again', async () => {
  const { opsPort } = await replica(each, { redisUrl, databaseUrl });
  const killed = redisPid();
  process.kill(killed, 'SIGKILL');
  await eventually('Redis is another process', () => redisPid() !== killed);
  const record = operationRecord();
  await send([record]);
  await recorded([record]);
  await eventually('readiness comes back', async () => (await ready(opsPort)).status === 200);
  expect(await ids('ok')).toEqual([record.id]);
});

describe('of a gateway that was killed', () => {
  const died = async (gateway: string, held: Record<string, unknown>): Promise<void> => {
    await redis.sadd(GATEWAYS_KEY, gateway);
    await redis.hset(gatewayOpsKey(gateway), Object.fromEntries(Object.entries(held).map(([id, value]) => [id, typeof value === 'string' ? value : JSON.stringify(value)])));
  };

  test('open operations become orphaned rows, settled ones and shadows that had ended are recorded as they are, and nothing of it stays in Redis', async () => {
    const [open, settled] = [openOperation(), operationRecord()];
    const shadow = lateAttempt(open.id);
    await died('gone', { [open.id]: open, [settled.id]: settled, [shadow.attempt.id]: shadow, torn: '{"kind":"ope' });
    await replica(each, { redisUrl, databaseUrl, leaseS: 1 });
    await recorded([open], 'orphaned');
    await recorded([settled]);
    await eventually('Redis forgets the gateway', async () => (await redis.exists(gatewayOpsKey('gone'))) + (await redis.scard(GATEWAYS_KEY)) === 0);
    expect((await pool.query('select raw from usage.rejected_events')).rows).toEqual([{ raw: '{"kind":"ope' }]);
    expect((await pool.query('select id from usage.attempts where shadow')).rows).toEqual([{ id: shadow.attempt.id }]);
    expect((await pool.query(`select cost_nano_usd, prompt_tokens, status from usage.operations where outcome = 'orphaned'`)).rows).toEqual([{ cost_nano_usd: null, prompt_tokens: 12, status: null }]);
  });

  test('thousands of operations are recorded by two replicas at once, each exactly once', async () => {
    const open = Array.from({ length: 3000 }, () => openOperation());
    await died('gone', Object.fromEntries(open.map((one) => [one.id, one])));
    await Promise.all([replica(each, { redisUrl, databaseUrl, leaseS: 1 }), replica(each, { redisUrl, databaseUrl, leaseS: 1 })]);
    await recorded(open, 'orphaned');
    expect(await ids('orphaned')).toHaveLength(3000);
    await eventually('Redis forgets the gateway', async () => (await redis.exists(gatewayOpsKey('gone'))) + (await redis.scard(GATEWAYS_KEY)) === 0);
  });

  test('a settled record that comes later replaces the orphan', async () => {
    const record = operationRecord();
    await died('gone', { [record.id]: openOperation({ id: record.id }) });
    await replica(each, { redisUrl, databaseUrl, leaseS: 1 });
    await recorded([record], 'orphaned');
    await send([record]);
    await recorded([record]);
    expect(await ids('orphaned')).toEqual([]);
  });

  test('nothing is taken from one that lives', async () => {
    const open = openOperation();
    await died('alive', { [open.id]: open });
    await redis.set(gatewayAliveKey('alive'), '1');
    const other = openOperation();
    await died('gone', { [other.id]: other });
    await replica(each, { redisUrl, databaseUrl, leaseS: 1 });
    await recorded([other], 'orphaned');
    expect(await redis.hkeys(gatewayOpsKey('alive'))).toEqual([open.id]);
    await eventually('the dead one is off the list', async () => (await redis.smembers(GATEWAYS_KEY)).join() === 'alive');
  });

  test('what a slow but living one settled during the sweep is not thrown away', async () => {
    await migrateLedger(pool);
    const record = operationRecord();
    await died('slow', { [record.id]: openOperation({ id: record.id }) });
    const ledger = new Ledger(pool);
    const settlesMeanwhile = {
      insert: async (batch: Parameters<Ledger['insert']>[0]) => {
        const inserted = await ledger.insert(batch);
        await redis.hset(gatewayOpsKey('slow'), record.id, JSON.stringify(record));
        return inserted;
      },
    };
    const commands = openRedis(redisUrl, { role: 'blocking', name: 'sweep', logger });
    await eventually('the connection stands', () => commands.status === 'ready');
    const sweep = new OrphanSweep(commands, new LedgerWriter(settlesMeanwhile, new UsageMetrics(telemetry.meter), telemetry, logger), { instance: newId(), intervalMs: 10_000, logger });
    await sweep.sweep();
    commands.disconnect();
    expect(await redis.hget(gatewayOpsKey('slow'), record.id)).toBe(JSON.stringify(record));
    expect(await redis.smembers(GATEWAYS_KEY)).toEqual(['slow']);
  });
});
