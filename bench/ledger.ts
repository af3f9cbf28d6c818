/**
 * How many operations a second one usage-worker writes to the ledger: its own Redis and Postgres, the built worker, and
 * jobs as gateways send them. `node --conditions=@deja/source bench/ledger.ts [operations]`
 */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { newId, USAGE_QUEUE, USAGE_QUEUE_PREFIX, type OperationRecord, type UsageBatch } from '@deja/contracts';
import { freePort, startPostgres, startRedis } from '@deja/launcher';
import { Queue } from 'bullmq';
import { Redis } from 'ioredis';
import pg from 'pg';

const OPERATIONS = Number(process.argv[2] ?? 50_000);
const WORKER = new URL('../apps/usage-worker/out/main.mjs', import.meta.url).pathname;
if (!existsSync(WORKER)) throw new Error('The usage-worker is not built: npx nx build usage-worker');

const dir = await mkdtemp(join(tmpdir(), 'deja-bench-ledger-'));
const redis = await startRedis({ dir: join(dir, 'redis'), appendonly: true });
const postgres = await startPostgres({ dir: join(dir, 'postgres') });
const databaseUrl = await postgres.createDatabase('bench');
const opsPort = await freePort();
const worker = spawn(process.execPath, [WORKER], {
  env: { ...process.env, REDIS_URL: redis.url, DATABASE_URL: databaseUrl, OPS_PORT: String(opsPort), LOG_LEVEL: 'warn' },
  stdio: ['ignore', 'inherit', 'inherit'],
});
const exited = new Promise((resolve) => worker.once('exit', resolve));
const pool = new pg.Pool({ connectionString: databaseUrl, max: 1 });
const connection = new Redis(redis.url, { maxRetriesPerRequest: null });
const queue = new Queue<UsageBatch>(USAGE_QUEUE, { connection, prefix: USAGE_QUEUE_PREFIX });
try {
  await until(async () => (await fetch(`http://127.0.0.1:${opsPort}/readyz`).catch(() => null))?.status === 200);
  await measure('warm-up', 5_000, 100);
  await measure('jobs of 100 operations, as a busy gateway sends them', OPERATIONS, 100);
  await measure('jobs of 1 operation, as an idle gateway sends them', Math.ceil(OPERATIONS / 5), 1);
} finally {
  await queue.close();
  connection.disconnect();
  await pool.end();
  worker.kill('SIGTERM');
  await exited;
  await postgres.stop();
  await redis.stop();
  await rm(dir, { recursive: true, force: true });
}

/** From the first job on the queue to the last row committed; sending is part of it, as in life. */
async function measure(name: string, operations: number, jobSize: number): Promise<void> {
  await pool.query('truncate usage.operations, usage.attempts');
  const cpuBeforeS = await cpuS();
  const startedMs = performance.now();
  for (let sent = 0; sent < operations; ) {
    const jobs = [];
    while (sent < operations && jobs.length < 100) {
      const events = Array.from({ length: Math.min(jobSize, operations - sent) }, operation);
      sent += events.length;
      jobs.push({ name: 'settled', data: { v: 1 as const, events }, opts: { removeOnComplete: true } });
    }
    await queue.addBulk(jobs);
  }
  await until(async () => (await pool.query<{ n: number }>('select count(*)::int as n from usage.operations')).rows[0]?.n === operations);
  const elapsedS = (performance.now() - startedMs) / 1000;
  const cpuMicroS = (((await cpuS()) - cpuBeforeS) / operations) * 1e6;
  console.log(`${name}: ${Math.round(operations / elapsedS)} operations/s, ${cpuMicroS.toFixed(0)} µs of the worker's CPU each (${operations} operations in ${elapsedS.toFixed(2)} s)`);
}

async function cpuS(): Promise<number> {
  const text = await (await fetch(`http://127.0.0.1:${opsPort}/metrics`)).text();
  return [...text.matchAll(/^process_cpu_time\S* (\S+)/gm)].reduce((sum, match) => sum + Number(match[1]), 0);
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  for (const deadlineMs = Date.now() + 300_000; !(await condition()); ) {
    if (Date.now() > deadlineMs) throw new Error('this takes too long');
    await delay(50);
  }
}

function operation(): OperationRecord {
  const nowMs = Date.now();
  const usage = { promptTokens: 1000, cachedTokens: 400, cacheWriteTokens: 0, completionTokens: 500, reasoningTokens: 0 };
  const price = { version: 'bench', input: 150_000_000, cachedInput: 75_000_000, cacheWrite: 150_000_000, output: 600_000_000, longContext: null };
  const served = { provider: 'openai', deployment: 'openai/gpt-4o-mini', credential: 'openai/a', model: 'gpt-4o-mini', status: 200, outcome: 'ok' as const, errorCode: null, usage, usageSource: 'upstream' as const, firstByteMs: 120, durationMs: 800 };
  return {
    kind: 'settled', id: newId(), tenant: 'default', key: 'key', user: 'ann', tags: { team: 'search' }, endpoint: 'chat/completions', requestedModel: 'gpt-4o-mini', ...served, cache: 'MISS', cacheReason: 'no_entry', cacheEntry: null,
    cacheSimilarity: null, stream: false, savedPrice: null, receivedAtMs: nowMs, traceId: '0af7651916cd43dd8448eb211c80319c', traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00',
    attempts: [{ ...served, id: newId(), n: 1, hedge: false, shadow: false, price, startedAtMs: nowMs }], flags: [],
  };
}
