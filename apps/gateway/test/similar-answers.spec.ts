import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { cacheEntryKey, DejaError, INVALIDATIONS_KEY, newId, type AdminChange } from '@deja/contracts';
import { openRedis, whenReady, type RedisClient } from '@deja/redis';
import { eventually, RedisProcess } from '@deja/testing';
import { RpcFailure, RpcTimeout, RpcUnavailable } from '@deja/transport';
import { answerKeyIn } from '../src/cache/answer-scan.ts';
import { AnswerStore } from '../src/cache/answer-store.ts';
import type { EntryMeta } from '../src/cache/entry.ts';
import { Invalidations, MOST_INVALIDATIONS } from '../src/cache/invalidations.ts';
import { MOST_SIMILAR } from '../src/cache/similar-answers.ts';
import { CacheAdminStage, takeBack } from './cache-admin-stage.ts';
import { invalidation, keep, place, quiet, type KeptAt } from './cache-stage.ts';
import { scriptedAdmin } from './scripted-admin.ts';

const QUESTION = 'What does the premium plan cost?';

let server: RedisProcess;
let redis: RedisClient;
let stage: CacheAdminStage;

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
});

/** An answer that is kept for the same and for similar questions, and that the semantic-cache knows. */
async function kept(facts: Partial<EntryMeta> = {}, at: KeptAt = {}): Promise<EntryMeta> {
  const { meta } = await keep(redis, facts, { similar: true, ...at });
  knows(at.tenant ?? 'acme', meta.id);
  return meta;
}
const knows = (tenant: string, entry: string): void => void stage.similar.push({ tenant, entry, text: `${QUESTION} ${entry}`, similarity: 0.9 });
const matches = (...metas: EntryMeta[]): object[] => stage.similar.filter(({ entry }) => metas.some(({ id }) => id === entry));
const isGone = (of: Invalidations, meta: EntryMeta, tenant = 'acme'): boolean => of.covers({ tenant, entry: meta.id, ...meta });
const similar = (more: Parameters<typeof takeBack>[0] = {}, ...by: [Parameters<typeof takeBack>[1]?, AdminChange['idempotency']?]): ReturnType<typeof takeBack> => takeBack({ similar_to: QUESTION, ...more }, ...by);

