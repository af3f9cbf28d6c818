import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { newId } from '@deja/contracts';
import { openRedis, whenReady, type RedisClient } from '@deja/redis';
import { RedisProcess, startRedisCluster, type RedisCluster } from '@deja/testing';
import { AnswerCensus } from '../src/cache/answer-census.ts';
import type { CacheAdmin } from '../src/cache/cache-admin.ts';
import { asked, CacheAdminStage, call, takeBack, type By } from './cache-admin-stage.ts';
import { keep, quiet } from './cache-stage.ts';

let server: RedisProcess;
let cluster: RedisCluster;
let redis: RedisClient;
let stage: CacheAdminStage;

const counted = (entries: number, more: object = {}): object => ({ object: 'cache_invalidation', entries, partial: false, dry_run: false, ...more });

beforeAll(async () => {
  server = await RedisProcess.start();
  redis = openRedis(server.url, { role: 'commands', name: 'test', logger: quiet });
  await whenReady(redis, 25_000);
});
beforeEach(async () => {
  await redis.flushall();
  stage = new CacheAdminStage(redis);
});
afterAll(async () => {
  redis.disconnect();
  await server.stop();
  await cluster?.stop();
});

describe('what the cache holds', () => {
  test('is counted by kind and in bytes, of all tenants or of one', async () => {
    await keep(redis, {}, { similar: true });
    await keep(redis, {}, { body: 'x'.repeat(1000) });
    await keep(redis, {}, { tenant: 'other', similar: true, exact: false });
    await redis.set('deja:limits:{acme}:something', 'x');
    await redis.set('deja:cache:{acme}:sem:tenant:f', '1');
    const all = (await stage.admin().stats(asked({}))).body;
    const acme = (await stage.admin().stats(asked({ tenant: 'acme' }))).body;
    expect([all, acme]).toMatchObject([{ object: 'cache_stats', tenant: null, exact_entries: 2, semantic_entries: 2, partial: false }, { tenant: 'acme', exact_entries: 2, semantic_entries: 1 }]);
    expect(acme.bytes).toBeGreaterThan(1000);
    expect(all.bytes).toBeGreaterThan(acme.bytes);
  });

  test("is a token's own tenant's, whatever it asks for", async () => {
    await keep(redis, {}, { tenant: 'other' });
    expect((await stage.admin().stats(asked({}, { tenant: 'acme' }))).body).toMatchObject({ tenant: 'acme', exact_entries: 0 });
    await expect(stage.admin().stats(asked({ tenant: 'other' }, { tenant: 'acme' }))).rejects.toMatchObject({ code: 'not_found', param: 'tenant' });
  });

  test('is told in part when there is much of it', async () => {
    const pipeline = redis.pipeline();
    for (let i = 0; i < 3000; i++) pipeline.set(`deja:cache:{acme}:exact:${i}`, 'x');
    await pipeline.exec();
    const { body } = await stage.admin({ census: new AnswerCensus(redis, { mostSteps: 2 }) }).stats(asked({}));
    expect(body.partial).toBe(true);
    expect(body.exact_entries).toBeLessThan(3000);
    expect((await stage.admin().stats(asked({}))).body).toMatchObject({ exact_entries: 3000, bytes: 3000, partial: false });
  });
});

