/**
 * What an hour without a usage-worker costs, and how long it takes to catch up: 720,000 operations (200 a second) go through a gateway's outbox into a Redis of their
 * own as fast as they can, with nobody to take them; then one built worker starts. `node --conditions=@deja/source bench/backlog.ts [operations] [worker]`
 */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { metrics } from '@opentelemetry/api';
import { newId, USAGE_QUEUE, USAGE_QUEUE_PREFIX, type OperationRecord } from '@deja/contracts';
import { freePort, startPostgres, startRedis } from '@deja/launcher';
import { openPipeline } from '@deja/redis';
import { Queue } from 'bullmq';
import { Redis } from 'ioredis';
import pg from 'pg';
import { AcceptedCounts } from '../apps/gateway/src/settle/accepted.ts';
import { OutboxMetrics } from '../apps/gateway/src/settle/metrics.ts';
import { Outbox } from '../apps/gateway/src/settle/outbox.ts';
import { lookAt, QueueBound } from '../apps/gateway/src/settle/queue-bound.ts';
import { Spool } from '../apps/gateway/src/settle/spool.ts';

const OPERATIONS = Number(process.argv[2] ?? 720_000);
const WORKER = process.argv[3] ?? new URL('../apps/usage-worker/out/main.mjs', import.meta.url).pathname;
if (!existsSync(WORKER)) throw new Error('The usage-worker is not built: npx nx build usage-worker');
/** Of deja.yaml's own default. */
const QUEUE_MAX_BYTES = 512 * 1024 * 1024;
/** Requests that are settled at once. */
const AT_ONCE = 50;
const MIB = 1024 * 1024;

const dir = await mkdtemp(join(tmpdir(), 'deja-bench-backlog-'));
const server = await startRedis({ dir: join(dir, 'redis'), appendonly: true });
const postgres = await startPostgres({ dir: join(dir, 'postgres') });
const redis = new Redis(server.url, { maxRetriesPerRequest: null });
const queue = new Queue(USAGE_QUEUE, { connection: redis, prefix: USAGE_QUEUE_PREFIX, skipVersionCheck: true });
try {
  const peakBytes = await fill();
  await catchUp(peakBytes);
} finally {
  await queue.close();
  redis.disconnect();
  await postgres.stop();
  await server.stop();
  await rm(dir, { recursive: true, force: true });
}

/** Returns what Redis holds then, bytes. */
async function fill(): Promise<number> {
  const instance = 'bench';
  const spool = new Spool(join(dir, 'spool'), instance, () => 4 * 1024 * MIB);
  const bound = new QueueBound({ look: lookAt(redis, (name) => queue.toKey(name)), maxBytes: () => QUEUE_MAX_BYTES, replicas: () => 1 });
  const outbox = new Outbox(
    redis,
    async (data) => void (await queue.add('settled', data, { removeOnComplete: true, attempts: Number.MAX_SAFE_INTEGER, backoff: { type: 'fixed', delay: 1000 } })),
    spool,
    { instance, leaseS: 60, accepted: new AcceptedCounts(instance), queue: bound, metrics: new OutboxMetrics(metrics.getMeter('bench')), logger: console },
  );
  await outbox.start();
  const emptyBytes = await usedBytes();
  const startedMs = performance.now();
  for (let settled = 0; settled < OPERATIONS; settled += AT_ONCE) {
    const pipeline = openPipeline(redis);
    const records = Array.from({ length: Math.min(AT_ONCE, OPERATIONS - settled) }, (_, i) => operation(settled + i));
    for (const record of records) outbox.queue(pipeline, record);
    await pipeline.exec();
    for (const record of records) outbox.settled(record, true);
  }
  await outbox.close();
  const elapsedS = (performance.now() - startedMs) / 1000;
  await bound.look();
  const bytes = (await usedBytes()) - emptyBytes;
  console.log(`no worker: ${OPERATIONS} operations in ${elapsedS.toFixed(1)} s (${Math.round(OPERATIONS / elapsedS)} a second) into ${await queue.getWaitingCount()} jobs`);
  console.log(`Redis: ${(bytes / MIB).toFixed(1)} MiB, ${(bytes / OPERATIONS).toFixed(0)} bytes an operation; the gateway takes it for ${((QUEUE_MAX_BYTES - bound.roomBytes) / MIB).toFixed(1)} MiB; ${(spool.bytes / MIB).toFixed(1)} MiB on the disk`);
  return bytes;
}

