import { createServer } from 'node:net';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { afterEach, expect, test } from '@jest/globals';
import { freePort } from './port.ts';
import { ping, startRedis, type ManagedRedis, type RedisOptions } from './redis-server.ts';
import { ownDirectory } from '../test/own-directory.ts';

const started: ManagedRedis[] = [];
afterEach(() => Promise.all(started.splice(0).map((server) => server.stop())));

async function start(options: Partial<RedisOptions> = {}): Promise<ManagedRedis> {
  const server = await startRedis({ dir: join(await ownDirectory(), 'redis'), ...options });
  started.push(server);
  return server;
}

test('a Redis that is killed is back on the same port with what it had', async () => {
  const deaths: (number | null)[] = [];
  const server = await start({ appendonly: true, watch: { onDeath: (_end, again) => deaths.push(again?.inMs ?? null) } });
  const client = new Redis(server.url);
  client.on('error', () => {});
  await client.set('kept', 'yes');
  await client.call('WAITAOF', '0', '0', '0').catch(() => {}); // Redis before 7.2 does not know it; a killed process loses nothing it has written anyway
  const first = server.pid;
  server.process.kill('SIGKILL');
  expect(await client.get('kept')).toBe('yes');
  client.disconnect();
  expect(server.pid).not.toBe(first);
  expect(deaths).toHaveLength(1);
});

test('it listens on the loopback only, keeps every key, and is gone after stop', async () => {
  const server = await start();
  const client = new Redis(server.url);
  expect(await client.config('GET', 'bind')).toEqual(['bind', '127.0.0.1']);
  expect(await client.config('GET', 'maxmemory-policy')).toEqual(['maxmemory-policy', 'noeviction']);
  client.disconnect();
  await server.stop();
  expect(server.pid).toBeNull();
  expect(await ping(server.port)).toBeNull();
});

test('a Redis that cannot start is one sentence that quotes it, and is not tried for ever', async () => {
  const port = await freePort();
  const other = createServer((socket) => socket.resume());
  await new Promise<void>((resolve) => other.listen(port, '127.0.0.1', resolve));
  await expect(start({ port })).rejects.toThrow(/^Redis did not start: .*(?:bind|listen)/i);
  await new Promise((resolve) => other.close(resolve));
});