describe('taking answers back', () => {
  test('counts each answer once, has it in the audit log, and then in force', async () => {
    const { meta } = await keep(redis, { tags: { team: 'a' } }, { similar: true });
    await keep(redis, { tags: { team: 'b' } });
    const { body } = await stage.admin().invalidate(takeBack({ tag: 'team=a' }, { id: 'token', requestId: 'r1' }));
    expect(body).toEqual(counted(1));
    expect(stage.invalidations.covers({ tenant: 'acme', entry: meta.id, ...meta })).toBe(true);
    expect(stage.audited).toMatchObject([{ action: 'invalidateCache', resource: 'cache', resourceId: null, tenant: null, change: { by: { id: 'token' } }, after: { tenant: null, model: null, tag: 'team=a', entry: null, older_than_s: 0 } }]);
    expect(stage.told).toEqual(stage.invalidations.all);
  });

  test('by several conditions takes only what meets them all', async () => {
    await keep(redis, { model: 'm' });
    await keep(redis, { model: 'n', asked: 'm' });
    await keep(redis, { model: 'n' });
    await keep(redis, { model: 'm' }, { tenant: 'other' });
    await keep(redis, { model: 'm', createdAtMs: Date.now() });
    expect((await stage.admin().invalidate(takeBack({ tenant: 'acme', model: 'm:cost', older_than_s: 60 }))).body).toEqual(counted(2));
    expect(stage.invalidations.all).toMatchObject([{ tenant: 'acme', model: 'm', tag: null, entry: null }]);
    const [rule] = stage.invalidations.all;
    expect(rule!.madeAtMs - rule!.beforeMs).toBe(60_000);
  });

  test('on trial only counts', async () => {
    await keep(redis);
    expect((await stage.admin().invalidate(takeBack({ dry_run: true }))).body).toEqual(counted(1, { dry_run: true }));
    expect([stage.audited, stage.invalidations.all, stage.told]).toEqual([[], [], []]);
  });

  test('of what was taken back before counts nothing', async () => {
    await keep(redis);
    const cache = stage.admin();
    expect((await cache.invalidate(takeBack())).body).toEqual(counted(1));
    expect((await cache.invalidate(takeBack({ tenant: 'acme' }))).body).toEqual(counted(0));
  });

  test("by a tenant's token takes that tenant's, and nothing of another's", async () => {
    await keep(redis);
    await keep(redis, {}, { tenant: 'other' });
    expect((await stage.admin().invalidate(takeBack({}, { tenant: 'acme' }))).body).toEqual(counted(1));
    expect(stage.invalidations.all).toMatchObject([{ tenant: 'acme' }]);
    await expect(stage.admin().invalidate(takeBack({ tenant: 'other' }, { tenant: 'acme' }))).rejects.toMatchObject({ code: 'not_found' });
    expect(stage.audited).toHaveLength(1);
  });

  test('that is not in the audit log is not in force', async () => {
    const cache = stage.admin({ audit: () => Promise.reject(new Error('no router')) });
    await expect(cache.invalidate(takeBack())).rejects.toThrow('no router');
    await stage.invalidations.check();
    expect([stage.invalidations.all, stage.told]).toEqual([[], []]);
  });

  test('repeated under its idempotency key takes back no more, and answers the same', async () => {
    await keep(redis);
    const idempotency = { key: newId(), fingerprint: 'f' };
    const first = await stage.admin().invalidate(takeBack({}, {}, idempotency));
    await keep(redis, { createdAtMs: (await stage.invalidations.timeMs()) + 1 });
    const again = await stage.admin().invalidate(takeBack({}, {}, idempotency));
    expect(again).toEqual({ ...first, replayed: true });
    expect(stage.invalidations.all).toHaveLength(1);
  });

  test('is an error when Redis is away', async () => {
    const gone = await RedisProcess.start();
    const client = openRedis(gone.url, { role: 'commands', name: 'test', logger: quiet, commandTimeoutMs: 200 });
    await whenReady(client, 25_000);
    await gone.stop();
    await expect(stage.admin({ cache: client }).invalidate(takeBack())).rejects.toMatchObject({ code: 'overloaded' });
    await expect(stage.admin({ cache: client }).stats(asked({}))).rejects.toMatchObject({ code: 'overloaded' });
    client.disconnect();
  });
});

