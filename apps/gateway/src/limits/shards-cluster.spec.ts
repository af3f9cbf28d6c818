import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { openRedis, whenReady, type RedisClient } from '@deja/redis';
import { RedisCluster } from '@deja/testing';
import { budget, ceiling, LEASE_MS, LimitStage, unique } from '../../test/limit-stage.ts';

let cluster: RedisCluster;
let redis: RedisClient;

beforeAll(async () => {
  cluster = await RedisCluster.start(3);
  redis = openRedis(cluster.url, { role: 'commands', name: 'limits', logger: { info: () => undefined, warn: () => undefined } });
  await whenReady(redis, 10_000);
});
afterAll(async () => {
  redis.disconnect();
  await cluster.stop();
});

test('on a Redis Cluster each shard decides by itself, and what one refuses the other gives back', async () => {
  const at = new LimitStage({ client: redis }, false);
  for (const tenant of Array.from({ length: 8 }, () => unique('t'))) {
    const own = ceiling({ requests_per_minute: 300, tokens_per_day: 1e6, concurrency: 300 }, { tenant });
    const all = ceiling({ requests_per_minute: 100, concurrency: 200 }, { scope: 'global' });
    const money = budget(10n ** 9n, { tenant });
    await at.seed(money, 5n);
    const shards = [{ name: tenant, ceilings: [own], budgets: [money] }, { name: 'global', ceilings: [all], budgets: [] }];
    const charged = { tokens: 10, keptTokens: 1, nanoUsd: 7n, keptNanoUsd: 2n };
    const outcomes = await Promise.all(Array.from({ length: 300 }, () => at.reserve(shards, { operation: unique('op'), ...charged })));
    const admitted = outcomes.flatMap(({ held }) => held ?? []);
    expect(admitted).toHaveLength(100);
    expect([await at.flights(own), await at.flights(all), await at.money(money)]).toEqual(['100', '100', ['5', '700']]);
    await at.settle(admitted[0]!, 4, 3n);
    await at.renew(...admitted.slice(0, 2));
    at.ms += LEASE_MS + 1000;
    await at.ask([own, money]);
    await at.ask([all]);
    expect([await at.flights(own), await at.flights(all)]).toEqual(['1', '1']);
    at.ms += LEASE_MS;
  }
});
