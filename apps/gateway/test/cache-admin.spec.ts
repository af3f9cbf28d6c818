import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { newId, type AdminChange, type AuditedChange, type Invalidation, type RouterRpc, type SemanticCacheEvents } from '@deja/contracts';
import { openRedis, whenReady, type RedisClient } from '@deja/redis';
import { RedisProcess, startRedisCluster, type RedisCluster } from '@deja/testing';
import type { OperationCall } from '../src/admin/operation-call.ts';
import { AnswerCensus } from '../src/cache/answer-census.ts';
import { CacheAdmin } from '../src/cache/cache-admin.ts';
import { Invalidations } from '../src/cache/invalidations.ts';
import { changeOf, keep, meter, quiet } from './cache-stage.ts';

let server: RedisProcess;
let cluster: RedisCluster;
let redis: RedisClient;
let invalidations: Invalidations;
let audited: AuditedChange[] = [];
let told: Invalidation[] = [];
let heard: SemanticCacheEvents['feedback'][] = [];
/** What the router keeps by idempotency key. */
const outcomes = new Map<string, unknown>();

function admin(parts: { redis?: RedisClient; census?: AnswerCensus; audit?: (change: AuditedChange) => Promise<RouterRpc['audit']['reply']> } = {}): CacheAdmin {
  const { redis: at = redis, ...more } = parts;
  invalidations = new Invalidations({ redis: at, logger: quiet });
  const audit = async (change: AuditedChange): Promise<RouterRpc['audit']['reply']> => {
    audited.push(change);
    const key = change.change.idempotency?.key ?? newId();
    const replayed = outcomes.has(key);
    if (!replayed) outcomes.set(key, JSON.parse(JSON.stringify(change.outcome)));
    return { outcome: outcomes.get(key), replayed };
  };
  return new CacheAdmin({ cache: at, invalidations, audit, announce: async (rule) => void told.push(rule), tellFeedback: async (feedback) => void heard.push(feedback), meter, logger: quiet, ...more });
}

type By = Parameters<typeof changeOf>[0];
const call = <B>(body: B, by: By = {}, idempotency: AdminChange['idempotency'] = null): OperationCall<null, B> => ({ params: {}, query: null, body, sent: { query: null, body }, change: changeOf(by, idempotency) });
const asked = (query: { tenant?: string }, by: By = {}): OperationCall<{ tenant?: string }, null> => ({ params: {}, query, body: null, sent: { query, body: null }, change: changeOf(by) });
const counted = (entries: number, more: object = {}): object => ({ object: 'cache_invalidation', entries, partial: false, dry_run: false, ...more });

beforeAll(async () => {
  server = await RedisProcess.start();
  redis = openRedis(server.url, { role: 'commands', name: 'test', logger: quiet });
  await whenReady(redis, 5000);
});
beforeEach(async () => {
  await redis.flushall();
  audited = [];
  told = [];
  heard = [];
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
    await redis.set('deja:limit:{acme}:something', 'x');
    await redis.set('deja:cache:{acme}:sem:tenant:f', '1');
    const all = (await admin().stats(asked({}))).body;
    const acme = (await admin().stats(asked({ tenant: 'acme' }))).body;
    expect([all, acme]).toMatchObject([{ object: 'cache_stats', tenant: null, exact_entries: 2, semantic_entries: 2, partial: false }, { tenant: 'acme', exact_entries: 2, semantic_entries: 1 }]);
    expect(acme.bytes).toBeGreaterThan(1000);
    expect(all.bytes).toBeGreaterThan(acme.bytes);
  });

  test("is a token's own tenant's, whatever it asks for", async () => {
    await keep(redis, {}, { tenant: 'other' });
    expect((await admin().stats(asked({}, { tenant: 'acme' }))).body).toMatchObject({ tenant: 'acme', exact_entries: 0 });
    await expect(admin().stats(asked({ tenant: 'other' }, { tenant: 'acme' }))).rejects.toMatchObject({ code: 'not_found', param: 'tenant' });
  });

  test('is told in part when there is much of it', async () => {
    const pipeline = redis.pipeline();
    for (let i = 0; i < 3000; i++) pipeline.set(`deja:cache:{acme}:exact:${i}`, 'x');
    await pipeline.exec();
    const { body } = await admin({ census: new AnswerCensus(redis, { mostSteps: 2 }) }).stats(asked({}));
    expect(body.partial).toBe(true);
    expect(body.exact_entries).toBeLessThan(3000);
    expect((await admin().stats(asked({}))).body).toMatchObject({ exact_entries: 3000, bytes: 3000, partial: false });
  });
});