describe('taking back answers to similar questions', () => {
  test('takes each one that the semantic-cache knows, wherever it is kept, and has it in the audit log as one change', async () => {
    const [one, two] = [await kept(), await kept({}, { tenant: 'other' })];
    const { meta: apart } = await keep(redis, {}, { similar: true });
    const { body } = await stage.admin().invalidate(similar({ min_similarity: 0.7 }));
    expect(body).toEqual({ object: 'cache_invalidation', entries: 2, partial: false, dry_run: false, matches: stage.similar });
    expect(stage.asked).toMatchObject([{ tenant: null, text: QUESTION, minSimilarity: 0.7 }]);
    expect([isGone(stage.invalidations, one), isGone(stage.invalidations, two, 'other'), isGone(stage.invalidations, apart)]).toEqual([true, true, false]);
    expect(new Set(stage.told)).toEqual(new Set(stage.invalidations.all));
    expect(stage.audited).toMatchObject([{ action: 'invalidateCache', resource: 'cache', resourceId: null, tenant: null, after: { similar_to: QUESTION, min_similarity: 0.7, entries: [one.id, two.id] } }]);
    expect(JSON.stringify(stage.audited.map(({ after }) => after))).not.toContain(`${QUESTION} `); // what users asked is not for the audit log
  });

  test('holds at another gateway without a push', async () => {
    const all = await Promise.all(Array.from({ length: 50 }, () => kept()));
    const other = new Invalidations({ redis, logger: quiet });
    other.start();
    expect((await stage.admin().invalidate(similar())).body).toMatchObject({ entries: 50 });
    await eventually('the other knows all of them', () => all.every((meta) => isGone(other, meta)));
    other.close();
  });

  test('on trial lists them, nearest first, and changes nothing', async () => {
    await kept();
    await kept();
    expect((await stage.admin().invalidate(similar({ dry_run: true }))).body).toEqual({ object: 'cache_invalidation', entries: 2, partial: false, dry_run: true, matches: stage.similar });
    expect([stage.audited, stage.invalidations.all, stage.told]).toEqual([[], [], []]);
  });

  test.each([
    ['model', { model: 'm:cost' }], ['tag', { tag: 'team=a' }], ['age', { older_than_s: 3600 }], ['tenant', { tenant: 'acme' }],
  ])('takes only those that meet the other conditions too: %s', async (_, condition) => {
    const target = await kept({ tags: { team: 'a' } });
    await kept({ model: 'n', tags: { team: 'b' }, createdAtMs: Date.now() }, { tenant: 'other' });
    expect((await stage.admin().invalidate(similar(condition))).body).toMatchObject({ entries: 1, matches: matches(target) });
    expect(stage.invalidations.all.map(({ tenant, entry }) => [tenant, entry])).toEqual([['acme', target.id]]);
  });

  test('by an id takes that one, if it is like that', async () => {
    const [target, unlike] = [await kept(), (await keep(redis, {}, { similar: true })).meta];
    await kept();
    expect((await stage.admin().invalidate(similar({ entry: unlike.id }))).body).toMatchObject({ entries: 0 });
    expect((await stage.admin().invalidate(similar({ entry: target.id }))).body).toMatchObject({ entries: 1, matches: matches(target) });
  });

  test("by a tenant's token takes that tenant's alone, whatever the semantic-cache answers", async () => {
    const own = await kept();
    await kept({}, { tenant: 'other' });
    expect((await stage.admin().invalidate(similar({}, { tenant: 'acme' }))).body).toMatchObject({ entries: 1, matches: matches(own) });
    expect([stage.asked[0]?.tenant, stage.invalidations.all.map(({ tenant }) => tenant)]).toEqual(['acme', ['acme']]);
    await expect(stage.admin().invalidate(similar({ tenant: 'other' }, { tenant: 'acme' }))).rejects.toMatchObject({ code: 'not_found' });
  });

  test('passes over what was taken back before, and where nothing is left changes nothing', async () => {
    const [before] = [await kept(), await kept()];
    const cache = stage.admin();
    await cache.invalidate(takeBack({ entry: before.id }));
    expect((await cache.invalidate(similar())).body).toMatchObject({ entries: 1 });
    expect((await cache.invalidate(similar())).body).toMatchObject({ entries: 0, matches: [] });
    expect(stage.audited).toHaveLength(2);
  });

  test('of which Redis has dropped the copy for similar questions takes them back too, unless it takes that copy to know whether they are meant', async () => {
    const meta = await kept();
    await redis.del(cacheEntryKey('acme', meta.id));
    for (const condition of [{ model: 'm' }, { tag: 'a=b' }, { older_than_s: 1 }]) expect((await stage.admin().invalidate(similar(condition))).body).toMatchObject({ entries: 0 });
    expect((await stage.admin().invalidate(similar({ tenant: 'acme' }))).body).toMatchObject({ entries: 1 });
    expect(isGone(stage.invalidations, meta)).toBe(true);
  });

  test('repeated under its idempotency key answers the same, and takes back nothing that came later', async () => {
    await kept();
    const idempotency = { key: newId(), fingerprint: 'f' };
    const first = await stage.admin().invalidate(similar({}, {}, idempotency));
    const later = await kept({ createdAtMs: 1 });
    expect(await stage.admin().invalidate(similar({}, {}, idempotency))).toEqual({ ...first, replayed: true });
    expect(isGone(stage.invalidations, later)).toBe(false);
    stage.similar = [];
    expect(await stage.admin().invalidate(similar({}, {}, idempotency))).toEqual({ ...first, replayed: true });
  });

  test('repeated after it was audited but not put into force puts all of it into force', async () => {
    const metas = [await kept(), await kept()];
    const idempotency = { key: newId(), fingerprint: 'f' };
    await stage.admin().invalidate(similar({}, {}, idempotency));
    await redis.del(INVALIDATIONS_KEY);
    await stage.admin().invalidate(similar({}, {}, idempotency));
    expect(metas.map((meta) => isGone(stage.invalidations, meta))).toEqual([true, true]);
  });
});

