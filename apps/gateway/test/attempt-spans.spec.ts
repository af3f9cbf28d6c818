import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { SpanKind, SpanStatusCode } from '@opentelemetry/api';
import type { Candidate } from '@deja/contracts';
import { answer, fakeProvider, hang, raw, status, type FakeProvider } from '@deja/testing';
import type { RawQuestion } from '../src/passthrough/raw-call.ts';
import { readJson } from '../src/passthrough/raw-reply.ts';
import { AttemptWorld, candidate, chatQuestion, credential, operationOf, planOf, settingsWith } from './attempt-world.ts';
import { SpanStage } from './span-stage.ts';

let provider: FakeProvider;
let world: AttemptWorld;
let stage: SpanStage;
beforeAll(async () => {
  provider = await fakeProvider();
});
beforeEach(() => {
  stage = new SpanStage();
  world = new AttemptWorld();
});
afterEach(async () => {
  provider.reset();
  await world.close();
});
afterAll(() => provider.close());

const at = (name: string, own: string): Candidate => candidate(provider, name, credential(`p/${own}`));
const passedOn: RawQuestion = { method: 'POST', url: ({ deployment }) => `${deployment.baseUrl}/images/generations`, headers: { 'content-type': 'application/json' }, body: () => '{}', price: () => null, asked: { medium: 'images', characters: null }, promptTokens: 0 };

test('each call has a span inside its stage, which the provider continues; a failed one is an error of its kind', async () => {
  provider.scriptFor('sk-a', status(429));
  provider.scriptFor('sk-b', answer('Yes.', { usage: { promptTokens: 9, cachedTokens: 4, completionTokens: 3, reasoningTokens: 2 } }));
  const operation = operationOf();
  await operation.timed('upstream', () => world.attempts.run(operation, chatQuestion(false), planOf([at('one', 'a'), at('two', 'b')]), settingsWith()));
  const [failed, served] = [stage.span('chat one'), stage.span('chat two')];
  for (const span of [failed, served]) expect([span.kind, span.parentSpanContext?.spanId]).toEqual([SpanKind.CLIENT, stage.span('deja.upstream').spanContext().spanId]);
  expect(failed).toMatchObject({ status: { code: SpanStatusCode.ERROR }, attributes: { 'error.type': 'rate', 'http.response.status_code': 429, 'deja.attempt.why': 'first' } });
  expect(served).toMatchObject({
    status: { code: SpanStatusCode.UNSET },
    attributes: { 'deja.attempt.why': 'failover', 'gen_ai.usage.input_tokens': 9, 'gen_ai.usage.cache_read.input_tokens': 4, 'gen_ai.usage.output_tokens': 3, 'gen_ai.usage.reasoning.output_tokens': 2, 'gen_ai.response.finish_reasons': ['stop'] },
  });
  expect(provider.requests.map(({ headers }) => headers['traceparent'])).toEqual([failed, served].map((span) => `00-${span.spanContext().traceId}-${span.spanContext().spanId}-01`));
});

test('a call that its client left is cancelled and no error', async () => {
  provider.script(hang());
  const operation = operationOf();
  const asked = world.attempts.run(operation, chatQuestion(true), planOf([at('one', 'a')]), settingsWith());
  await provider.waitFor(({ requests }) => requests.length === 1);
  operation.abandon();
  await expect(asked).rejects.toMatchObject({ kind: 'cancelled' });
  const span = stage.span('chat one');
  expect([span.status.code, span.attributes['error.type'], span.attributes['deja.attempt.outcome']]).toEqual([SpanStatusCode.UNSET, undefined, 'cancelled']);
});

test('a call beside the answer is a shadow, wherever it stands among the others', async () => {
  provider.script(answer('Yes.'));
  const operation = operationOf();
  operation.asks('chat', { temperature: 0.5 });
  await world.attempts.beside(operation, chatQuestion(false), at('one', 'a'), settingsWith());
  const { attributes } = stage.span('chat one');
  expect(attributes).toMatchObject({ 'deja.attempt.shadow': true, 'deja.attempt.why': 'shadow' });
  expect(attributes).not.toHaveProperty(['gen_ai.request.temperature']); // that is the client's request
});

test('what is passed through is named by its endpoint, and is no stream of a model', async () => {
  provider.scriptFor('sk-a', raw({ contentType: 'application/json', body: '{"created":1,"data":[]}' }));
  const answered = await world.raw.run(operationOf(), passedOn, planOf([at('gpt-image-1', 'a')]), settingsWith());
  await readJson(answered);
  const { attributes } = stage.span('chat/completions gpt-image-1');
  expect(attributes).toMatchObject({ 'gen_ai.operation.name': 'chat/completions', 'gen_ai.request.model': 'gpt-image-1', 'http.response.status_code': 200 });
  for (const absent of ['gen_ai.request.stream', 'gen_ai.response.time_to_first_chunk']) expect(attributes).not.toHaveProperty([absent]);
});

test('where no model has a part in it, none is named', async () => {
  provider.scriptFor('sk-a', raw({ contentType: 'application/json', body: '{"data":[]}' }));
  await readJson(await world.raw.run(operationOf(), passedOn, planOf([{ ...at('gpt-4o', 'a'), model: '' }]), settingsWith()));
  expect(stage.span('chat/completions').attributes).not.toHaveProperty(['gen_ai.request.model']);
});

test('nothing that was said, and no credential, is in a span of a call, also when the provider repeats it', async () => {
  provider.scriptFor('sk-a', status(400, {}, { error: { message: 'Hello? with sk-a is not allowed', type: 'invalid_request_error', param: 'Hello?', code: 'no' } }));
  provider.scriptFor('sk-b', answer('Hello yourself.'));
  await expect(world.attempts.run(operationOf(), chatQuestion(false), planOf([at('one', 'a')]), settingsWith())).rejects.toMatchObject({ status: 400 });
  await world.attempts.run(operationOf(), chatQuestion(false), planOf([at('two', 'b')]), settingsWith());
  const told = JSON.stringify(stage.spans.map(({ name, attributes, status: ended, events }) => ({ name, attributes, ended, events })));
  for (const hidden of ['Hello', 'sk-a', 'sk-b']) expect(told).not.toContain(hidden);
});

test('without a recorded trace there are no spans, and the provider still gets the ids', async () => {
  stage = new SpanStage(false);
  await world.close();
  world = new AttemptWorld();
  provider.scriptFor('sk-a', answer('Yes.'));
  const operation = operationOf();
  await world.attempts.run(operation, chatQuestion(false), planOf([at('one', 'a')]), settingsWith());
  expect(stage.spans).toEqual([]);
  expect(operation.requestAttributes).toEqual({});
  expect(provider.requests[0]?.headers['traceparent']).toMatch(new RegExp(`^00-${operation.span.spanContext().traceId}-[0-9a-f]{16}-00$`));
});
