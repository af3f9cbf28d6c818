// What the round trip before an answer costs this process: `node --conditions=@deja/source bench/pipeline.ts [rounds]`. The six commands of it as deja sends them, as a
// pipeline of ioredis's with and without a deadline, and a bare PING; one at a time and 16 together. Processor time of this process in µs, medians of rounds that take turns.
import { createHash } from 'node:crypto';
import { openPipeline, openRedis, whenReady } from '@deja/redis';
import { RedisProcess } from '@deja/testing';
import { Redis } from 'ioredis';

const ROUNDS = Number(process.argv[2] ?? 9);
const TIMES = 2000;
const TOGETHER = [1, 16];
const SOURCE = "return {1, 1764180000000, 0, '', 0, 1, 190, 1764180000, 7, 1, 190, 1764180000, 7, 1, '0', '0'}";
const SHA1 = createHash('sha1').update(SOURCE).digest('hex');
const OPENING = JSON.stringify({ kind: 'open', id: '019ac0de-0000-7000-8000-000000000000', tenant: 'default', key: 'key_019ac0de', user: null, tags: {}, endpoint: 'chat/completions', requestedModel: 'gpt-4o-mini', stream: false, receivedAtMs: 1_764_180_000_000, estimatedPromptTokens: 190, traceId: '0'.repeat(32) });
const KEYS = Array.from({ length: 7 }, (_, i) => `deja:limits:{default}:key:k:${i}`);
const ARGS = Array.from({ length: 24 }, (_, i) => i);

const server = await RedisProcess.start();
const silent = { info: (): void => undefined, warn: (): void => undefined };
const ours = openRedis(server.url, { role: 'commands', name: 'ours', logger: silent, commandTimeoutMs: 1000 });
const timed = new Redis(server.url, { commandTimeout: 1000 });
const plain = new Redis(server.url);
await whenReady(ours, 5000);
await plain.script('LOAD', SOURCE);

const theirs = (redis: Redis) => (): Promise<unknown> =>
  redis.pipeline().hset('operations', 'id', OPENING).hset('accepted', '1', 1).get('revision').evalsha(SHA1, KEYS.length, ...KEYS, ...ARGS).exists('presence').getBuffer('answer').exec();
const ways: [name: string, work: () => Promise<unknown>][] = [
  ['as deja sends them', () => openPipeline(ours).hset('operations', 'id', OPENING).hset('accepted', '1', 1).get('revision').evalsha(SHA1, KEYS.length, ...KEYS, ...ARGS).exists('presence').getBuffer('answer').exec()],
  ['ioredis, a deadline for each', theirs(timed)],
  ['ioredis', theirs(plain)],
  ['a bare PING', () => plain.ping()],
];

async function microseconds(work: () => Promise<unknown>, together: number): Promise<number> {
  const before = process.cpuUsage();
  let left = TIMES;
  await Promise.all(Array.from({ length: together }, async () => {
    while (left-- > 0) await work();
  }));
  const { user, system } = process.cpuUsage(before);
  return (user + system) / TIMES;
}

const figures = new Map<string, number[]>();
for (let round = 0; round < ROUNDS; round++) {
  for (const together of TOGETHER) {
    for (const [name, work] of ways) {
      const key = `${name} | ${together}`;
      figures.set(key, [...(figures.get(key) ?? []), await microseconds(work, together)]);
    }
  }
}
process.stdout.write('| the round trip before an answer | together | µs |\n|---|--:|--:|\n');
for (const [key, all] of figures) process.stdout.write(`| ${key} | ${(all.toSorted((a, b) => a - b)[Math.floor(all.length / 2)] ?? Number.NaN).toFixed(1)} |\n`);
for (const redis of [ours, timed, plain]) redis.disconnect();
await server.stop();
