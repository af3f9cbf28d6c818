/**
 * How many operations a second one usage-worker writes to the ledger, with all its sums: its own Redis and Postgres, the built worker, and
 * jobs as gateways send them. What a change of the sums costs depends on how many of them an operation has to itself, so there are three kinds of traffic.
 * `node --conditions=@deja/source bench/ledger.ts [operations]`
 */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { zstdCompressSync } from 'node:zlib';
import { newId, USAGE_QUEUE, USAGE_QUEUE_PREFIX, type OperationRecord } from '@deja/contracts';
import { freePort, startPostgres, startRedis } from '@deja/launcher';
import { Queue } from 'bullmq';
import { Redis } from 'ioredis';
import pg from 'pg';

const OPERATIONS = Number(process.argv[2] ?? 50_000);
const WORKER = new URL('../apps/usage-worker/out/main.mjs', import.meta.url).pathname;
if (!existsSync(WORKER)) throw new Error('The usage-worker is not built: npx nx build usage-worker');

interface Who {
  tenant: string;
  key: string;
  user: string;
  team: string;
  model: string;
}
type Traffic = (n: number) => Who;

const TRAFFIC: Record<'one client' | 'a thousand users of sixty keys, some busier than others' | 'each operation another user', Traffic> = {
  'one client': () => ({ tenant: 'default', key: 'key', user: 'ann', team: 'search', model: 'gpt-4o-mini' }),
  'a thousand users of sixty keys, some busier than others': (n) => {
    const user = Math.floor(((n * 0.618033988749895) % 1) ** 2 * 1000);
    return { tenant: `tenant-${user % 20}`, key: `key-${user % 60}`, user: `user-${user}`, team: `team-${user % 5}`, model: n % 5 === 0 ? 'gpt-4o' : 'gpt-4o-mini' };
  },
  'each operation another user': (n) => ({ tenant: `tenant-${n % 20}`, key: `key-${n % 60}`, user: `user-${process.pid}-${n}`, team: `team-${n % 5}`, model: 'gpt-4o-mini' }),
};

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
const queue = new Queue<{ v: 2; z: string }>(USAGE_QUEUE, { connection, prefix: USAGE_QUEUE_PREFIX });
try {
  await until(async () => (await fetch(`http://127.0.0.1:${opsPort}/readyz`).catch(() => null))?.status === 200);
  await measure('warm-up', 5_000, 200, TRAFFIC['one client']);
  for (const [name, traffic] of Object.entries(TRAFFIC)) await measure(`${name}, jobs of 200 operations, as a busy gateway sends them`, OPERATIONS, 200, traffic);
  await measure('one client, jobs of 1 operation, as an idle gateway sends them', Math.ceil(OPERATIONS / 10), 1, TRAFFIC['one client']);
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
async function measure(name: string, operations: number, jobSize: number, traffic: Traffic): Promise<void> {
  await pool.query('truncate usage.operations, usage.attempts');
  const cpuBeforeS = await cpuS();
  const walBefore = await walBytes();
  const startedMs = performance.now();
  for (let sent = 0; sent < operations; ) {
    const jobs = [];
    while (sent < operations && jobs.length < 100) {
      const events = Array.from({ length: Math.min(jobSize, operations - sent) }, (_, i) => operation(traffic(sent + i), sent + i));
      sent += events.length;
      jobs.push({ name: 'settled', data: { v: 2 as const, z: zstdCompressSync(JSON.stringify(events)).toString('base64') }, opts: { removeOnComplete: true } });
    }
    await queue.addBulk(jobs);
  }
  await until(async () => (await pool.query<{ n: number }>('select count(*)::int as n from usage.operations')).rows[0]?.n === operations);
  const elapsedS = (performance.now() - startedMs) / 1000;
  const cpuMicroS = (((await cpuS()) - cpuBeforeS) / operations) * 1e6;
  const wal = ((await walBytes()) - walBefore) / operations;
  const load = loadavg()[0]?.toFixed(1);
  console.log(`${name}: ${Math.round(operations / elapsedS)} operations/s, ${cpuMicroS.toFixed(0)} µs of the worker's CPU and ${wal.toFixed(0)} bytes of WAL each (${operations} operations in ${elapsedS.toFixed(2)} s; load ${load})`);
}

async function walBytes(): Promise<number> {
  return Number((await pool.query<{ bytes: string }>(`select pg_current_wal_lsn() - '0/0' as bytes`)).rows[0]?.bytes);
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

function operation({ tenant, key, user, team, model }: Who, n: number): OperationRecord {
  const nowMs = Date.now();
  const traceId = newId().replaceAll('-', '');
  const usage = { promptTokens: 1000, cachedTokens: 400, cacheWriteTokens: 0, completionTokens: 500, reasoningTokens: 0 };
  const price = { version: 'bench', input: 150_000_000, cachedInput: 75_000_000, cacheWrite: 150_000_000, output: 600_000_000, longContext: null };
  const served = { provider: 'openai', deployment: `openai/${model}`, credential: 'openai/a', model, status: 200, outcome: 'ok' as const, errorCode: null, usage, usageSource: 'upstream' as const, firstByteMs: 120, durationMs: 100 * 2 ** (((n * 0.7548776662466927) % 1) * 6) };
  return {
    kind: 'settled', id: newId(), tenant, key, user, tags: { team }, endpoint: 'chat/completions', requestedModel: model, ...served, cache: 'MISS', cacheReason: 'no_entry', cacheEntry: null,
    cacheSimilarity: null, stream: false, savedPrice: null, receivedAtMs: nowMs, traceId, traceparent: `00-${traceId}-b7ad6b7169203331-00`,
    attempts: [{ ...served, id: newId(), n: 1, hedge: false, shadow: false, price, startedAtMs: nowMs }], flags: [],
  };
}
