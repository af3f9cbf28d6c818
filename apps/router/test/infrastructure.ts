import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startPostgres } from '@deja/launcher';
import { createLogger, type Logger } from '@deja/telemetry';
import { Redis } from 'ioredis';
import pg from 'pg';

/** Resolves with the first value that is not false, null or undefined; rejects with what was seen last when the deadline passes. */
export async function eventually<T>(what: string, look: () => T | Promise<T>, deadlineMs = 10_000): Promise<NonNullable<T>> {
  const untilMs = Date.now() + deadlineMs;
  for (;;) {
    const seen = await look();
    if (seen !== false && seen !== null && seen !== undefined) return seen as NonNullable<T>;
    if (Date.now() > untilMs) throw new Error(`not within ${deadlineMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

/** A Redis of its own, empty at each start. */
export class RedisServer {
  private child: ChildProcess | null = null;
  private constructor(readonly port: number) {}

  static async start(): Promise<RedisServer> {
    const server = new RedisServer(await freePort());
    await server.start();
    return server;
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  async start(): Promise<void> {
    this.child = spawn('redis-server', ['--port', String(this.port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--dir', tmpdir()], { stdio: 'ignore' });
    const probe = new Redis(this.url, { retryStrategy: () => 20, maxRetriesPerRequest: null });
    probe.on('error', () => undefined);
    await probe.ping();
    probe.disconnect();
  }

  async kill(): Promise<void> {
    const exited = once(this.child!, 'exit');
    this.child!.kill('SIGKILL');
    await exited;
  }
}

let ownPostgres: { url: string; close: () => Promise<void> } | null = null;

/** The Postgres that DEJA_TEST_POSTGRES_URL names, else one for this file of tests. */
async function postgresUrl(): Promise<string> {
  const given = process.env['DEJA_TEST_POSTGRES_URL'];
  if (given !== undefined && given !== '') return given;
  if (ownPostgres === null) {
    const dir = await mkdtemp(join(tmpdir(), 'deja-router-postgres-'));
    const server = await startPostgres({ dir, durable: false });
    ownPostgres = {
      url: server.url,
      close: async () => {
        await server.stop();
        await rm(dir, { recursive: true, force: true });
      },
    };
  }
  return ownPostgres.url;
}

/** For the end of a file of tests. */
export async function stopPostgres(): Promise<void> {
  await ownPostgres?.close();
  ownPostgres = null;
}

/** An empty database. */
export async function createDatabase(): Promise<{ url: string; drop: () => Promise<void> }> {
  const server = await postgresUrl();
  const name = `router_${process.pid}_${Math.random().toString(36).slice(2, 10)}`;
  const run = async (sql: string): Promise<void> => {
    const admin = new pg.Client({ connectionString: server });
    await admin.connect();
    await admin.query(sql);
    await admin.end();
  };
  await run(`CREATE DATABASE ${name}`);
  const url = new URL(server);
  url.pathname = `/${name}`;
  return { url: url.href, drop: () => run(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`) };
}

/** A TCP path to a server that can be cut, or made to swallow everything, and mended. */
export class Path {
  private readonly sockets = new Set<Socket>();
  private mode: 'open' | 'cut' | 'hanging' = 'open';
  private readonly server = createServer((client) => {
    if (this.mode === 'cut') return void client.destroy();
    const upstream = connect(this.target);
    this.track(client, upstream);
    client.on('data', (data) => this.mode === 'open' && upstream.write(data));
    upstream.on('data', (data) => this.mode === 'open' && client.write(data));
  });

  constructor(private readonly target: { host: string; port: number }) {}

  async listen(): Promise<number> {
    this.server.listen(0, '127.0.0.1');
    await once(this.server, 'listening');
    return (this.server.address() as AddressInfo).port;
  }

  set(mode: 'open' | 'cut' | 'hanging'): void {
    if (mode === this.mode) return;
    this.mode = mode;
    if (mode !== 'hanging') for (const socket of this.sockets) socket.destroy();
  }

  close(): void {
    this.set('cut');
    this.server.close();
  }

  private track(...pair: [Socket, Socket]): void {
    for (const [socket, other] of [pair, [pair[1], pair[0]] as const]) {
      this.sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => {
        this.sockets.delete(socket);
        other.destroy();
      });
    }
  }
}

/** A logger that keeps its lines. */
export function recorder(instance = 'test'): { logger: Logger; lines: Record<string, unknown>[] } {
  const lines: Record<string, unknown>[] = [];
  const logger = createLogger({ service: 'router', instance, level: 'debug', destination: { write: (line: string) => void lines.push(JSON.parse(line) as Record<string, unknown>) } });
  return { logger, lines };
}
