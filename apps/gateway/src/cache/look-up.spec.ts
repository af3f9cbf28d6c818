import { describe, expect, test } from '@jest/globals';
import type { Invalidation, RoutingSnapshot, SemanticCacheRpc, SemanticMatch } from '@deja/contracts';
import { cacheEntryKey, InvalidationSet } from '@deja/contracts';
import type { RedisClient } from '@deja/redis';
import { cachePolicy, invalidation, metaOf, operation as operationOf, questionPlace, quiet } from '../../test/cache-stage.ts';
import type { Operation } from '../operation/operation.ts';
import { AnswerStore } from './answer-store.ts';
import { encodeEntry } from './entry.ts';
import { LookUp } from './look-up.ts';
import type { QuestionPlace } from './question-place.ts';
import { SemanticLookup, type AskSemanticCache } from './semantic-lookup.ts';

type Request = SemanticCacheRpc['lookup']['request'];
type Reply = SemanticCacheRpc['lookup']['reply'];

const MATCH: SemanticMatch = { entry: 'e1', similarity: 0.9, kind: 'surface', explanation: 'differs in form only', wrong: 0.001 };
const UNJUDGED = { ...MATCH, text: 'What is the capital city of France?' };
const EMPTY = { exact: [], degraded: false, semanticPresent: true };
const BODY = Buffer.from('{"answer":"Paris"}');

/** A look-up over a Redis that holds these, and a semantic-cache that answers so. */
function stage(reply: Reply | Error, o: { kept?: Record<string, Buffer>; rules?: Invalidation[] } = {}) {
  const kept = o.kept ?? { [cacheEntryKey('acme', 'e1')]: encodeEntry({ meta: metaOf({ id: 'e1', createdAtMs: Date.now() }), body: BODY }) };
  const asked: Request[] = [];
  const judged: unknown[] = [];
  const waits: number[] = [];
  const wait = async (ms: number, signal: AbortSignal): Promise<void> => {
    waits.push(ms);
    signal.throwIfAborted();
  };
  const ask: AskSemanticCache = async (request) => {
    asked.push(request);
    if (reply instanceof Error) throw reply;
    return reply;
  };
  const redis = { status: 'ready', getBuffer: async (key: string) => kept[key] ?? null } as unknown as RedisClient;
  const set = new InvalidationSet(o.rules ?? []);
  const answers = new AnswerStore(redis, { areCurrent: true, covers: (answer) => set.covers(answer), nowMs: () => Date.now() }, () => Promise.resolve(), quiet);
  const lookUp = new LookUp(answers, new SemanticLookup(ask, 5), { judge: (_asking, _place, unjudged) => void judged.push(unjudged) }, undefined, { nowMs: () => 0, wait });
  const operation = operationOf('m');
  const asking = { operation, snapshot: {} as RoutingSnapshot };
  return { lookUp, operation, asking, asked, judged, waits, find: (place: QuestionPlace = questionPlace(), reserved: Parameters<LookUp['find']>[2] = EMPTY) => lookUp.find(asking, place, reserved) };
}

describe('a similar question’s answer', () => {
  test('is served with its id, similarity and explanation', async () => {
    const { lookUp, operation, find } = stage({ outcome: 'hit', ...MATCH });
    const looked = await find();
    expect(await lookUp.take(operation, questionPlace(), looked)).toBe(true);
    expect(operation).toMatchObject({ cache: 'HIT-SEMANTIC', cacheReason: null, hit: { meta: { id: 'e1' }, body: BODY, similarity: 0.9, explanation: 'differs in form only' } });
  });

  test('is asked for under the policy that holds for the model', async () => {
    const { asked, find } = stage({ outcome: 'miss', reason: 'no_candidate' });
    await find(questionPlace({ model: 'auto', policy: cachePolicy({ max_wrong_rates: { auto: 0.5 }, judge: { model: 'j', timeout_ms: 5 } }) }));
    expect(asked).toEqual([{ ...questionPlace().partition, text: questionPlace().text, model: 'auto', policy: { verification: 'strict', maxWrongRate: 0.5, auditShare: 0.02, judged: true } }]);
  });

  test.each<[string, Reply | Error, string]>([
    ['the semantic-cache has none', { outcome: 'miss', reason: 'no_candidate' }, 'no_candidate'],
    ['the semantic-cache does not answer', new Error('deadline'), 'semantic_unavailable'],
    ['it waits for the judge', { outcome: 'miss', reason: 'not_verified', unjudged: UNJUDGED }, 'unjudged'],
    ['the answer is not there any more', { outcome: 'hit', ...MATCH, entry: 'gone' }, 'entry_gone'],
  ])('is none where %s', async (_, reply, reason) => {
    const { lookUp, operation, find } = stage(reply);
    const looked = await find();
    expect([looked, await lookUp.take(operation, questionPlace(), looked), operation.cacheReason]).toEqual([{ found: null, audit: null }, false, reason]);
  });

  test('that was taken back is none', async () => {
    const { operation, find } = stage({ outcome: 'hit', ...MATCH }, { rules: [invalidation({ entry: 'e1', beforeMs: Date.now() + 1000 })] });
    expect(await find()).toEqual({ found: null, audit: null });
    expect(operation.cacheReason).toBe('invalidated');
  });

  test('that a judge is to be asked about is put before the judge', async () => {
    const { judged, find } = stage({ outcome: 'miss', reason: 'not_verified', unjudged: UNJUDGED });
    await find();
    expect(judged).toEqual([UNJUDGED]);
  });

  test('is no answer to a prompt in which content safety has found something by then', async () => {
    const { lookUp, operation, find } = stage({ outcome: 'hit', ...MATCH });
    const looked = await find();
    operation.flags.add('moderation:violence');
    expect([await lookUp.take(operation, questionPlace(), looked), operation.hit, operation.cacheReason]).toEqual([false, null, 'flagged']);
  });

  test.each<[string, Partial<QuestionPlace>, Parameters<LookUp['find']>[2]]>([
    ['the question has no place among similar ones', { partition: null }, EMPTY],
    ['nothing is kept in its context', {}, { ...EMPTY, semanticPresent: false }],
    ['the client does not want the cache', { cache: 'BYPASS' }, EMPTY],
  ])('is not asked for where %s', async (_, more, reserved) => {
    const { asked, find } = stage({ outcome: 'hit', ...MATCH });
    expect([await find(questionPlace(more), reserved), asked]).toEqual([{ found: null, audit: null }, []]);
  });
});

