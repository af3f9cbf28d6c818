import { describe, expect, test } from '@jest/globals';
import { SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import { DejaError, type AttemptRecord, type Principal } from '@deja/contracts';
import { attempt as madeAttempt, usage } from '../../test/counted-operation.ts';
import { SpanStage } from '../../test/span-stage.ts';
import { AttemptFailure } from '../attempt/failure.ts';
import { Captured } from '../capture/captured.ts';
import { Operation, type Stage } from '../operation/operation.ts';
import { parseJsonBody } from '../validate/json-body.ts';
import { whyMade } from './attempt-span.ts';
import { maskedText } from './masked-attributes.ts';
import { endOperationSpan } from './operation-span.ts';
import { genAiProvider } from './provider-name.ts';
import { requestAttributes } from './request-attributes.ts';

const SETTINGS = { capture: 'none', request_log: { search: false }, content_safety: { prompts: {}, answers: {}, deny: [] } } as unknown as Captured['settings'];

function operationIn(stage: SpanStage, { content = false, capture }: { content?: boolean; capture?: Principal['capture'] } = {}): Operation {
  const operation = new Operation('chat/completions', {}, stage.tracer.startSpan('request', { kind: SpanKind.SERVER }), null, content);
  operation.principal = { tenant: 'acme', key: 'k', tags: {}, capture } as unknown as Principal;
  return operation;
}

describe('a stage', () => {
  test('is a span below its operation, and active while it runs; its time is counted whether it is recorded or not', async () => {
    for (const recorded of [true, false]) {
      const stage = new SpanStage(recorded);
      const operation = operationIn(stage);
      const inside = await operation.timed('plan', () => trace.getActiveSpan()?.spanContext().spanId);
      expect([...operation.stages.keys()]).toEqual(['plan']);
      expect(stage.spans.map(({ name }) => name)).toEqual(recorded ? ['deja.plan'] : []);
      if (!recorded) continue;
      const span = stage.span('deja.plan');
      expect([span.spanContext().spanId, span.parentSpanContext?.spanId, span.kind]).toEqual([inside, operation.span.spanContext().spanId, SpanKind.INTERNAL]);
    }
  });

  test('that refuses a client is no error, one that fails is', async () => {
    const stage = new SpanStage();
    const operation = operationIn(stage);
    const thrown: [Stage, Error][] = [['auth', new DejaError('invalid_api_key', 'No.')], ['plan', new DejaError('no_deployment_available', 'Nobody.')], ['upstream', new AttemptFailure('cancelled')], ['guard', new TypeError('a defect')]];
    for (const [name, error] of thrown) await expect(operation.timed(name, () => Promise.reject(error))).rejects.toBe(error);
    expect(stage.spans.map(({ name, status, attributes }) => [name, status.code, attributes['error.type']])).toEqual([
      ['deja.auth', SpanStatusCode.UNSET, 'invalid_api_key'],
      ['deja.plan', SpanStatusCode.ERROR, 'no_deployment_available'],
      ['deja.upstream', SpanStatusCode.UNSET, 'cancelled'],
      ['deja.guard', SpanStatusCode.ERROR, 'internal_error'],
    ]);
  });

  test('is told to clients only where they know of it', async () => {
    const operation = operationIn(new SpanStage(false));
    for (const name of ['auth', 'validate', 'upstream', 'settle'] as const) await operation.timed(name, () => undefined);
    expect(operation.serverTiming).toMatch(/^auth;dur=[\d.]+, upstream;dur=[\d.]+$/);
  });

  test('without a wait leaves no second span', async () => {
    const stage = new SpanStage();
    await operationIn(stage).waited('guard', () => undefined);
    expect(stage.spans).toEqual([]);
  });
});

describe('the span of an operation', () => {
  test.each([
    ['ok', 200, null, SpanStatusCode.UNSET],
    ['error', 429, 'rate_limit_exceeded', SpanStatusCode.UNSET],
    ['blocked', 400, 'content_blocked', SpanStatusCode.UNSET],
    ['cancelled', 499, null, SpanStatusCode.UNSET],
    ['error', 503, 'overloaded', SpanStatusCode.ERROR],
    ['error', 200, 'upstream_error', SpanStatusCode.ERROR], // a stream that broke off
  ] as const)('of outcome %s with status %i and error %s has the status that the conventions say', (outcome, status, errorCode, code) => {
    const stage = new SpanStage();
    const operation = operationIn(stage);
    Object.assign(operation, { outcome, status, errorCode });
    endOperationSpan(operation);
    const span = stage.span('request');
    expect([span.status.code, span.attributes['error.type'] ?? null, span.attributes['http.response.status_code']]).toEqual([code, errorCode, status]);
  });

  test('says who asked, who served, what was used and what it cost; the shadow beside it does not count', () => {
    const stage = new SpanStage();
    const operation = operationIn(stage);
    operation.asks('chat', { temperature: 0.2, max_tokens: 100 });
    Object.assign(operation, { requestedModel: 'gpt-4o', servedModel: 'gpt-4o', status: 200, cache: 'MISS', cacheReason: 'no_entry' });
    operation.attempts.push(madeAttempt({ usage: usage(1000, 500) }), madeAttempt({ shadow: true }));
    endOperationSpan(operation);
    expect(stage.span('request').attributes).toMatchObject({
      'deja.request_id': operation.id, 'deja.tenant': 'acme', 'deja.outcome': 'ok', 'deja.cache': 'MISS', 'deja.cache_reason': 'no_entry', 'deja.deployment': 'openai/gpt-4o', 'deja.attempts': 1, 'deja.cost_usd': 0.002,
      'gen_ai.operation.name': 'chat', 'gen_ai.request.model': 'gpt-4o', 'gen_ai.request.temperature': 0.2, 'gen_ai.request.max_tokens': 100, 'gen_ai.usage.input_tokens': 1000, 'gen_ai.usage.output_tokens': 500,
    });
  });
});

test('a key that a client took for a model or an id is in no attribute', () => {
  const KEY = 'sk-deja-0123456789abcdef';
  const stage = new SpanStage();
  const operation = operationIn(stage);
  Object.assign(operation, { requestedModel: KEY, servedModel: KEY, status: 200 });
  operation.attempts.push(madeAttempt({ deployment: `openai/${KEY}`, model: KEY }));
  endOperationSpan(operation);
  const { attributes } = stage.span('request');
  expect(JSON.stringify(attributes)).not.toContain('0123456789');
  expect(attributes).toMatchObject({ 'gen_ai.request.model': 'sk-[masked]', 'deja.deployment': 'openai/sk-[masked]' });
  expect([maskedText(`/v1/files/${KEY}`), maskedText(`chat ${KEY}`), maskedText('chat gpt-4o'), maskedText('/v1/files/file-abc')]).toEqual(['/v1/files/sk-[masked]', 'chat sk-[masked]', 'chat gpt-4o', '/v1/files/file-abc']);
});

describe('content in spans', () => {
  const CANARY = 'canary-4711';
  const ended = (o: { content: boolean; capture?: Principal['capture'] }, change: (operation: Operation) => void = () => undefined): Record<string, unknown> => {
    const stage = new SpanStage();
    const operation = operationIn(stage, o);
    operation.captured = new Captured(SETTINGS);
    operation.captured.asked(parseJsonBody(Buffer.from(JSON.stringify({ messages: [{ role: 'user', content: `${CANARY} asks` }] }))), ['messages']);
    operation.captured.replied(Buffer.from(JSON.stringify({ choices: [{ message: { role: 'assistant', content: `${CANARY} answers` }, finish_reason: 'stop' }] })));
    change(operation);
    endOperationSpan(operation);
    return stage.span('request').attributes;
  };

  test('is there as the conventions have it, where it is switched on', () => {
    expect(ended({ content: true })).toMatchObject({
      'gen_ai.input.messages': JSON.stringify([{ role: 'user', parts: [{ type: 'text', content: `${CANARY} asks` }] }]),
      'gen_ai.output.messages': JSON.stringify([{ role: 'assistant', parts: [{ type: 'text', content: `${CANARY} answers` }], finish_reason: 'stop' }]),
    });
  });

  test.each([
    ['switched off', () => ended({ content: false })],
    ['of a key of which nothing is to be kept', () => ended({ content: true, capture: 'none' })],
    ['of a key of which only the shape is to be kept', () => ended({ content: true, capture: 'metadata' })],
    ['that content rules blocked', () => ended({ content: true }, (operation) => (operation.outcome = 'blocked'))],
    ['that content rules have not seen', () => ended({ content: true }, ({ captured }) => {
      captured?.came(Buffer.from(CANARY));
      captured?.streamed(() => ({ body: Buffer.from(JSON.stringify({ choices: [{ message: { content: CANARY } }] })) }), { shapeOnly: true });
    })],
  ])('is not there: %s', (_, attributes) => {
    expect(JSON.stringify(attributes())).not.toContain(CANARY);
  });
});

describe('attributes', () => {
  test('of a request are numbers and words of the API, never what a person wrote', () => {
    expect(requestAttributes({
      max_completion_tokens: 5, max_tokens: 7, temperature: 0, top_p: 0.5, n: 2, seed: 1, stop: 'SECRET', user: 'ann', reasoning_effort: 'low', response_format: { type: 'json_schema', json_schema: { name: 'SECRET' } },
      messages: [{ role: 'user', content: 'SECRET' }],
    })).toEqual({
      'gen_ai.request.max_tokens': 5, 'gen_ai.request.temperature': 0, 'gen_ai.request.top_p': 0.5, 'gen_ai.request.choice.count': 2, 'gen_ai.request.seed': 1, 'gen_ai.request.reasoning.level': 'low', 'gen_ai.output.type': 'json',
    });
    expect(requestAttributes({ reasoning: { effort: 'What I want, please' }, temperature: 'hot', n: 1, dimensions: 256, encoding_format: 'base64' })).toEqual({ 'gen_ai.embeddings.dimension.count': 256, 'gen_ai.request.encoding_formats': ['base64'] });
  });

  test.each([
    ['openai', 'https://api.openai.com/v1', 'openai'],
    ['openai', 'https://api.mistral.ai/v1', 'mistral_ai'],
    ['openai', 'https://api.x.ai/v1', 'x_ai'],
    ['openai', 'https://api.groq.com/openai/v1', 'groq'],
    ['openai', 'http://10.1.2.3:8000/v1', 'ours'],
    ['azure-openai', 'https://acme.openai.azure.com', 'azure.ai.openai'],
    ['anthropic', 'https://api.anthropic.com', 'anthropic'],
    ['gemini', 'https://generativelanguage.googleapis.com', 'gcp.gemini'],
    ['simulated', '', 'ours'],
  ] as const)('name the provider of kind %s at %s as the conventions do', (kind, baseUrl, name) => {
    expect(genAiProvider({ provider: 'ours', kind, baseUrl })).toBe(name);
  });

  test('say why a call was made', () => {
    const made = (deployment: string, more: Partial<AttemptRecord> = {}): AttemptRecord => madeAttempt({ deployment, ...more });
    const calls = [made('a'), made('beside', { shadow: true }), made('a'), made('b'), made('c', { hedge: true })];
    expect(calls.map((call, i) => whyMade(call, calls.slice(0, i + 1)))).toEqual(['first', 'shadow', 'retry', 'failover', 'hedge']);
  });
});