describe('taking answers back', () => {
  test('counts each answer once, has it in the audit log, and then in force', async () => {
    const { meta } = await keep(redis, { tags: { team: 'a' } }, { similar: true });
    await keep(redis, { tags: { team: 'b' } });
    const { body } = await admin().invalidate(call({ tag: 'team=a', dry_run: false }, { id: 'token', requestId: 'r1' }));
    expect(body).toEqual(counted(1));
    expect(invalidations.covers({ tenant: 'acme', entry: meta.id, ...meta })).toBe(true);
    expect(audited).toMatchObject([{ action: 'invalidateCache', resource: 'cache', resourceId: null, tenant: null, change: { by: { id: 'token' } }, after: { tenant: null, model: null, tag: 'team=a', entry: null, older_than_s: 0 } }]);
    expect(told).toEqual(invalidations.all);
  });

  test('by several conditions takes only what meets them all', async () => {
    await keep(redis, { model: 'm' });
    await keep(redis, { model: 'n', asked: 'm' });
    await keep(redis, { model: 'n' });
    await keep(redis, { model: 'm' }, { tenant: 'other' });
    await keep(redis, { model: 'm', createdAtMs: Date.now() });
    expect((await admin().invalidate(call({ tenant: 'acme', model: 'm:cost', older_than_s: 60, dry_run: false }))).body).toEqual(counted(2));
    expect(invalidations.all).toMatchObject([{ tenant: 'acme', model: 'm', tag: null, entry: null }]);
    const [rule] = invalidations.all;
    expect(rule!.madeAtMs - rule!.beforeMs).toBe(60_000);
  });

  test('on trial only counts', async () => {
    await keep(redis);
    expect((await admin().invalidate(call({ dry_run: true }))).body).toEqual(counted(1, { dry_run: true }));
    expect([audited, invalidations.all, told]).toEqual([[], [], []]);
  });

  test('of what was taken back before counts nothing', async () => {
    await keep(redis);
    const cache = admin();
    expect((await cache.invalidate(call({ dry_run: false }))).body).toEqual(counted(1));
    expect((await cache.invalidate(call({ tenant: 'acme', dry_run: false }))).body).toEqual(counted(0));
  });

  test("by a tenant's token takes that tenant's, and nothing of another's", async () => {
    await keep(redis);
    await keep(redis, {}, { tenant: 'other' });
    expect((await admin().invalidate(call({ dry_run: false }, { tenant: 'acme' }))).body).toEqual(counted(1));
    expect(invalidations.all).toMatchObject([{ tenant: 'acme' }]);
    await expect(admin().invalidate(call({ tenant: 'other', dry_run: false }, { tenant: 'acme' }))).rejects.toMatchObject({ code: 'not_found' });
    expect(audited).toHaveLength(1);
  });

  test('that is not in the audit log is not in force', async () => {
    const cache = admin({ audit: () => Promise.reject(new Error('no router')) });
    await expect(cache.invalidate(call({ dry_run: false }))).rejects.toThrow('no router');
    await invalidations.check();
    expect([invalidations.all, told]).toEqual([[], []]);
  });

  test('repeated under its idempotency key takes back no more, and answers the same', async () => {
    await keep(redis);
    const idempotency = { key: newId(), fingerprint: 'f' };
    const first = await admin().invalidate(call({ dry_run: false }, {}, idempotency));
    await keep(redis, { createdAtMs: (await invalidations.timeMs()) + 1 });
    const again = await admin().invalidate(call({ dry_run: false }, {}, idempotency));
    expect(again).toEqual({ ...first, replayed: true });
    expect(invalidations.all).toHaveLength(1);
  });

  test('is an error when Redis is away', async () => {
    const gone = await RedisProcess.start();
    const client = openRedis(gone.url, { role: 'commands', name: 'test', logger: quiet, commandTimeoutMs: 200 });
    await whenReady(client, 5000);
    await gone.stop();
    await expect(admin({ redis: client }).invalidate(call({ dry_run: false }))).rejects.toMatchObject({ code: 'overloaded' });
    await expect(admin({ redis: client }).stats(asked({}))).rejects.toMatchObject({ code: 'overloaded' });
    client.disconnect();
  });
});

