import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import { findRedisServer, freePort, temporaryDirectory } from '@deja/launcher';
import { Redis } from 'ioredis';
import { eventually } from './eventually.ts';

/** A deadline for what hangs: a busy machine may take its time. */
const START_MS = 30_000;

/** A Redis server of a test's own, which it may kill and start again on the same port with what was on disk. */
export class RedisProcess {
  readonly port: number;
  /** A connection for the test: fails at once while the server is away, comes back with it. */
  readonly client: Redis;
  readonly #program: string;
  readonly #dir: string;
  readonly #flags: readonly string[];
  #child: ChildProcess | null = null;

  private constructor(program: string, port: number, dir: string, flags: readonly string[]) {
    this.#program = program;
    this.port = port;
    this.#dir = dir;
    this.#flags = flags;
    this.client = new Redis(this.url, { lazyConnect: true, enableOfflineQueue: false, maxRetriesPerRequest: 0, commandTimeout: 5000, retryStrategy: () => 20 });
    this.client.on('error', () => {}); // a test that kills its Redis knows
  }

  /** @param flags what it is started with on top of its own, as `--cluster-enabled`, `yes` */
  static async start(flags: readonly string[] = []): Promise<RedisProcess> {
    const redis = new RedisProcess(await findRedisServer(), await freePort(), await temporaryDirectory('deja-redis-'), flags);
    await redis.restart();
    return redis;
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  /** Ends the server at once, as a crash does. */
  async kill(): Promise<void> {
    const child = this.#child;
    this.#child = null;
    if (child === null) return;
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
  }

  async restart(): Promise<void> {
    const flags = ['--port', String(this.port), '--bind', '127.0.0.1', '--dir', this.#dir, '--save', '', '--appendonly', 'yes', '--appendfsync', 'always', ...this.#flags];
    this.#child = spawn(this.#program, flags, { stdio: 'ignore' });
    if (this.client.status === 'wait') void this.client.connect().catch(() => {}); // tried again until it stands
    await eventually('redis-server to answer', () => this.client.ping().then(() => true, () => false), START_MS);
  }

  async stop(): Promise<void> {
    this.client.disconnect();
    await this.kill();
    await rm(this.#dir, { recursive: true, force: true });
  }
}
