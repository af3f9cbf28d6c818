import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import type { SemanticCacheEvents } from '@deja/contracts';
import { openPipeline, openRedis, whenReady, type RedisClient } from '@deja/redis';
import { eventually, RedisProcess } from '@deja/testing';
import { AnswerStore, type Looked } from '../src/cache/answer-store.ts';
import { factsOf } from '../src/cache/entry.ts';
import { Invalidations } from '../src/cache/invalidations.ts';
import { candidate, invalidation, keep, operation, place, quiet } from './cache-stage.ts';

const reply = { body: Buffer.from('{"answer":"Paris"}'), storable: true, complete: true };

let server: RedisProcess;
let redis: RedisClient;
let nowMs = 0;
let invalidations: Invalidations;
let told: SemanticCacheEvents['store'][] = [];
let answers: AnswerStore;

beforeAll(async () => {
  server = await RedisProcess.start();
  redis = openRedis(server.url, { role: 'commands', name: 'test', logger: quiet });
  await whenReady(redis, 25_000);
});
beforeEach(async () => {
  await redis.flushall();
  nowMs = 0;
  told = [];
  invalidations = new Invalidations({ redis, logger: quiet, now: () => nowMs });
  answers = new AnswerStore(redis, invalidations, async (event) => void told.push(event), quiet);
  await invalidations.check();
});
afterAll(async () => {
  redis.disconnect();
  await server.stop();
});

/** Asks for an answer and keeps it; where it is. */
async function kept(tags: Record<string, string> = {}): Promise<{ exact: string; similar: string }> {
  const [answer] = answers.prepare(operation('auto:speed', tags), place(), candidate('gpt-4o'), reply);
  if (!answer?.exact || !answer.similar) throw new Error('it was not kept');
  const pipeline = openPipeline(redis);
  answers.queue(pipeline, answer);
  await pipeline.exec();
  await answers.written(answer);
  return { exact: answer.exact.key, similar: answer.similar.key };
}

const look = async (key: string, kind: 'exact' | 'semantic' = 'exact', more: Partial<ReturnType<typeof place>> = {}): Promise<Looked> => answers.look(await answers.read(key), kind, place(more));

test('an answer is served with what is known of it, whole', async () => {
  const { exact, similar } = await kept({ team: 'a' });
  for (const key of [exact, similar]) expect(await look(key)).toMatchObject({ entry: { meta: { model: 'gpt-4o', asked: 'auto', tags: { team: 'a' }, provider: 'p' }, body: reply.body } });
  expect(told).toMatchObject([{ made: { model: 'gpt-4o', asked: 'auto', tags: { team: 'a' }, createdAtMs: expect.any(Number) } }]);
});

test('tags and the model asked for take no room where they say nothing', () => {
  const meta = answers.metaOf(operation('gpt-4o'), place(), candidate('gpt-4o'), null);
  expect(meta && factsOf(meta)).toEqual({ createdAtMs: expect.any(Number), model: 'gpt-4o' });
});

test.each([
  ['everything', { tenant: null }],
  ['of its tenant', { tenant: 'acme' }],
  ['of the model that answered', { model: 'gpt-4o' }],
  ['of the model that was asked for', { model: 'auto' }],
  ['of a tag', { tag: 'team=a' }],
])('an answer that was taken back (%s) is served neither to the same nor to a similar question', async (_, conditions) => {
  const { exact, similar } = await kept({ team: 'a' });
  await invalidations.add(invalidation({ ...conditions, beforeMs: await invalidations.timeMs() }));
  expect([await look(exact), await look(similar, 'semantic')]).toEqual([{ reason: 'invalidated' }, { reason: 'invalidated' }]);
  expect(answers.usable(await answers.read(exact), place())).toBeNull();
});

test('an answer by its id is served neither way, and what is made anew afterwards is', async () => {
  const { exact, similar } = await kept();
  const before = await look(exact);
  await invalidations.add(invalidation({ entry: 'entry' in before ? before.entry.meta.id : '', beforeMs: await invalidations.timeMs() }));
  expect([await look(exact), await look(similar, 'semantic')]).toEqual([{ reason: 'invalidated' }, { reason: 'invalidated' }]);
  nowMs += 500;
  expect(await look((await kept()).exact)).toHaveProperty('entry');
});

test("another tenant's, another model's and another tag's invalidation changes nothing", async () => {
  const { exact } = await kept({ team: 'a' });
  const beforeMs = await invalidations.timeMs();
  for (const conditions of [{ tenant: 'other' }, { model: 'gpt-4o-mini' }, { tag: 'team=b' }, { tag: 'other=a' }, { entry: 'x' }]) await invalidations.add(invalidation({ ...conditions, beforeMs }));
  expect(await look(exact)).toHaveProperty('entry');
});

test('while nobody can tell what was taken back, nothing is served', async () => {
  const { exact } = await kept();
  nowMs = 1001;
  expect(await look(exact)).toEqual({ reason: 'cache_unavailable' });
});

test('an answer is kept only when it can be told when it was made', () => {
  const early = new AnswerStore(redis, new Invalidations({ redis, logger: quiet }), () => Promise.resolve(), quiet);
  expect(early.prepare(operation('m'), place(), candidate('m'), reply)).toEqual([]);
});

test('whoever wants no older answers than some age gets none, whoever kept them for longer', async () => {
  const { wishes } = place();
  const brief = { wishes: { ...wishes, oldestS: { exact: 60, semantic: 600 } } };
  const { keys: [key = ''] } = await keep(redis, { createdAtMs: (await invalidations.timeMs()) - 100_000 });
  expect([await look(key, 'exact', brief), await look(key, 'semantic', brief), await look(key)]).toEqual([{ reason: 'no_entry' }, { entry: expect.anything() }, { entry: expect.anything() }]);
});

test.each([null, Buffer.from('{"v":2}\n{}'), Buffer.from('no line feed'), Buffer.from('not json\n')])('what is no entry is none (%p)', (value) => {
  expect(answers.look(value, 'exact', place())).toEqual({ reason: 'no_entry' });
});

test('an answer that was held to other content rules is not served', async () => {
  const { exact } = await kept();
  expect(await look(exact, 'exact', { rules: 'other' })).toEqual({ reason: 'no_entry' });
});

describe('what the semantic-cache is told of an answer', () => {
  const prepared = (more: Partial<ReturnType<typeof place>> = {}, flags: string[] = []) => {
    const asking = operation('m');
    for (const flag of flags) asking.flags.add(flag);
    return answers.prepare(asking, place(more), candidate('m'), reply)[0];
  };

  test('is its size, and its question’s vector where that had to be bought', async () => {
    const vector = { embedder: 'p:e', values: 'AAAA' };
    for (const answer of [prepared(), prepared({ vector: async () => vector })]) if (answer) await answers.written(answer);
    await eventually('both events', () => told.length === 2);
    expect(told.map(({ bytes, vector: sent }) => [bytes, sent])).toEqual([[reply.body.length, undefined], [reply.body.length, vector]]);
  });

  test('is nothing where its question has no vector', async () => {
    const without = prepared({ vector: async () => null });
    const plain = prepared();
    for (const answer of [without, plain]) if (answer) await answers.written(answer);
    await eventually('an event', () => told.length > 0);
    expect(told.map(({ entry }) => entry)).toEqual([plain?.similar?.event.entry]);
  });

  test('is nothing where content safety found something in prompt or answer; the same question is answered all the same', () => {
    expect(prepared({}, ['pii.email'])).toMatchObject({ exact: { key: expect.any(String) }, similar: null });
  });
});