describe('an audit', () => {
  const audits: Reply = { outcome: 'audit', refused: false, ...MATCH };
  const withBudget = (max_per_hour: number): QuestionPlace => questionPlace({ policy: cachePolicy({ audit: { share: 1, max_per_hour } }) });

  test('has the provider asked, and the answer that would have been served read beside', async () => {
    const { lookUp, operation, find } = stage(audits);
    const looked = await find();
    expect([await lookUp.take(operation, questionPlace(), looked), operation.cacheReason, operation.hit]).toEqual([false, 'audit', null]);
    if (looked.found !== null || looked.audit === null) throw new Error('there is no audit');
    expect([looked.audit.match, await looked.audit.kept]).toMatchObject([MATCH, { meta: { id: 'e1' }, body: BODY }]);
  });

  test('is not asked for beyond the budget; what was not counted as served is not served', async () => {
    const { asked, find } = stage(audits);
    const looked = [await find(withBudget(1)), await find(withBudget(1))];
    expect(looked).toMatchObject([{ found: null, audit: { match: MATCH } }, { found: null, audit: null }]);
    expect(asked.map(({ policy }) => policy.auditShare)).toEqual([1, 0]);
  });

  test('of what is too risky to be served says so', async () => {
    const { operation, find } = stage({ outcome: 'audit', refused: true, ...MATCH });
    expect([await find(), operation.cacheReason]).toMatchObject([{ audit: { refused: true } }, 'too_risky']);
  });

  test('is not asked for where the client accepts no answer but the cache’s', async () => {
    const { asked, find } = stage({ outcome: 'hit', ...MATCH });
    const place = questionPlace();
    expect(await find({ ...place, wishes: { ...place.wishes, onlyIfCached: true } })).toMatchObject({ found: 'semantic' });
    expect(asked).toMatchObject([{ policy: { auditShare: 0 } }]);
  });
});

describe('an embedder whose vectors are bought', () => {
  test('has its vector go along', async () => {
    const { asked, find } = stage({ outcome: 'hit', ...MATCH });
    const vector = { embedder: 'p:e', values: 'AAAA' };
    await find(questionPlace({ vector: async () => vector }));
    expect(asked).toMatchObject([{ vector }]);
  });

  test.each([
    ['cannot be had', async () => null],
    ['does not come in time', () => new Promise<null>(() => undefined)],
  ])('makes a miss where the vector %s', async (_, vector) => {
    const { asked, operation, find } = stage({ outcome: 'hit', ...MATCH });
    expect([await find(questionPlace({ vector })), operation.cacheReason, asked]).toEqual([{ found: null, audit: null }, 'embedder_unavailable', []]);
  });
});

describe('the time of a hit', () => {
  const padded = questionPlace({ policy: cachePolicy({}, { pad_hits_ms: 60_000 }) });
  const taken = async (at: ReturnType<typeof stage>, operation: Operation = at.operation): Promise<boolean> => at.lookUp.take(operation, padded, await at.find());

  test('says nothing of a similar question: it is not sent before the time that was set', async () => {
    const at = stage({ outcome: 'hit', ...MATCH });
    expect(await taken(at)).toBe(true);
    expect(at.waits).toHaveLength(1);
    expect(at.waits[0]).toBeLessThanOrEqual(60_000);
  });

  test('is not drawn out for the same question', async () => {
    const { lookUp, operation, find, waits } = stage({ outcome: 'miss', reason: 'no_candidate' });
    const exact = encodeEntry({ meta: metaOf({ id: 'x', createdAtMs: Date.now() }), body: BODY });
    expect(await lookUp.take(operation, padded, await find(padded, { ...EMPTY, exact: [exact] }))).toBe(true);
    expect([waits, operation.cache]).toEqual([[], 'HIT-EXACT']);
  });

  test('is not waited for when the client left', async () => {
    const at = stage({ outcome: 'hit', ...MATCH });
    at.operation.abandon();
    await expect(taken(at)).rejects.toMatchObject({ kind: 'cancelled' });
    expect(at.operation.hit).toBeNull();
  });
});
