import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { INVALIDATIONS_KEY, PUSH_CHANNEL, type CachedAnswer, type Invalidation } from '@deja/contracts';
import { openRedis, whenReady, type RedisClient } from '@deja/redis';
import { eventually, RedisProcess } from '@deja/testing';
import { Invalidations, MOST_INVALIDATIONS } from '../src/cache/invalidations.ts';
import { invalidation, quiet } from './cache-stage.ts';

const answer: CachedAnswer = { tenant: 'acme', entry: '1', createdAtMs: 1000, model: 'm' };

let server: RedisProcess;
let redis: RedisClient;
let nowMs = 0;
const gateways: Invalidations[] = [];

/** A gateway's; it looks by itself only when it was started. */
function gateway(): Invalidations {
  const made = new Invalidations({ redis, logger: quiet, now: () => nowMs });
  gateways.push(made);
  return made;
}

beforeAll(async () => {
  server = await RedisProcess.start();
  redis = openRedis(server.url, { role: 'commands', name: 'test', logger: quiet });
  await whenReady(redis, 25_000);
});
beforeEach(async () => {
  await redis.flushall();
  nowMs = 0;
});
afterEach(() => {
  for (const one of gateways.splice(0)) one.close();
});
afterAll(async () => {
  redis.disconnect();
  await server.stop();
});

test('one gateway takes answers back, and every other one hears of it without a push', async () => {
  const [one, other] = [gateway(), gateway()];
  other.start();
  await eventually('the other has looked', () => other.areCurrent);
  await one.add(invalidation());
  expect(one.covers(answer)).toBe(true);
  expect(one.covers({ ...answer, createdAtMs: 2001 })).toBe(false);
  await eventually('the other knows', () => other.covers(answer));
});

test('a gateway that comes later knows it when it has looked', async () => {
  await gateway().add(invalidation());
  const late = gateway();
  expect([late.areCurrent, late.covers(answer), late.nowMs()]).toEqual([false, false, null]);
  await late.check();
  expect([late.areCurrent, late.covers(answer), typeof late.nowMs()]).toEqual([true, true, 'number']);
});

test('it is pushed to all', async () => {
  const listener = openRedis(server.url, { role: 'subscriber', name: 'test', logger: quiet });
  await listener.subscribe(PUSH_CHANNEL);
  const pushed: unknown[] = [];
  listener.on('message', (_channel, text: string) => pushed.push(JSON.parse(text)));
  await gateway().add(invalidation());
  await eventually('the push', () => pushed.length === 1);
  expect(pushed).toEqual([{ kind: 'cache_invalidated' }]);
  listener.disconnect();
});

test('what was known a second ago is not relied upon, until Redis was asked again', async () => {
  const one = gateway();
  await one.check();
  nowMs = 1000;
  expect(one.areCurrent).toBe(true);
  nowMs = 1001;
  expect(one.areCurrent).toBe(false);
  await one.check();
  expect(one.areCurrent).toBe(true);
});

test('a look that began before an invalidation does not count for one that is asked for after it', async () => {
  const [one, other] = [gateway(), gateway()];
  for (let i = 0; i < 20; i++) {
    const early = other.check();
    await one.add(invalidation({ entry: `${i}`, tenant: null }));
    await other.check();
    expect(other.covers({ ...answer, entry: `${i}` })).toBe(true);
    await early;
  }
});

test("the time of invalidations is Redis's", async () => {
  const one = gateway();
  const asked = await one.timeMs();
  const [seconds, micros] = await redis.time();
  const redisMs = Number(seconds) * 1000 + Number(micros) / 1000;
  expect(asked).toBeLessThanOrEqual(redisMs);
  expect(one.nowMs()).toBeLessThanOrEqual(redisMs);
});

describe('the list', () => {
  test('drops what a wider invalidation includes, and does not take what it includes already', async () => {
    const one = gateway();
    for (const entry of ['1', '2']) await one.add(invalidation({ entry }));
    await one.add(invalidation({ entry: '3', tenant: 'other' }));
    const wide = invalidation({ id: 'wide', beforeMs: 3000 });
    await one.add(wide);
    expect(new Set(one.all.map(({ id, tenant, entry }) => [tenant, entry, id === 'wide'].join()))).toEqual(new Set(['acme,,true', 'other,3,false']));
    await one.add(invalidation({ entry: '4', beforeMs: 2500 }));
    await one.add(wide);
    expect(one.all).toHaveLength(2);
    expect(await redis.hlen(INVALIDATIONS_KEY)).toBe(3); // with its version
  });

  test('is bounded: one too many is refused and changes nothing, a wider one makes room', async () => {
    const one = gateway();
    const rules = Array.from({ length: MOST_INVALIDATIONS }, (_, i) => invalidation({ entry: `${i}` }));
    await redis.hset(INVALIDATIONS_KEY, { version: 'v', ...Object.fromEntries(rules.map((rule) => [rule.id, JSON.stringify(rule)])) });
    await expect(one.add(invalidation({ tenant: 'other' }))).rejects.toMatchObject({ code: 'conflict' });
    expect(one.all).toHaveLength(MOST_INVALIDATIONS);
    expect(await redis.hget(INVALIDATIONS_KEY, 'version')).toBe('v');
    await one.add(invalidation());
    await one.add(invalidation({ tenant: 'other' }));
    expect(one.all).toHaveLength(2);
  });

  test('passes over what is no invalidation', async () => {
    await redis.hset(INVALIDATIONS_KEY, { version: 'v', a: 'not json', b: JSON.stringify(invalidation()) });
    const one = gateway();
    await one.check();
    expect(one.covers(answer)).toBe(true);
    expect(one.all).toHaveLength(1);
  });
});

describe('a Redis that has lost its memory', () => {
  test('is told again by whoever still knows', async () => {
    const [one, late] = [gateway(), gateway()];
    const rule: Invalidation = invalidation();
    await one.add(rule);
    await redis.flushall();
    await one.check();
    expect(one.covers(answer)).toBe(true);
    await late.check();
    expect(late.all).toEqual([rule]);
  });

  test('as after a failover to a copy that lagged behind, is told again of what is young', async () => {
    const one = gateway();
    const [old, young] = [invalidation({ entry: 'old' }), invalidation({ entry: 'young', madeAtMs: (await one.timeMs()) + 1 })];
    for (const rule of [old, young]) await one.add(rule);
    await redis.hdel(INVALIDATIONS_KEY, old.id, young.id);
    await redis.hset(INVALIDATIONS_KEY, 'version', 'of the copy');
    await one.check();
    expect(one.all).toEqual([young]);
    expect(await redis.hexists(INVALIDATIONS_KEY, young.id)).toBe(1);
  });
});

test('those whose answers are deleted are taken out for all', async () => {
  const [one, other] = [gateway(), gateway()];
  const rule = invalidation();
  await one.add(rule);
  await other.check();
  await other.remove([rule.id]);
  await one.check();
  expect([one.all, other.all]).toEqual([[], []]);
});

test('an invalidation that Redis cannot take is an error, not a promise', async () => {
  const gone = await RedisProcess.start();
  const client = openRedis(gone.url, { role: 'commands', name: 'test', logger: quiet, commandTimeoutMs: 200 });
  await whenReady(client, 25_000);
  await gone.stop();
  await expect(new Invalidations({ redis: client, logger: quiet }).add(invalidation())).rejects.toThrow(/Stream|Connection/);
  client.disconnect();
});
