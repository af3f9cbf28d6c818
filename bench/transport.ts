// What a call over the message streams costs: `node --conditions=@deja/source bench/transport.ts`. Two processes, one that
// calls and one that answers, over a redis-server of its own on a free port. Prints p50 and p99 of one call at a time, then
// calls a second at rising concurrency, then the floor: a PING on the same Redis. `--seconds 3` sets how long each row takes.
import { fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { openRedis, whenReady } from '@deja/redis';
import { StreamsClient, StreamsServer } from '@deja/transport';

const CONCURRENCIES = [1, 8, 64, 256];
const WARM_UP_CALLS = 2000;
/** Like a look-up of a client key: 64 hex digits there, a principal back. */
const REQUEST = { keySha256: 'a'.repeat(64) };
const REPLY = { status: 'active', principal: { tenant: 'default', key: 'k', models: null, limits: { tenant: {}, key: {}, perUser: {} }, expiresAtMs: null } };
const logger = { info: () => undefined, warn: console.warn, error: console.error };

const { values } = parseArgs({ options: { seconds: { type: 'string', default: '3' }, answer: { type: 'string' } } });
if (values.answer) await answer(values.answer);
else await measureAll(Number(values.seconds));

/** The other process. */
async function answer(redisUrl: string): Promise<void> {
  const server = new StreamsServer({ service: 'router', redisUrl, logger });
  server.addHandler('resolve_key', async () => REPLY);
  await server.listen(() => process.send?.('ready'));
  process.once('message', () => void server.close().then(() => process.disconnect()));
}

async function measureAll(seconds: number): Promise<void> {
  const dir = await mkdtemp(join(tmpdir(), 'deja-bench-'));
  const port = await freePort();
  const redisServer = spawn('redis-server', ['--port', String(port), '--bind', '127.0.0.1', '--dir', dir, '--save', '', '--appendonly', 'yes', '--appendfsync', 'everysec'], { stdio: 'ignore' });
  const url = `redis://127.0.0.1:${port}`;
  const redis = openRedis(url, { role: 'commands', name: 'bench', logger: { info: () => undefined, warn: () => undefined } });
  await whenReady(redis, 10_000);
  const answering = fork(new URL(import.meta.url).pathname, ['--answer', url], { execArgv: ['--conditions=@deja/source'] });
  await once(answering, 'message');
  const client = new StreamsClient({ service: 'router', redisUrl: url, logger });
  await client.connect();
  const call = (): Promise<unknown> => client.call('resolve_key', REQUEST, { deadlineMs: 5000 });

  console.log(`Node ${process.version}, ${availableParallelism()} cores, Redis with AOF everysec; caller, answerer and Redis share them\n`);
  console.log('what            at once   p50 ms   p99 ms   calls/s   CPU µs a call (caller)');
  for (let n = 0; n < WARM_UP_CALLS; n++) await call();
  for (const concurrency of CONCURRENCIES) await measure('call', concurrency, seconds, call);
  await measure('PING (floor)', 1, seconds, () => redis.ping());

  await client.close();
  redis.disconnect();
  answering.send('stop');
  await once(answering, 'exit');
  redisServer.kill();
  await once(redisServer, 'exit');
  await rm(dir, { recursive: true, force: true });
}

async function measure(what: string, concurrency: number, seconds: number, task: () => Promise<unknown>): Promise<void> {
  const durationsMs: number[] = [];
  const cpuBefore = process.cpuUsage();
  const startedMs = performance.now();
  const untilMs = startedMs + seconds * 1000;
  const worker = async (): Promise<void> => {
    for (let nowMs = performance.now(); nowMs < untilMs; ) {
      await task();
      const endedMs = performance.now();
      durationsMs.push(endedMs - nowMs);
      nowMs = endedMs;
    }
  };
  await Promise.all(Array.from({ length: concurrency }, worker));
  const elapsedS = (performance.now() - startedMs) / 1000;
  const cpu = process.cpuUsage(cpuBefore);
  durationsMs.sort((a, b) => a - b);
  const at = (share: number): string => (durationsMs[Math.floor(share * durationsMs.length)] ?? Number.NaN).toFixed(3).padStart(8);
  const rate = (durationsMs.length / elapsedS).toFixed(0).padStart(9);
  const cpuMicros = ((cpu.user + cpu.system) / durationsMs.length).toFixed(0).padStart(9);
  console.log(`${what.padEnd(15)} ${String(concurrency).padStart(7)} ${at(0.5)} ${at(0.99)} ${rate} ${cpuMicros}`);
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
