import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { INVALIDATION_SWEEP_KEY, type Invalidation } from '@deja/contracts';
import { isUp, nodesOf, openRedis, whenReady, type RedisClient } from '@deja/redis';
import { eventually, RedisProcess, startRedisCluster, type RedisCluster } from '@deja/testing';
import { InvalidationSweep } from '../src/cache/invalidation-sweep.ts';
import { Invalidations, SETTLED_MS } from '../src/cache/invalidations.ts';
import { invalidation, keep, meter, quiet, remaining } from './cache-stage.ts';

let server: RedisProcess;
let cluster: RedisCluster;
let one: RedisClient;
let many: RedisClient;

beforeAll(async () => {
  [server, cluster] = await Promise.all([RedisProcess.start(), startRedisCluster()]);
  one = openRedis(server.url, { role: 'commands', name: 'test', logger: quiet });
  many = openRedis(cluster.url, { role: 'commands', name: 'test', logger: quiet, commandTimeoutMs: 5000 });
  await Promise.all([whenReady(one, 25_000), whenReady(many, 25_000)]);
  await eventually('every master is connected', () => nodesOf(many).length === 3 && nodesOf(many).every(isUp));
});
beforeEach(async () => {
  await Promise.all([one.flushall(), cluster.flush()]);
});
afterAll(async () => {
  one.disconnect();
  many.disconnect();
  await Promise.all([server.stop(), cluster.stop()]);
});

/** A gateway that sweeps without pausing. */
async function gateway(redis: RedisClient, cache = redis): Promise<{ invalidations: Invalidations; sweep: InvalidationSweep }> {
  const invalidations = new Invalidations({ redis, logger: quiet });
  await invalidations.check();
  return { invalidations, sweep: new InvalidationSweep({ invalidations, cache, redis, instance: 'test', logger: quiet, meter, pauseMs: 0 }) };
}

/** One that was made long enough ago. */
async function settled(invalidations: Invalidations, more: Partial<Invalidation> = {}): Promise<Invalidation> {
  return invalidation({ madeAtMs: (await invalidations.timeMs()) - SETTLED_MS - 1000, ...more });
}

describe.each([['one Redis', (): RedisClient => one], ['a Redis Cluster', (): RedisClient => many]])('on %s', (_, client) => {
  test('answers that were taken back are deleted, and nothing else is, and then the invalidation', async () => {
    const redis = client();
    const { invalidations, sweep } = await gateway(redis);
    const tenants = ['a', 'b', 'c', 'd', 'e'];
    const gone: string[] = [];
    const stay: string[] = [];
    for (const tenant of tenants) {
      gone.push(...(await keep(redis, { model: 'm' }, { tenant, similar: true })).keys);
      stay.push(...(await keep(redis, { model: 'n' }, { tenant, similar: true })).keys, ...(await keep(redis, { model: 'm', createdAtMs: 2001 }, { tenant })).keys);
    }
    await redis.set('deja:cache:{a}:exact:broken', 'no entry');
    await invalidations.add(await settled(invalidations, { tenant: null, model: 'm' }));
    expect(await sweep.run()).toBe(10);
    expect(await remaining(redis, [...gone, ...stay, 'deja:cache:{a}:exact:broken'])).toEqual([...stay, 'deja:cache:{a}:exact:broken']);
    expect(invalidations.all).toEqual([]);
    expect(await redis.exists(INVALIDATION_SWEEP_KEY)).toBe(0);
  });
});

test("where all are one tenant's, no other tenant's answers are looked at", async () => {
  const { invalidations, sweep } = await gateway(one);
  const { keys } = await keep(one);
  const { keys: others } = await keep(one, {}, { tenant: 'other' });
  await invalidations.add(await settled(invalidations));
  expect(await sweep.run()).toBe(1);
  expect(await remaining(one, [...keys, ...others])).toEqual(others);
});

test('an answer of which much is known is deleted too', async () => {
  const { invalidations, sweep } = await gateway(one);
  const tags = Object.fromEntries(Array.from({ length: 16 }, (_, i) => [`tag${i}`, 'v'.repeat(120)]));
  const { keys } = await keep(one, { tags });
  await invalidations.add(await settled(invalidations, { tag: `tag3=${'v'.repeat(120)}` }));
  expect(await sweep.run()).toBe(1);
  expect(await remaining(one, keys)).toEqual([]);
});

test('an invalidation stays while an answer that it covers may still be written', async () => {
  const { invalidations, sweep } = await gateway(one);
  await keep(one);
  await invalidations.add(invalidation({ madeAtMs: await invalidations.timeMs() }));
  expect(await sweep.run()).toBeNull();
  expect(invalidations.all).toHaveLength(1);
});

test('one gateway deletes at a time', async () => {
  const { invalidations, sweep } = await gateway(one);
  await keep(one);
  await invalidations.add(await settled(invalidations));
  await one.set(INVALIDATION_SWEEP_KEY, 'another');
  expect(await sweep.run()).toBeNull();
  expect([await one.get(INVALIDATION_SWEEP_KEY), invalidations.all.length]).toEqual(['another', 1]);
});

test('an invalidation stays when not all answers could be gone through', async () => {
  const { invalidations, sweep } = await gateway(one, many);
  await invalidations.add(await settled(invalidations));
  const [dead] = cluster.masters;
  await dead!.kill();
  await eventually('the loss is noticed', () => !nodesOf(many).every(isUp));
  expect(await sweep.run()).toBeNull();
  expect(invalidations.all).toHaveLength(1);
  await cluster.restart(dead!);
  await eventually('it is back', () => nodesOf(many).length === 3 && nodesOf(many).every(isUp));
  expect(await sweep.run()).toBe(0);
});

test('a gateway that stops leaves the rest to another', async () => {
  const { invalidations, sweep } = await gateway(one);
  const { keys } = await keep(one);
  await invalidations.add(await settled(invalidations));
  await sweep.close();
  expect(await sweep.run()).toBeNull();
  expect(invalidations.all).toHaveLength(1);
  expect(await (await gateway(one)).sweep.run()).not.toBeNull();
  expect(await remaining(one, keys)).toEqual([]);
});
