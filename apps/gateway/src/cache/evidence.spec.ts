import { describe, expect, test } from '@jest/globals';
import { MAX_COMPARED_CHARS, type RoutingSnapshot, type SemanticMatch } from '@deja/contracts';
import { cachePolicy, metaOf, operation as operationOf, questionPlace, quiet } from '../../test/cache-stage.ts';
import type { KeptReply } from '../attempt/exchange.ts';
import { CHAT } from '../chat/chat.endpoint.ts';
import type { Judge } from '../judge/judge.ts';
import type { CacheEntry } from './entry.ts';
import { Evidence } from './evidence.ts';

const MATCH: SemanticMatch = { entry: 'e1', similarity: 0.9, kind: 'synonym', explanation: '', wrong: 0.001 };
const judged = questionPlace({ policy: cachePolicy({ judge: { model: 'j', timeout_ms: 5 } }) });
const completion = (content: string): Buffer => Buffer.from(JSON.stringify({ choices: [{ index: 0, message: { role: 'assistant', content }, finish_reason: 'stop' }] }));
const fresh = (content: string, more: Partial<KeptReply> = {}): KeptReply => ({ body: completion(content), storable: true, complete: true, ...more });
const kept = (content: string): Promise<CacheEntry | null> => Promise.resolve({ meta: metaOf({ id: 'e1' }), body: completion(content) });

/** What a judge that is asked says; without one a test fails that asks. */
function stage(verdict?: boolean | null) {
  const told: [string, unknown][] = [];
  const before: { what: string; texts: readonly string[] }[] = [];
  const same: Judge['same'] = async (what, texts) => {
    before.push({ what, texts });
    if (verdict === undefined) throw new Error('no judge was to be asked');
    return verdict;
  };
  const evidence = new Evidence({ same }, async (pattern, event) => void told.push([pattern, event]), quiet);
  const operation = operationOf('m');
  return { evidence, told, before, operation, asking: { operation, snapshot: {} as RoutingSnapshot } };
}

describe('the two answers of an audit', () => {
  async function audited(before: string, now: string, at: ReturnType<typeof stage>, place = questionPlace()): Promise<unknown> {
    at.evidence.audit(at.asking, place, CHAT, { match: MATCH, refused: false, kept: kept(before) }, fresh(now));
    await at.evidence.close();
    return at.told[0]?.[1];
  }

  test('are the same where they differ only in what writers vary by accident', async () => {
    expect(await audited('Paris is the  capital.', 'paris is the capital', stage(), judged)).toEqual({ tenant: 'acme', model: 'm', entry: 'e1', kind: 'synonym', similarity: 0.9, refused: false, same: true, answers: null });
  });

  test.each([true, false])('are what the judge says: %s', async (verdict) => {
    const at = stage(verdict);
    expect(await audited('Paris.', 'It is Paris.', at, judged)).toMatchObject({ same: verdict, answers: null });
    expect(at.before).toEqual([{ what: 'answers', texts: ['Paris.', 'It is Paris.'] }]);
  });

  test.each([['there is no judge', questionPlace(), undefined], ['the judge gave no answer', judged, null]] as const)('go along as they are where %s', async (_, place, verdict) => {
    expect(await audited('Paris.', 'It is Paris.', stage(verdict), place)).toMatchObject({ same: null, answers: { kept: 'Paris.', fresh: 'It is Paris.' } });
  });

  test('are cut where they are long, and never inside a character', async () => {
    const long = `${'x'.repeat(MAX_COMPARED_CHARS - 1)}😀 and more`;
    const event = (await audited(long, 'short', stage())) as { answers: { kept: string } };
    expect([event.answers.kept.length, event.answers.kept.isWellFormed(), event.answers.kept.slice(-1)]).toEqual([MAX_COMPARED_CHARS, true, '\uFFFD']);
  });

  test.each<[string, KeptReply | null, Promise<CacheEntry | null>]>([
    ['the provider’s answer was cut', fresh('Paris', { complete: false }), kept('Paris')],
    ['the provider’s answer was filtered', fresh('Paris', { storable: false }), kept('Paris')],
    ['there is no answer', null, kept('Paris')],
    ['the kept answer is gone', fresh('Paris'), Promise.resolve(null)],
    ['the kept answer is no completion', fresh('Paris'), Promise.resolve({ meta: metaOf(), body: Buffer.from('{}') })],
    ['the kept answer cannot be read', fresh('Paris'), Promise.resolve({ meta: metaOf(), body: Buffer.from('<') })],
  ])('are not compared where %s', async (_, now, before) => {
    const { evidence, asking, told } = stage();
    evidence.audit(asking, questionPlace(), CHAT, { match: MATCH, refused: false, kept: before }, now);
    await evidence.close();
    expect(told).toEqual([]);
  });

  test('are not compared where content safety has found something', async () => {
    const { evidence, asking, told, operation } = stage();
    operation.flags.add('pii.email');
    evidence.audit(asking, questionPlace(), CHAT, { match: MATCH, refused: false, kept: kept('Paris') }, fresh('Paris'));
    await evidence.close();
    expect(told).toEqual([]);
  });

  test('fail nobody when the semantic-cache cannot be told', async () => {
    const { asking } = stage();
    const evidence = new Evidence({ same: async () => null }, () => Promise.reject(new Error('redis is away')), quiet);
    evidence.audit(asking, questionPlace(), CHAT, { match: MATCH, refused: false, kept: kept('Paris') }, fresh('Paris'));
    await expect(evidence.close()).resolves.toBeUndefined();
  });
});

describe('a pair of questions', () => {
  const unjudged = { ...MATCH, text: 'Which city is the capital of France?' };

  test.each([true, false])('is told of as the judge sees it: %s', async (verdict) => {
    const { evidence, asking, told, before } = stage(verdict);
    evidence.judge(asking, judged, unjudged);
    await evidence.close();
    expect(before).toEqual([{ what: 'questions', texts: [judged.text, unjudged.text] }]);
    expect(told).toEqual([['judged', { ...judged.partition, text: judged.text, entry: 'e1', same: verdict }]]);
  });

  test('of which the judge says nothing is told of to nobody, and may be asked about again', async () => {
    const { evidence, asking, told, before } = stage(null);
    for (let i = 0; i < 2; i++) {
      evidence.judge(asking, judged, unjudged);
      await evidence.close();
    }
    expect([told, before.length]).toEqual([[], 2]);
  });

  test('is before the judge once at a time', async () => {
    const { evidence, asking, before } = stage(true);
    for (let i = 0; i < 3; i++) evidence.judge(asking, judged, unjudged);
    evidence.judge(asking, judged, { ...unjudged, entry: 'e2' });
    await evidence.close();
    expect(before).toHaveLength(2);
  });

  test('is put to nobody where no judge is configured', async () => {
    const { evidence, asking, before } = stage();
    evidence.judge(asking, questionPlace(), unjudged);
    await evidence.close();
    expect(before).toEqual([]);
  });
});
