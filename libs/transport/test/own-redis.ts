import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openRedis, whenReady } from '@deja/redis';
import type { Redis } from 'ioredis';

/** A Redis of this test's own. */
export interface OwnRedis {
  url: string;
  redis: Redis;
  /** Ends the server process at once, as a crash does. */
  kill(): Promise<void>;
  restart(): Promise<void>;
  stop(): Promise<void>;
}

export const silent = { info: () => undefined, warn: () => undefined, error: () => undefined };

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

export async function ownRedis(): Promise<OwnRedis> {
  const dir = mkdtempSync(join(tmpdir(), 'deja-transport-'));
  const port = await freePort();
  const start = (): ChildProcess => spawn('redis-server', ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'yes', '--appendfsync', 'always', '--dir', dir], { stdio: 'ignore' });
  let child = start();
  const url = `redis://127.0.0.1:${port}`;
  const redis = openRedis(url, { role: 'commands', name: 'test', logger: silent, commandTimeoutMs: 2000 });
  await whenReady(redis, 5000);
  const kill = async (): Promise<void> => {
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await gone;
  };
  return {
    url,
    redis,
    kill,
    restart: async () => {
      child = start();
      await until(() => redis.ping().then(() => true, () => false)); // this connection may not have noticed the loss yet
    },
    stop: async () => {
      redis.disconnect();
      if (child.exitCode === null && child.signalCode === null) await kill();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

/** Waits for a condition, with a deadline. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  const tooLateMs = performance.now() + 15_000;
  while (!(await condition())) {
    if (performance.now() > tooLateMs) throw new Error(`never true: ${String(condition)}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