describe('feedback', () => {
  test('is told to the semantic-cache, by the model that was asked for, and a wrong answer once', async () => {
    const [fine, bad] = [(await keep(redis, { asked: 'auto' })).meta, (await keep(redis)).meta];
    const cache = stage.admin();
    await cache.feedback(call({ entry: fine.id, correct: true }));
    for (let i = 0; i < 2; i++) await cache.feedback(call(wrong(bad.id)));
    expect(stage.heard).toEqual([
      { tenant: 'acme', model: 'auto', entry: fine.id, correct: true },
      { tenant: 'acme', model: 'm', entry: bad.id, correct: false },
    ]);
  });

  const wrong = (entry: string, more: { tenant?: string } = {}): { entry: string; correct: boolean; tenant?: string } => ({ entry, correct: false, ...more });

  test.each([['kept for the same question', {}], ['kept for similar ones', { exact: false, similar: true }]])('on a wrong answer takes it back, wherever it is: %s', async (_, at) => {
    const { meta } = await keep(redis, {}, at);
    const { meta: good } = await keep(redis, {}, at);
    const { body } = await stage.admin().feedback(call(wrong(meta.id)));
    expect(body).toEqual({ object: 'cache_feedback', entry: meta.id, correct: false, invalidated: true });
    expect([meta, good].map((one) => stage.invalidations.covers({ tenant: 'acme', entry: one.id, ...one }))).toEqual([true, false]);
    expect(stage.invalidations.all).toMatchObject([{ tenant: 'acme', entry: meta.id }]);
    expect(stage.audited).toMatchObject([{ action: 'cacheFeedback', resource: 'cache', resourceId: meta.id, tenant: 'acme' }]);
  });

  test('on a correct answer takes nothing back', async () => {
    const { meta } = await keep(redis);
    expect((await stage.admin().feedback(call({ entry: meta.id, correct: true }))).body).toEqual({ object: 'cache_feedback', entry: meta.id, correct: true, invalidated: false });
    expect([stage.audited, stage.told]).toEqual([[], []]);
  });

  test('said twice is one invalidation', async () => {
    const { meta } = await keep(redis);
    const cache = stage.admin();
    const first = await cache.feedback(call(wrong(meta.id)));
    expect(await cache.feedback(call(wrong(meta.id)))).toEqual(first);
    expect(await cache.feedback(call(wrong(meta.id, { tenant: 'acme' })))).toEqual(first);
    expect([stage.audited.length, stage.invalidations.all.length]).toEqual([1, 1]);
  });

  test('repeated under its idempotency key is said to be a repetition', async () => {
    const { meta } = await keep(redis);
    const idempotency = { key: newId(), fingerprint: 'f' };
    const cache = stage.admin();
    const first = await cache.feedback(call(wrong(meta.id), {}, idempotency));
    expect(await cache.feedback(call(wrong(meta.id), {}, idempotency))).toEqual({ ...first, replayed: true });
    expect(stage.invalidations.all).toHaveLength(1);
  });

  const OTHERS: By = { tenant: 'other' };
  test.each<[string, number, By]>([["another tenant's", 0, OTHERS], ['older', 3600, {}]])('takes an answer back although one of this id was invalidated before, if it was %s', async (_, olderThanS, by) => {
    const cache = stage.admin();
    const { meta } = await keep(redis, { createdAtMs: await stage.invalidations.timeMs() });
    await cache.invalidate(takeBack({ entry: meta.id, older_than_s: olderThanS }, by));
    await expect(cache.feedback(call(wrong(meta.id), OTHERS))).rejects.toMatchObject({ code: 'not_found', param: 'entry' });
    expect((await cache.feedback(call({ entry: meta.id, correct: true }))).body.invalidated).toBe(false);
    expect((await cache.feedback(call(wrong(meta.id)))).body.invalidated).toBe(true);
    expect(stage.invalidations.covers({ tenant: 'acme', entry: meta.id, ...meta })).toBe(true);
    expect(stage.audited.map(({ action, tenant }) => [action, tenant]).at(-1)).toEqual(['cacheFeedback', 'acme']);
  });

  test('on what was taken back with all else changes nothing, and is no second change in the audit log', async () => {
    const { meta } = await keep(redis);
    const cache = stage.admin();
    await cache.invalidate(takeBack());
    for (const correct of [true, false]) expect((await cache.feedback(call({ entry: meta.id, correct }))).body).toMatchObject({ correct, invalidated: true });
    expect(stage.audited.map(({ action }) => action)).toEqual(['invalidateCache']);
  });

  test('on what nobody has is not found', async () => {
    await keep(redis);
    for (const correct of [true, false]) await expect(stage.admin().feedback(call({ entry: newId(), correct }))).rejects.toMatchObject({ code: 'not_found', param: 'entry' });
    expect(stage.audited).toEqual([]);
  });

  test("on another tenant's answer is not found, as one that nobody has, and changes nothing", async () => {
    const { meta } = await keep(redis, {}, { tenant: 'other', similar: true });
    await expect(stage.admin().feedback(call(wrong(meta.id), { tenant: 'acme' }))).rejects.toMatchObject({ code: 'not_found', param: 'entry' });
    await expect(stage.admin().feedback(call(wrong(meta.id, { tenant: 'acme' })))).rejects.toMatchObject({ code: 'not_found', param: 'entry' });
    await expect(stage.admin().feedback(call(wrong(meta.id, { tenant: 'other' }), { tenant: 'acme' }))).rejects.toMatchObject({ code: 'not_found', param: 'tenant' });
    expect(stage.audited).toEqual([]);
  });

  describe('on an answer that is not among the first of very many', () => {
    const shortened = (): CacheAdmin => stage.admin({ census: new AnswerCensus(redis, { mostSteps: 0 }) });

    test('takes it back all the same, whosever it is', async () => {
      const { meta } = await keep(redis);
      expect((await shortened().feedback(call(wrong(meta.id)))).body.invalidated).toBe(true);
      expect(stage.invalidations.covers({ tenant: 'acme', entry: meta.id, ...meta })).toBe(true);
      expect(stage.audited).toMatchObject([{ resourceId: meta.id, tenant: null }]);
    });

    test('finds one that is kept for similar questions, where its tenant is known', async () => {
      const { meta } = await keep(redis, {}, { similar: true });
      expect((await shortened().feedback(call(wrong(meta.id), { tenant: 'acme' }))).body.invalidated).toBe(true);
      expect(stage.invalidations.all).toMatchObject([{ tenant: 'acme', entry: meta.id }]);
    });

    test('says that it could not look at all, where nothing else can be said', async () => {
      const { meta } = await keep(redis);
      const calls = [call(wrong(meta.id), { tenant: 'acme' }), call(wrong(meta.id, { tenant: 'acme' })), call(wrong(meta.id), { tenant: 'other' }), call({ entry: meta.id, correct: true })];
      for (const one of calls) await expect(shortened().feedback(one)).rejects.toMatchObject({ code: 'conflict', param: 'entry' });
      expect([stage.audited, stage.invalidations.all]).toEqual([[], []]);
    });
  });
});

test('on a Redis Cluster all of its masters are counted', async () => {
  cluster = await startRedisCluster();
  const client = openRedis(cluster.url, { role: 'commands', name: 'test', logger: quiet, commandTimeoutMs: 5000 });
  await whenReady(client, 25_000);
  const tenants = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'];
  for (const tenant of tenants) await keep(client, {}, { tenant, similar: true });
  const cache = stage.admin({ cache: client });
  expect((await cache.stats(asked({}))).body).toMatchObject({ exact_entries: 8, semantic_entries: 8, partial: false });
  expect((await cache.stats(asked({ tenant: 'c' }))).body).toMatchObject({ exact_entries: 1, semantic_entries: 1 });
  expect((await cache.invalidate(takeBack())).body).toEqual(counted(8));
  client.disconnect();
});
