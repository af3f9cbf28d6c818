// What a cluster takes of memory and disk: `node --conditions=@deja/source bench/footprint.ts [requests] [connections]`. Every app at rest and at its most under
// load (proportional set size, /proc/<pid>/smaps_rollup: Linux), what one more request takes of Redis and Postgres, and how long a start takes.
import { readFileSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { startCluster, type Cluster, type MemberName } from '@deja/launcher';
import { Redis } from 'ioredis';
import { Client } from 'pg';
import { buildIfChanged } from '../tools/build.ts';
import { startLoad, startProvider } from './added-latency/helper-process.ts';
import { thisMachine } from './added-latency/report.ts';
import type { Kind } from './added-latency/work.ts';

const MIB = 1024;
const REST_MS = 20_000;
const LOOK_MS = 250;
const RECORDED_MS = 180_000;
const MEMBERS: MemberName[] = ['gateway', 'router', 'semantic-cache', 'usage-worker', 'redis', 'postgres'];

/** MiB of a process and its children, pages that several share counted in parts. */
async function memoryMiB(pid: number): Promise<number> {
  const children = await childrenOf(pid);
  return children.reduce((sum, one) => sum + pssKiB(one), pssKiB(pid)) / MIB;
}

function pssKiB(pid: number): number {
  try {
    return Number(/^Pss:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1] ?? 0);
  } catch {
    return 0; // it has just ended
  }
}

async function childrenOf(pid: number): Promise<number[]> {
  const threads = await readdir(`/proc/${pid}/task`);
  const lists = await Promise.all(threads.map((thread) => readFile(`/proc/${pid}/task/${thread}/children`, 'utf8').catch(() => '')));
  return lists.join(' ').split(' ').filter((text) => text.trim() !== '').map(Number);
}

const memoryOf = async (cluster: Cluster): Promise<number[]> => Promise.all(MEMBERS.map((name) => memoryMiB(cluster.pid(name) ?? 0)));

/** The most of each while `work` goes on. */
async function mostDuring(cluster: Cluster, work: Promise<unknown>): Promise<number[]> {
  let isOver = false;
  const over = work.finally(() => (isOver = true));
  let most = await memoryOf(cluster);
  while (!isOver) {
    await Promise.race([over, delay(LOOK_MS)]);
    const now = await memoryOf(cluster);
    most = most.map((known, i) => Math.max(known, now[i] ?? 0));
  }
  await over;
  return most;
}

interface Stored {
  redis: number;
  wal: number;
  /** Bytes of tables with their indexes, by name; partitions counted with what they are parts of. */
  tables: Map<string, number>;
  operations: number;
}

const TABLES = `select coalesce(pg_partition_root(c.oid)::regclass, c.oid::regclass)::text as name, sum(pg_total_relation_size(c.oid))::text as bytes
  from pg_class c join pg_namespace n on n.oid = c.relnamespace where n.nspname = 'usage' and c.relkind in ('r', 'p') group by 1`;

async function stored(cluster: Cluster): Promise<Stored> {
  const redis = new Redis(cluster.redisUrl);
  const postgres = new Client({ connectionString: cluster.databaseUrl ?? '' });
  await postgres.connect();
  try {
    const { rows: tables } = await postgres.query<{ name: string; bytes: string }>(TABLES);
    const { rows } = await postgres.query<{ wal: string; operations: string }>("select (pg_current_wal_lsn() - '0/0')::text as wal, (select count(*) from usage.operations)::text as operations");
    return {
      redis: Number(/used_memory:(\d+)/.exec(await redis.info('memory'))?.[1]),
      wal: Number(rows[0]?.wal), operations: Number(rows[0]?.operations),
      tables: new Map(tables.map(({ name, bytes }) => [name, Number(bytes)])),
    };
  } finally {
    redis.disconnect();
    await postgres.end();
  }
}

async function whenRecorded(cluster: Cluster, operations: number): Promise<Stored> {
  for (const until = Date.now() + RECORDED_MS; ; await delay(1000)) {
    const now = await stored(cluster);
    if (now.operations >= operations || Date.now() > until) return now;
  }
}

async function main(): Promise<void> {
  const [requests = 20_000, connections = 16] = process.argv.slice(2).map(Number);
  await buildIfChanged({ root: fileURLToPath(new URL('..', import.meta.url)), onStart: () => process.stderr.write('Building the apps …\n') });
  const dataDir = await mkdtemp(join(tmpdir(), 'deja-bench-'));
  const [provider, load] = await Promise.all([startProvider(), startLoad()]);
  const started = performance.now();
  const cluster = await startCluster({ dataDir, port: 0, opsPort: 0, env: await environment(dataDir, provider.port), output: () => undefined });
  const startMs = performance.now() - started;
  try {
    const target = { port: Number(new URL(cluster.baseUrl).port), key: cluster.key };
    const perform = (kind: Kind, count: number): Promise<unknown> => load.perform({ target, kind, connections, count, expectCache: 'MISS' });
    await delay(REST_MS);
    const rest = await memoryOf(cluster);
    await perform('whole', 500);
    const before = await whenRecorded(cluster, 500);
    const most = await mostDuring(cluster, (async () => {
      await perform('whole', requests / 2);
      await perform('similar', requests / 4);
      await perform('stream', requests / 4);
    })());
    const after = await whenRecorded(cluster, 500 + requests);
    report({ startMs, rest, most, before, after, connections });
  } finally {
    load.stop();
    provider.stop();
    await cluster.stop();
    await rm(dataDir, { recursive: true, force: true });
  }
}

async function environment(dataDir: string, port: number): Promise<NodeJS.ProcessEnv> {
  const config = join(dataDir, 'deja.yaml');
  await writeFile(config, JSON.stringify({
    providers: { p: { kind: 'openai', base_url: `http://127.0.0.1:${port}/v1`, credentials: [{ name: 'a', value: 'bench-credential' }] } },
    models: [{ name: '*', deployments: [{ provider: 'p', model: '*' }] }],
    limits: { global: { requests_per_minute: 10_000_000 } }, capture: 'full',
    // An audited answer would be none of the cache.
    cache: { semantic: { audit: { share: 0 } } },
  }));
  const { PATH, HOME, TMPDIR, LANG } = process.env;
  return { PATH, HOME, TMPDIR, LANG, DEJA_CONFIG: config };
}

function report({ startMs, rest, most, before, after, connections }: { startMs: number; rest: number[]; most: number[]; before: Stored; after: Stored; connections: number }): void {
  const requests = after.operations - before.operations;
  const each = (bytes: number): string => (bytes / requests).toFixed(0);
  const grown = [...after.tables].map(([name, bytes]) => [name, bytes - (before.tables.get(name) ?? 0)] as const).filter(([, bytes]) => bytes / requests >= 1).toSorted(([, one], [, other]) => other - one);
  process.stdout.write([
    JSON.stringify(thisMachine()), `ready after ${(startMs / 1000).toFixed(1)} s; ${requests} requests over ${connections} connections`,
    '| MiB | at rest | at most |', '|---|--:|--:|', ...MEMBERS.map((name, i) => `| ${name} | ${rest[i]?.toFixed(0)} | ${most[i]?.toFixed(0)} |`),
    '| bytes a request | |', '|---|--:|', `| Redis, cached answer and semantic entry | ${each(after.redis - before.redis)} |`, `| WAL | ${each(after.wal - before.wal)} |`, ...grown.map(([name, bytes]) => `| ${name} | ${each(bytes)} |`), '',
  ].join('\n'));
}

await main();
