import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { USAGE_QUEUE_PREFIX } from '@deja/contracts';
import { fakeProvider, startRedisCluster, testCluster, type FakeProvider, type RedisCluster, type TestCluster } from '@deja/testing';
import { ask, attemptRows, chat, eventually, operationRow, post, sdk } from './client.ts';

let redis: RedisCluster;
let provider: FakeProvider;
let cluster: TestCluster;

beforeAll(async () => {
  [redis, provider] = await Promise.all([startRedisCluster(), fakeProvider()]);
  cluster = await testCluster({
    redisUrl: redis.url,
    scale: { gateway: 2 },
    config: {
      providers: { fake: { kind: 'openai', base_url: provider.url, credentials: [{ name: 'a', value: 'sk-upstream-a' }] } },
      models: [{ name: '*', deployments: [{ provider: 'fake', model: '*' }] }],
      // Of two shards: they are asked one after the other.
      limits: { global: { requests_per_minute: 100_000 }, per_tenant: { tokens_per_minute: 10_000_000 }, per_key: { concurrency: 100 } },
      budgets: { global: [{ usd: 1000, period: 'day' }], per_tenant: [{ usd: 100, period: 'total' }] },
      cache: { semantic: { audit: { share: 0 } } }, // or it would be chance whether a similar question is a hit
    },
  });
}, 90_000);
afterAll(async () => {
  await cluster?.stop();
  await provider?.close();
  await redis?.stop();
});

const ledgerRow = (response: { headers: Headers }) => operationRow(cluster, response.headers.get('x-request-id'), 30_000);

describe('on a Redis Cluster of three masters', () => {
  test('a question is answered, its repetition on another gateway comes from the cache, and the ledger has both', async () => {
    const [first, second] = cluster.urls.map((url) => sdk(cluster, url));
    const question = { model: 'gpt-4o-mini', messages: ask('Name the capital of Portugal, please.') };
    const made = await first!.chat.completions.create(question).withResponse();
    const again = await second!.chat.completions.create(question).withResponse();
    expect(again.data).toEqual(made.data);
    expect([made, again].map(({ response }) => response.headers.get('x-cache'))).toEqual(['MISS', 'HIT-EXACT']);
    const bought = await ledgerRow(made.response);
    expect(bought).toMatchObject({ tenant: 'default', status: 200, outcome: 'ok', usage_source: 'upstream', prompt_tokens: made.data.usage?.prompt_tokens });
    expect(await attemptRows(cluster, bought.id)).toMatchObject([{ n: 1, status: 200, outcome: 'ok' }]);
    expect(await ledgerRow(again.response)).toMatchObject({ cache: 'HIT-EXACT', usage_source: 'cache', cost_nano_usd: '0', saved_nano_usd: bought.cost_nano_usd });
  });

  test('a stream is passed on, kept, and recorded', async () => {
    const streamed = await post(cluster, chat('Stream me something about lakes.', { stream: true }));
    expect(streamed.text.trimEnd()).toMatch(/data: \[DONE\]$/);
    expect(await ledgerRow(streamed)).toMatchObject({ cache: 'MISS', usage_source: 'upstream', stream: true, outcome: 'ok' });
    expect((await post(cluster, chat('Stream me something about lakes.', { stream: true }))).headers.get('x-cache')).toBe('HIT-EXACT');
  });

  test('a similar question is answered by the semantic cache', async () => {
    expect((await post(cluster, chat('What is the deepest lake of Asia?'))).headers.get('x-cache')).toBe('MISS');
    await eventually('a semantic hit', async () => (await post(cluster, chat('what is  the deepest lake of asia'), { 'cache-control': 'no-store' })).headers.get('x-cache') === 'HIT-SEMANTIC');
  });

  test('headers tell the limits of both shards', async () => {
    const reply = await post(cluster, chat('How much of the limits is left, please?'));
    expect([reply.headers.get('x-ratelimit-limit-requests'), reply.headers.get('x-ratelimit-limit-tokens')]).toEqual(['100000', '10000000']);
  });

  test('without the master of the usage queue requests are answered, and recorded when it is back', async () => {
    const dead = await redis.masterOf(`${USAGE_QUEUE_PREFIX}:usage`);
    await dead.kill();
    const replies = await Promise.all(Array.from({ length: 10 }, (_, i) => post(cluster, chat(`Question ${i} while a master is away, please.`))));
    expect(replies.map(({ status }) => status)).toEqual(replies.map(() => 200));
    await redis.restart(dead);
    for (const reply of replies) expect(await ledgerRow(reply)).toMatchObject({ outcome: 'ok', usage_source: 'upstream' });
    await eventually('the cache to work', async () => {
      const question = chat('And is the whole cluster its old self?');
      await post(cluster, question);
      return (await post(cluster, question)).headers.get('x-cache') === 'HIT-EXACT';
    });
  }, 90_000);
});
