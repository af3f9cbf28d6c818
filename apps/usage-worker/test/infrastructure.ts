import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startRedis, type ManagedRedis } from '@deja/launcher';
import { migrate, openPool, type Pool } from '@deja/postgres';
import { createLogger, startTelemetry } from '@deja/telemetry';
import { testDatabase } from '@deja/testing';
import { startReplica, type Replica } from '../src/replica.ts';
import { Runtime } from '../src/runtime.ts';

export const logger = createLogger({ service: 'usage-worker', instance: 'test', level: process.env['TEST_LOG_LEVEL'] ?? 'silent' });
export const telemetry = startTelemetry({ service: 'usage-worker', instance: 'test', variables: {} });

/** Resolves with what `look` finds as soon as it is not false, null or undefined; rejects at the deadline. */
export async function eventually<T>(what: string, look: () => T | Promise<T>, deadlineMs = 15_000): Promise<NonNullable<T>> {
  const untilMs = Date.now() + deadlineMs;
  for (;;) {
    const seen = await look();
    if (seen !== false && seen !== null && seen !== undefined) return seen as NonNullable<T>;
    if (Date.now() > untilMs) throw new Error(`not within ${deadlineMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

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

/** Stands between the worker and Postgres, and can break the way. */
export class Proxy {
  private readonly sockets = new Set<Socket>();
  private readonly server: Server;
  private open = true;

  constructor(private readonly target: URL) {
    this.server = createServer((client) => this.pass(client));
  }

  static async to(url: string, cleanup: Cleanup): Promise<Proxy> {
    const proxy = new Proxy(new URL(url));
    await new Promise<void>((resolve) => proxy.server.listen(0, '127.0.0.1', resolve));
    cleanup.add(async () => {
      proxy.break();
      await new Promise((resolve) => proxy.server.close(resolve));
    });
    return proxy;
  }

  get url(): string {
    const url = new URL(this.target);
    url.host = `127.0.0.1:${(this.server.address() as AddressInfo).port}`;
    return url.href;
  }

  /** Cuts every connection and lets none through. */
  break(): void {
    this.open = false;
    for (const socket of this.sockets) socket.destroy();
  }

  mend(): void {
    this.open = true;
  }

  private pass(client: Socket): void {
    if (!this.open) return void client.destroy();
    const server = connect(Number(this.target.port), this.target.hostname);
    for (const [from, to] of [[client, server], [server, client]] as const) {
      this.sockets.add(from);
      from.on('error', () => to.destroy());
      from.on('close', () => {
        this.sockets.delete(from);
        to.destroy();
      });
      from.pipe(to);
    }
  }
}