describe('feedback', () => {
  test('is told to the semantic-cache, by the model that was asked for, and a wrong answer once', async () => {
    const [fine, bad] = [(await keep(redis, { asked: 'auto' })).meta, (await keep(redis)).meta];
    const cache = admin();
    await cache.feedback(call({ entry: fine.id, correct: true }));
    for (let i = 0; i < 2; i++) await cache.feedback(call(wrong(bad.id)));
    expect(heard).toEqual([
      { tenant: 'acme', model: 'auto', entry: fine.id, correct: true },
      { tenant: 'acme', model: 'm', entry: bad.id, correct: false },
    ]);
  });

  const wrong = (entry: string, more: { tenant?: string } = {}): { entry: string; correct: boolean; tenant?: string } => ({ entry, correct: false, ...more });

  test.each([['kept for the same question', {}], ['kept for similar ones', { exact: false, similar: true }]])('on a wrong answer takes it back, wherever it is: %s', async (_, at) => {
    const { meta } = await keep(redis, {}, at);
    const { meta: good } = await keep(redis, {}, at);
    const { body } = await admin().feedback(call(wrong(meta.id)));
    expect(body).toEqual({ object: 'cache_feedback', entry: meta.id, correct: false, invalidated: true });
    expect([meta, good].map((one) => invalidations.covers({ tenant: 'acme', entry: one.id, ...one }))).toEqual([true, false]);
    expect(invalidations.all).toMatchObject([{ tenant: 'acme', entry: meta.id }]);
    expect(audited).toMatchObject([{ action: 'cacheFeedback', resource: 'cache', resourceId: meta.id, tenant: 'acme' }]);
  });

  test('on a correct answer takes nothing back', async () => {
    const { meta } = await keep(redis);
    expect((await admin().feedback(call({ entry: meta.id, correct: true }))).body).toEqual({ object: 'cache_feedback', entry: meta.id, correct: true, invalidated: false });
    expect([audited, told]).toEqual([[], []]);
  });

  test('said twice is one invalidation', async () => {
    const { meta } = await keep(redis);
    const cache = admin();
    const first = await cache.feedback(call(wrong(meta.id)));
    expect(await cache.feedback(call(wrong(meta.id)))).toEqual(first);
    expect(await cache.feedback(call(wrong(meta.id, { tenant: 'acme' })))).toEqual(first);
    expect([audited.length, invalidations.all.length]).toEqual([1, 1]);
  });

  test('repeated under its idempotency key is said to be a repetition', async () => {
    const { meta } = await keep(redis);
    const idempotency = { key: newId(), fingerprint: 'f' };
    const cache = admin();
    const first = await cache.feedback(call(wrong(meta.id), {}, idempotency));
    expect(await cache.feedback(call(wrong(meta.id), {}, idempotency))).toEqual({ ...first, replayed: true });
    expect(invalidations.all).toHaveLength(1);
  });

  const OTHERS: By = { tenant: 'other' };
  test.each<[string, number, By]>([["another tenant's", 0, OTHERS], ['older', 3600, {}]])('takes an answer back although one of this id was invalidated before, if it was %s', async (_, olderThanS, by) => {
    const cache = admin();
    const { meta } = await keep(redis, { createdAtMs: await invalidations.timeMs() });
    await cache.invalidate(call({ entry: meta.id, older_than_s: olderThanS, dry_run: false }, by));
    await expect(cache.feedback(call(wrong(meta.id), OTHERS))).rejects.toMatchObject({ code: 'not_found', param: 'entry' });
    expect((await cache.feedback(call({ entry: meta.id, correct: true }))).body.invalidated).toBe(false);
    expect((await cache.feedback(call(wrong(meta.id)))).body.invalidated).toBe(true);
    expect(invalidations.covers({ tenant: 'acme', entry: meta.id, ...meta })).toBe(true);
    expect(audited.map(({ action, tenant }) => [action, tenant]).at(-1)).toEqual(['cacheFeedback', 'acme']);
  });

  test('on what was taken back with all else changes nothing, and is no second change in the audit log', async () => {
    const { meta } = await keep(redis);
    const cache = admin();
    await cache.invalidate(call({ dry_run: false }));
    for (const correct of [true, false]) expect((await cache.feedback(call({ entry: meta.id, correct }))).body).toMatchObject({ correct, invalidated: true });
    expect(audited.map(({ action }) => action)).toEqual(['invalidateCache']);
  });

  test('on what nobody has is not found', async () => {
    await keep(redis);
    for (const correct of [true, false]) await expect(admin().feedback(call({ entry: newId(), correct }))).rejects.toMatchObject({ code: 'not_found', param: 'entry' });
    expect(audited).toEqual([]);
  });

  test("on another tenant's answer is not found, as one that nobody has, and changes nothing", async () => {
    const { meta } = await keep(redis, {}, { tenant: 'other', similar: true });
    await expect(admin().feedback(call(wrong(meta.id), { tenant: 'acme' }))).rejects.toMatchObject({ code: 'not_found', param: 'entry' });
    await expect(admin().feedback(call(wrong(meta.id, { tenant: 'acme' })))).rejects.toMatchObject({ code: 'not_found', param: 'entry' });
    await expect(admin().feedback(call(wrong(meta.id, { tenant: 'other' }), { tenant: 'acme' }))).rejects.toMatchObject({ code: 'not_found', param: 'tenant' });
    expect(audited).toEqual([]);
  });

  describe('on an answer that is not among the first of very many', () => {
    const shortened = (): CacheAdmin => admin({ census: new AnswerCensus(redis, { mostSteps: 0 }) });

    test('takes it back all the same, whosever it is', async () => {
      const { meta } = await keep(redis);
      expect((await shortened().feedback(call(wrong(meta.id)))).body.invalidated).toBe(true);
      expect(invalidations.covers({ tenant: 'acme', entry: meta.id, ...meta })).toBe(true);
      expect(audited).toMatchObject([{ resourceId: meta.id, tenant: null }]);
    });

    test('finds one that is kept for similar questions, where its tenant is known', async () => {
      const { meta } = await keep(redis, {}, { similar: true });
      expect((await shortened().feedback(call(wrong(meta.id), { tenant: 'acme' }))).body.invalidated).toBe(true);
      expect(invalidations.all).toMatchObject([{ tenant: 'acme', entry: meta.id }]);
    });

    test('says that it could not look at all, where nothing else can be said', async () => {
      const { meta } = await keep(redis);
      const calls = [call(wrong(meta.id), { tenant: 'acme' }), call(wrong(meta.id, { tenant: 'acme' })), call(wrong(meta.id), { tenant: 'other' }), call({ entry: meta.id, correct: true })];
      for (const one of calls) await expect(shortened().feedback(one)).rejects.toMatchObject({ code: 'conflict', param: 'entry' });
      expect([audited, invalidations.all]).toEqual([[], []]);
    });
  });
});

test('on a Redis Cluster all of its masters are counted', async () => {
  cluster = await startRedisCluster();
  const client = openRedis(cluster.url, { role: 'commands', name: 'test', logger: quiet, commandTimeoutMs: 5000 });
  await whenReady(client, 5000);
  const tenants = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'];
  for (const tenant of tenants) await keep(client, {}, { tenant, similar: true });
  const cache = admin({ redis: client });
  expect((await cache.stats(asked({}))).body).toMatchObject({ exact_entries: 8, semantic_entries: 8, partial: false });
  expect((await cache.stats(asked({ tenant: 'c' }))).body).toMatchObject({ exact_entries: 1, semantic_entries: 1 });
  expect((await cache.invalidate(call({ dry_run: false }))).body).toEqual(counted(8));
  client.disconnect();
});
