import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { Inspector, noSafetyRules } from '@deja/content-safety';
import { answer, fakeProvider, type FakeProvider } from '@deja/testing';
import { countTokens, tokenizerFor } from '@deja/tokens';
import { AttemptFailure } from '../src/attempt/failure.ts';
import { CHAT } from '../src/chat/chat.endpoint.ts';
import { COMPLETIONS } from '../src/completions/completions.endpoint.ts';
import { AnswerRules } from '../src/guard/answer-rules.ts';
import type { ApiRequest, Endpoint } from '../src/pipeline/endpoint.ts';
import { RESPONSES } from '../src/responses/responses.endpoint.ts';
import { AttemptWorld, candidate, credential, operationOf, planOf, questionOf, settingsWith } from './attempt-world.ts';

let provider: FakeProvider;
let world: AttemptWorld;
beforeAll(async () => {
  provider = await fakeProvider();
});
beforeEach(() => {
  world = new AttemptWorld();
});
afterEach(async () => {
  provider.reset();
  await world.close();
});
afterAll(() => provider.close());

function blocking(): AnswerRules {
  const none = noSafetyRules();
  return new AnswerRules(new Inspector({ ...none, answers: { ...none.answers, email: 'block' } }), () => undefined, true);
}

const TEXT = 'Bonjour, tout le monde: il fait beau.';
const counted = (text: string): Promise<number> => countTokens({ texts: [text], messages: 0, images: [], tools: 0 }, tokenizerFor('gpt-4o'));
const CASES = (['openai', 'anthropic', 'gemini'] as const).flatMap((kind) => [CHAT, RESPONSES].flatMap((endpoint) => [false, true].map((stream) => [kind, endpoint, stream] as const)));
const DIALECTS = [...CASES, ['openai', COMPLETIONS, false] as const, ['openai', COMPLETIONS, true] as const].map(([kind, endpoint, stream]) => ({ kind, endpoint: endpoint as Endpoint<ApiRequest>, stream, path: endpoint.path }));

test.each(DIALECTS)('an answer without usage of $kind, for $path, streamed: $stream, is marked as estimated, with the tokens of its text', async ({ kind, endpoint, stream }) => {
  provider.scriptFor('sk-a', answer(TEXT, { usage: null }));
  const operation = operationOf();
  const given = await world.attempts.run(operation, questionOf(endpoint, stream), planOf([candidate(provider, 'gpt-4o', credential('p/a'), { kind })]), settingsWith());
  if (given.kind === 'stream') {
    for await (const _piece of given.stream.all(given.head));
    await given.finish(null);
  }
  expect(operation.attempts).toMatchObject([{ outcome: 'ok', usageSource: 'estimated', usage: { promptTokens: 7, completionTokens: await counted(TEXT) } }]);
});

test('of a stream whose client leaves, what had come of it is counted, and its connection is given up before that', async () => {
  provider.scriptFor('sk-a', { ...answer('Half of an answer'), hangAfter: 1 });
  const operation = operationOf();
  const given = await world.attempts.run(operation, questionOf(CHAT, true), planOf([candidate(provider, 'gpt-4o', credential('p/a'))]), settingsWith());
  if (given.kind !== 'stream') throw new Error('not a stream');
  const rest = (async () => {
    for await (const _piece of given.stream.all(given.head));
  })();
  const finished = given.finish(new AttemptFailure('cancelled'));
  await expect(rest).rejects.toMatchObject({ kind: 'cancelled' });
  await finished;
  await given.finish(null); // too late to be anything else
  expect(operation.attempts).toMatchObject([{ outcome: 'cancelled', usageSource: 'estimated', usage: { completionTokens: await counted('Half ') } }]);
});

test.each((['openai', 'anthropic', 'gemini'] as const).flatMap((kind) => [{ kind, told: true }, { kind, told: false }]))('an answer of $kind that a rule blocks has the usage that its provider told ($told), else the tokens of its text', async ({ kind, told }) => {
  const text = 'Write to ann@example.org.';
  provider.scriptFor('sk-a', answer(text, { usage: told ? { promptTokens: 10, completionTokens: 55 } : null }));
  const operation = operationOf();
  await expect(world.attempts.run(operation, questionOf(CHAT, false, blocking()), planOf([candidate(provider, 'gpt-4o', credential('p/a'), { kind })]), settingsWith())).rejects.toMatchObject({ code: 'content_policy_violation' });
  expect(operation.attempts).toMatchObject([{ outcome: 'cancelled', usageSource: told ? 'upstream' : 'estimated', usage: { completionTokens: told ? 55 : await counted(text) } }]);
});
