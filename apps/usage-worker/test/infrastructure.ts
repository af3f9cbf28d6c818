import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startRedis, type ManagedRedis } from '@deja/launcher';
import { migrate, openPool, type Pool } from '@deja/postgres';
import { createLogger, startTelemetry } from '@deja/telemetry';
import { TcpPath, testDatabase } from '@deja/testing';
import { startReplica, type Replica } from '../src/replica.ts';
import { Runtime } from '../src/runtime.ts';

export const logger = createLogger({ service: 'usage-worker', instance: 'test', level: process.env['TEST_LOG_LEVEL'] ?? 'silent' });
export const telemetry = startTelemetry({ service: 'usage-worker', instance: 'test', variables: {} });

/** What a test opened, closed in the reverse order. */
export class Cleanup {
  private readonly steps: (() => Promise<unknown>)[] = [];

  add(step: () => Promise<unknown>): void {
    this.steps.unshift(step);
  }

  async run(): Promise<void> {
    for (const step of this.steps.splice(0)) await step();
  }
}

export async function redisServer(cleanup: Cleanup): Promise<ManagedRedis> {
  const dir = await mkdtemp(join(tmpdir(), 'deja-usage-redis-'));
  const redis = await startRedis({ dir });
  cleanup.add(async () => {
    await redis.stop();
    await rm(dir, { recursive: true, force: true });
  });
  return redis;
}

/** An empty database, and a pool to look into it. */
export async function database(cleanup: Cleanup): Promise<{ url: string; pool: Pool }> {
  const made = await testDatabase();
  const pool = openPool(made.url, { name: 'test', logger });
  cleanup.add(async () => {
    await pool.end();
    await made.drop();
  });
  return { url: made.url, pool };
}

export const migrateLedger = (pool: Pool): Promise<void> => migrate(pool, { folder: new URL('../migrations', import.meta.url), schema: 'usage', logger });

export async function replica(cleanup: Cleanup, o: { redisUrl: string; databaseUrl: string; leaseS?: number; graceMs?: number }): Promise<Replica> {
  const runtime = new Runtime({ host: '127.0.0.1', opsPort: 0, redisUrl: o.redisUrl }, o.databaseUrl, randomUUID(), logger, telemetry, o.leaseS ?? 60, o.graceMs);
  const started = await startReplica(runtime);
  let closed: Promise<void> | null = null;
  const once = { opsPort: started.opsPort, close: () => (closed ??= started.close()) };
  cleanup.add(once.close);
  return once;
}

/** A way to Postgres that the test can break. */
export async function pathTo(url: string, cleanup: Cleanup): Promise<TcpPath> {
  const path = await TcpPath.to(url);
  cleanup.add(() => path.close());
  return path;
}
