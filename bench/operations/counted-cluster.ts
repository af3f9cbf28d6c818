import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { startCluster, type Cluster, type ClusterOptions } from '@deja/launcher';
import { fakeProvider } from '@deja/testing';
import { Redis } from 'ioredis';
import { Client } from 'pg';
import { countersOf, OWN, type Counters } from './counters.ts';

const TEXT = 'A 28 inch wheel takes tyres of the size 622, which stands on the side of the old one. ';
const PIECES = 16;
const DONE_MS = 180_000;
const LOOK_MS = 250;
/** So many looks at nothing to do, one after another, are rest. */
const CALM_LOOKS = 4;

/** Four limits and a budget that nobody reaches, both caches, bodies captured, everything in the ledger. */
const configuration = (port: number): object => ({
  providers: { p: { kind: 'openai', base_url: `http://127.0.0.1:${port}/v1`, credentials: [{ name: 'a', value: 'bench-credential' }] } },
  models: [{ name: '*', deployments: [{ provider: 'p', model: '*' }] }],
  limits: { per_key: { requests_per_minute: 100_000_000, tokens_per_minute: 1_000_000_000_000, requests_per_day: 1_000_000_000, concurrency: 100_000 } },
  budgets: { per_tenant: [{ usd: 1_000_000_000, period: 'month' }] },
  // An audited answer would be none of the cache.
  cache: { exact: { ttl_s: 3600 }, semantic: { audit: { share: 0 } } }, capture: 'full',
});

/** A cluster whose work is counted. */
export class CountedCluster {
  readonly cluster: Cluster;
  private readonly redis: Redis;
  private readonly postgres: Client;

  constructor(cluster: Cluster, redis: Redis, postgres: Client) {
    this.cluster = cluster;
    this.redis = redis;
    this.postgres = postgres;
  }

  counters(): Promise<Counters> {
    return countersOf(this.cluster, this.redis, this.postgres);
  }

  /** Resolves when everything that follows requests is done: queues and streams are empty, and the ledger has so many operations. */
  async settled(operations: number): Promise<void> {
    const until = Date.now() + DONE_MS;
    for (let calm = 0; calm < CALM_LOOKS; await delay(LOOK_MS)) {
      if (Date.now() > until) throw new Error(`the cluster was not at rest in time: ${JSON.stringify(await this.underWay())}, ${operations} operations awaited`);
      const { waiting, recorded } = await this.underWay();
      calm = waiting === 0 && recorded >= operations ? calm + 1 : 0;
    }
  }

  private async underWay(): Promise<{ waiting: number; recorded: number }> {
    const lists = ['{deja:queue}:usage', '{deja:captures}:captures'].flatMap((queue) => [this.redis.llen(`${queue}:wait`), this.redis.llen(`${queue}:active`)]);
    const [waiting, { rows: [row] }] = await Promise.all([
      Promise.all([...lists, this.redis.xlen('deja:events:{semantic-cache}'), this.redis.xlen('deja:events:{router}')]),
      this.postgres.query<{ n: string }>(`select ${OWN} count(*) as n from usage.operations`),
    ]);
    return { waiting: waiting.reduce((sum, n) => sum + n, 0), recorded: Number(row?.n) };
  }
}

/** Starts a cluster of one replica of each app whose Postgres counts statements, and ends it after `work`. */
export async function withCountedCluster(options: Pick<ClusterOptions, 'program' | 'scale'>, work: (counted: CountedCluster) => Promise<void>): Promise<void> {
  const dataDir = await mkdtemp(join(tmpdir(), 'deja-bench-operations-'));
  const provider = await fakeProvider({ fastAnswer: { deltas: Array.from({ length: PIECES }, () => TEXT), usage: { promptTokens: 190, completionTokens: 320 } } });
  const config = join(dataDir, 'deja.yaml');
  await writeFile(config, JSON.stringify(configuration(Number(new URL(provider.url).port))));
  const { PATH, HOME, TMPDIR, LANG } = process.env;
  const cluster = await startCluster({ ...options, dataDir, port: 0, opsPort: 0, env: { PATH, HOME, TMPDIR, LANG, DEJA_CONFIG: config, LOG_LEVEL: 'warn' }, output: () => undefined });
  const redis = new Redis(cluster.redisUrl);
  try {
    const postgres = await countingPostgres(cluster);
    try {
      await work(new CountedCluster(cluster, redis, postgres));
    } finally {
      await postgres.end();
    }
  } finally {
    redis.disconnect();
    await cluster.stop();
    await provider.close();
    await rm(dataDir, { recursive: true, force: true });
  }
}

async function countingPostgres(cluster: Cluster): Promise<Client> {
  const connectionString = cluster.databaseUrl ?? '';
  const before = new Client({ connectionString });
  await before.connect();
  await before.query("alter system set shared_preload_libraries = 'pg_stat_statements'");
  await before.end();
  await cluster.restart('postgres');
  const postgres = new Client({ connectionString });
  await postgres.connect();
  await postgres.query('create extension pg_stat_statements');
  return postgres;
}
