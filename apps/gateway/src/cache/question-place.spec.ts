import { describe, expect, test } from '@jest/globals';
import { cachePolicy } from '../../test/cache-stage.ts';
import { CHAT } from '../chat/chat.endpoint.ts';
import { parseJsonBody } from '../validate/json-body.ts';
import { cacheWishes } from './directives.ts';
import { KnownQuestions } from './known-questions.ts';
import { questionPlace, type PlacedQuestion, type QuestionPlace } from './question-place.ts';

function placed(content: string, more: Partial<PlacedQuestion> = {}, members: object = {}, known: KnownQuestions | null = null): QuestionPlace {
  const request = CHAT.parse(parseJsonBody(Buffer.from(JSON.stringify({ model: 'm', messages: [{ role: 'user', content }], ...members }))));
  const policy = cachePolicy();
  return questionPlace({
    tenant: 'acme', scope: 'tenant', endpoint: CHAT.path, body: request.body, model: request.model, lastUserText: request.lastUserText, flagged: false,
    wishes: cacheWishes({}, policy), policy, rules: '', eligibility: (sharing) => CHAT.eligibility(request, sharing), ...more,
  }, known);
}

const QUESTION = 'What is the capital of France?';

describe('a question', () => {
  test('has a place for itself, and one among similar ones of its tenant, scope and context', () => {
    expect(placed(QUESTION)).toMatchObject({ cache: 'MISS', reason: null, text: QUESTION, model: 'm', partition: { tenant: 'acme', scope: 'tenant' }, exactKey: expect.stringContaining('acme') });
    const others = [placed(QUESTION, { tenant: 'other' }), placed(QUESTION, { scope: 'key:k' }), placed(QUESTION, { model: 'n' }), placed(QUESTION, {}, { temperature: 0.5 })];
    const places = [placed(QUESTION), ...others].map(({ exactKey, partition }) => [exactKey, JSON.stringify(partition)]);
    for (const column of [0, 1]) expect(new Set(places.map((place) => place[column])).size).toBe(places.length);
    expect(placed('What is the capital of Spain?').partition).toEqual(placed(QUESTION).partition);
  });

  test('in which content safety found something is not among similar ones, and says so', () => {
    expect(placed(QUESTION, { flagged: true })).toMatchObject({ cache: 'MISS', reason: 'flagged', partition: null, exactKey: expect.any(String) });
  });

  test('about a person is among similar ones only where answers stay with one user', () => {
    const mine = 'Which seat on my flight is it?';
    expect(placed(mine).partition).toBeNull();
    expect(placed(mine, { scope: 'key:k' }).partition).toBeNull();
    expect(placed(mine, { scope: 'user:u' }).partition).toMatchObject({ scope: 'user:u' });
  });

  test('has the place that it would have if it had never been asked', () => {
    const known = new KnownQuestions();
    for (const content of [QUESTION, 'What is my name?', QUESTION]) {
      for (const more of [{}, { scope: 'user:u' }, { flagged: true }, { tenant: 'other' }]) expect(placed(content, more, {}, known)).toEqual(placed(content, more));
    }
  });

  test('is counted under the model that was asked for, without a preference', () => {
    expect(placed(QUESTION, { model: 'auto:speed' }).model).toBe('auto');
  });

  test('whose caches are off has no place', () => {
    const policy = cachePolicy();
    expect(placed(QUESTION, { wishes: cacheWishes({ 'x-cache-mode': 'off' }, policy) })).toMatchObject({ cache: 'BYPASS', reason: 'mode_off', partition: null, exactKey: null });
  });
});