describe('bounds', () => {
  const many = (count: number): void => {
    for (let i = 0; i < count; i++) knows('acme', newId());
  };

  test('as many as there may be at once are taken back', async () => {
    many(MOST_SIMILAR);
    expect((await stage.admin().invalidate(similar())).body).toMatchObject({ entries: MOST_SIMILAR });
    expect(stage.invalidations.all).toHaveLength(MOST_SIMILAR);
  });

  test('more are a conflict that says what helps, and changes nothing; on trial the nearest are listed', async () => {
    many(MOST_SIMILAR + 1);
    await expect(stage.admin().invalidate(similar())).rejects.toMatchObject({ code: 'conflict', param: 'min_similarity', message: expect.stringMatching(/raise min_similarity.*narrow it down/i) });
    expect([stage.audited, stage.invalidations.all]).toEqual([[], []]);
    expect((await stage.admin().invalidate(similar({ dry_run: true }))).body).toMatchObject({ entries: MOST_SIMILAR + 1, partial: false, matches: stage.similar.slice(0, MOST_SIMILAR) });
  });

  test('another condition narrows them down, as long as all that are so near could be looked at', async () => {
    many(MOST_SIMILAR + 1);
    await kept();
    expect((await stage.admin().invalidate(similar({ model: 'm' }))).body).toMatchObject({ entries: 1, partial: false });
    many(1000);
    expect((await stage.admin().invalidate(similar({ dry_run: true }))).body).toMatchObject({ partial: true });
    await expect(stage.admin().invalidate(similar({ model: 'm' }))).rejects.toMatchObject({ code: 'conflict' });
  });

  test('where there would be too many invalidations at a time nothing is changed, and nothing audited', async () => {
    const rules = Array.from({ length: MOST_INVALIDATIONS - 1 }, (_, i) => invalidation({ entry: `${i}` }));
    await redis.hset(INVALIDATIONS_KEY, { version: 'v', ...Object.fromEntries(rules.map((rule) => [rule.id, JSON.stringify(rule)])) });
    many(2);
    await expect(stage.admin().invalidate(similar())).rejects.toMatchObject({ code: 'conflict' });
    expect([stage.audited, stage.invalidations.all.length]).toEqual([[], MOST_INVALIDATIONS - 1]);
  });
});

test.each([
  ['a text that the embedder knows nothing of', new DejaError('invalid_value', 'Nothing can be said of it.', { param: 'text' }), { code: 'invalid_value', param: 'similar_to' }],
  ['a semantic-cache that does not answer', new RpcTimeout('similar', 2000), { code: 'overloaded', status: 503 }],
  ['one that cannot be asked', new RpcUnavailable('redis is away'), { code: 'overloaded', status: 503 }],
  ['one that fails', new RpcFailure('similar'), { code: 'internal_error' }],
])('%s is told as such, and changes nothing', async (_, error, told) => {
  await kept();
  const cache = stage.admin({ askSimilar: () => Promise.reject(error) });
  for (const dryRun of [true, false]) await expect(cache.invalidate(similar({ dry_run: dryRun }))).rejects.toMatchObject(told);
  expect([stage.audited, stage.told, stage.invalidations.all]).toEqual([[], [], []]);
});

test.each([
  [{ min_similarity: 0.9 }, 'min_similarity'], [{ min_similarity: 0.8, tenant: 'acme' }, 'min_similarity'], [{ similar_to: QUESTION, min_similarity: 0.2 }, 'min_similarity'],
  [{ similar_to: QUESTION, min_similarity: 1.1 }, 'min_similarity'], [{ similar_to: '' }, 'similar_to'], [{ similar_to: 'x'.repeat(4097) }, 'similar_to'],
])('POST cache/invalidate with %j is a 400, and takes back nothing', async (body, param) => {
  await kept();
  const admin = await scriptedAdmin({ cache: stage.admin() });
  const reply = await admin.send({ method: 'POST', url: '/admin/v1/cache/invalidate', payload: JSON.stringify(body), headers: { 'content-type': 'application/json' } });
  await admin.close();
  expect([reply.statusCode, reply.json()]).toMatchObject([400, { error: { code: 'invalid_value', param } }]);
  expect([stage.asked, stage.audited]).toEqual([[], []]);
});

test('none of them is served any more, neither for the same question nor for a similar one', async () => {
  const { keys, meta } = await keep(redis, {}, { similar: true });
  knows('acme', meta.id);
  await stage.admin().invalidate(similar());
  const answers = new AnswerStore(redis, stage.invalidations, async () => undefined, quiet);
  const looked = await Promise.all(keys.map(async (key) => answers.look(await answers.read(key), answerKeyIn(key)?.kind === 'exact' ? 'exact' : 'semantic', place())));
  expect(looked).toEqual([{ reason: 'invalidated' }, { reason: 'invalidated' }]);
});
