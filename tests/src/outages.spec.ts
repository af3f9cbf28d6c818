import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { fakeProvider, testCluster, type FakeProvider, type TestCluster } from '@deja/testing';
import type { MemberName } from '@deja/launcher';
import { chat, eventually, operationRow, post } from './client.ts';

let provider: FakeProvider;
let cluster: TestCluster;

beforeAll(async () => {
  provider = await fakeProvider();
  cluster = await testCluster({ provider: { url: provider.url }, env: { DEJA_LEASE_S: '5', DEJA_REDIS_DEADLINE_MS: '50' } });
  await post(cluster, chat('Make the key known to the gateway.'));
}, 60_000);
afterEach(async () => {
  await cluster.waitReady();
});
afterAll(async () => {
  await cluster?.stop();
  await provider?.close();
});

/** What the gateway has on disk for Redis. */
function spooled(): { kind: string; id: string }[] {
  const dir = join(cluster.dataDir, 'spool');
  const lines = readdirSync(dir).flatMap((name) => readFileSync(join(dir, name), 'utf8').split('\n'));
  return lines.filter((line) => line.endsWith('}')).map((line) => JSON.parse(line) as { kind: string; id: string });
}

let questions = 0;
const question = (): object => chat(`Outage question ${questions++} of these tests, please.`);

describe('what a provider could serve is served', () => {
  test.each<[MemberName]>([['semantic-cache'], ['router'], ['usage-worker']])('with every %s gone', async (name) => {
    await cluster.suspend(name);
    const replies = await Promise.all(Array.from({ length: 20 }, () => post(cluster, question())));
    expect(replies.map((reply) => reply.status)).toEqual(Array(20).fill(200));
    await cluster.resume(name);
    for (const reply of replies) await operationRow(cluster, reply.headers.get('x-request-id'), 30_000);
  }, 60_000);

  test('with a semantic-cache that hangs: a look-up costs at most its 200 ms', async () => {
    const known = chat('What is the longest river of the continent of Asia?', { temperature: 0.7 });
    await post(cluster, known);
    const similar = chat('What is the deepest lake of the continent of Asia?', { temperature: 0.7 });
    await eventually('a look-up', async () => (await post(cluster, similar, { 'cache-control': 'no-store' })).headers.get('x-cache-reason') !== 'no_entry');
    process.kill(cluster.pid('semantic-cache')!, 'SIGSTOP');
    const reply = await post(cluster, similar, { 'cache-control': 'no-store' });
    process.kill(cluster.pid('semantic-cache')!, 'SIGCONT');
    expect([reply.status, reply.headers.get('x-cache'), reply.headers.get('x-cache-reason')]).toEqual([200, 'MISS', 'semantic_unavailable']);
  });

  test('while Redis is away, and the ledger has it afterwards', async () => {
    await cluster.suspend('redis');
    const replies = await Promise.all(Array.from({ length: 20 }, () => post(cluster, question())));
    expect(replies.map((reply) => [reply.status, reply.headers.get('x-cache')])).toEqual(Array(20).fill([200, 'MISS']));
    await cluster.resume('redis');
    for (const reply of replies) expect(await operationRow(cluster, reply.headers.get('x-request-id'), 30_000)).toMatchObject({ status: 200, outcome: 'ok', usage_source: 'upstream' });
    // And the cluster is its old self.
    const again = question();
    await post(cluster, again);
    await eventually('the cache to work again', async () => (await post(cluster, again)).headers.get('x-cache') === 'HIT-EXACT', 30_000);
  }, 90_000);

  test('while Redis is away and the gateway is killed: what it had settled comes out of its spool', async () => {
    await cluster.suspend('redis');
    await eventually('the gateway to notice', async () => (await post(cluster, question())).headers.get('x-cache-reason') === 'cache_unavailable');
    const replies = await Promise.all(Array.from({ length: 10 }, () => post(cluster, question())));
    expect(replies.map((reply) => reply.status)).toEqual(Array(10).fill(200));
    // A reply is sent a moment before its settlement is written; a kill in between would rightly leave an orphaned row.
    await eventually('all settlements on disk', () => replies.every((reply) => spooled().some((line) => line.kind === 'settled' && line.id === reply.headers.get('x-request-id'))));
    cluster.kill('gateway');
    await cluster.resume('redis');
    for (const reply of replies) expect(await operationRow(cluster, reply.headers.get('x-request-id'), 40_000)).toMatchObject({ outcome: 'ok' });
  }, 90_000);

  test('a Redis that was flushed is filled again: routing, keys, scripts, groups', async () => {
    const { Redis } = await import('ioredis');
    const redis = new Redis(cluster.redisUrl);
    await redis.flushall();
    redis.disconnect();
    const reply = await post(cluster, question());
    expect(reply.status).toBe(200);
    await operationRow(cluster, reply.headers.get('x-request-id'), 30_000);
    await eventually('the cache to work again', async () => {
      const asked = question();
      await post(cluster, asked);
      return (await post(cluster, asked)).headers.get('x-cache') === 'HIT-EXACT';
    });
  }, 60_000);

  test('an unknown key is 503 while nobody can tell, and 401 when somebody can', async () => {
    await cluster.suspend('router');
    const stranger = { authorization: 'Bearer sk-deja-stranger-0001' };
    const reply = await post(cluster, question(), stranger);
    expect([reply.status, reply.json.error?.code, reply.headers.get('x-should-retry')]).toEqual([503, 'overloaded', 'true']);
    await cluster.resume('router');
    await eventually('the router to answer', async () => (await post(cluster, question(), stranger)).status === 401);
  }, 60_000);
});

describe('a new configuration', () => {
  test('is in effect within two seconds, and a bad one changes nothing and says where it is wrong', async () => {
    const config = (models: object[]): object => ({ providers: { fake: { kind: 'openai', base_url: provider.url, credentials: [{ name: 'c', value: 'sk-upstream-c' }] } }, models });
    await cluster.configure(config([{ name: 'renamed', deployments: [{ provider: 'fake', model: 'gpt-4o-mini' }] }]));
    await eventually('the new model', async () => {
      await post(cluster, { ...question(), model: 'renamed' });
      return provider.requests.at(-1)?.credential === 'sk-upstream-c';
    }, 4000);
    expect(provider.requests.at(-1)?.body).toMatchObject({ model: 'gpt-4o-mini' });
    expect((await post(cluster, question())).status).toBe(404);
    await cluster.configure('providers:\n  fake: { kind: openai, base_ur: "x" }\n');
    await cluster.whenLogged('base_url');
    expect((await post(cluster, { ...question(), model: 'renamed' })).status).toBe(200);
    await cluster.configure(config([{ name: '*', deployments: [{ provider: 'fake', model: '*' }] }]));
    await eventually('the old models', async () => (await post(cluster, question())).status === 200, 4000);
  });
});