async function catchUp(peakBytes: number): Promise<void> {
  const databaseUrl = await postgres.createDatabase('bench');
  const worker = spawn(process.execPath, [WORKER], { env: { ...process.env, REDIS_URL: server.url, DATABASE_URL: databaseUrl, OPS_PORT: String(await freePort()), LOG_LEVEL: 'warn' }, stdio: ['ignore', 'inherit', 'inherit'] });
  const exited = new Promise((resolve) => worker.once('exit', resolve));
  const pool = new pg.Pool({ connectionString: databaseUrl, max: 1 });
  try {
    const rows = async (): Promise<number> => (await pool.query<{ n: number }>('select count(*)::int as n from usage.operations').catch(() => null))?.rows[0]?.n ?? 0;
    await until(async () => (await rows()) > 0);
    const [startedMs, first] = [performance.now(), await rows()];
    await until(async () => (await queue.getJobCounts('waiting', 'active'))['waiting'] === 0 && (await rows()) === OPERATIONS);
    const elapsedS = (performance.now() - startedMs) / 1000;
    console.log(`one worker: caught up in ${elapsedS.toFixed(1)} s, ${Math.round((OPERATIONS - first) / elapsedS)} operations a second; all ${OPERATIONS} rows are there, ${(peakBytes / MIB).toFixed(1)} MiB of Redis are free again`);
  } finally {
    await pool.end();
    worker.kill('SIGTERM');
    await exited;
  }
}

async function usedBytes(): Promise<number> {
  return Number(/used_memory:(\d+)/.exec(await redis.info('memory'))?.[1]);
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  for (const deadlineMs = Date.now() + 900_000; !(await condition()); ) {
    if (Date.now() > deadlineMs) throw new Error('this takes too long');
    await delay(200);
  }
}

/** As different from one another as those of an application are. */
function operation(n: number): OperationRecord {
  const nowMs = Date.now();
  const usage = { promptTokens: 200 + ((n * 7919) % 3000), cachedTokens: (n * 31) % 200, cacheWriteTokens: 0, completionTokens: 20 + ((n * 104_729) % 800), reasoningTokens: 0 };
  const price = { version: '2026-11-01', input: 150_000_000, cachedInput: 75_000_000, cacheWrite: 150_000_000, output: 600_000_000, longContext: null };
  const served = {
    provider: 'openai', deployment: 'openai/gpt-4o-mini', credential: `openai/key-${n % 4}`, model: 'gpt-4o-mini', status: 200, outcome: 'ok' as const, errorCode: null, usage, usageSource: 'upstream' as const,
    firstByteMs: 200 * Math.random(), durationMs: 3000 * Math.random(),
  };
  const traceId = newId().replaceAll('-', '');
  return {
    kind: 'settled', id: newId(), tenant: `tenant-${n % 5}`, key: `key-${n % 20}`, user: `user-${(n * 31) % 500}`, tags: { team: `team-${n % 3}` }, endpoint: 'chat/completions', requestedModel: 'gpt-4o-mini', ...served, cache: 'MISS',
    cacheReason: 'no_entry', cacheEntry: null, cacheSimilarity: null, stream: n % 2 === 0, savedPrice: null, receivedAtMs: nowMs, traceId, traceparent: `00-${traceId}-b7ad6b7169203331-00`,
    attempts: [{ ...served, id: newId(), n: 1, hedge: false, shadow: false, price, startedAtMs: nowMs }], flags: [],
  };
}
