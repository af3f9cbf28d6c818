import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { answer, status } from '@deja/testing';
import { eventually } from './client.ts';
import type { CollectedSpan } from './trace-collector.ts';
import { CLIENT_SPAN, TRACE_ID, TracedRequest, treeOf } from './traced-request.ts';

const CANARY = 'canary-4711';

/** The operation's span of a request, when it has ended. */
const spanOf = (traced: TracedRequest, { headers }: Response): Promise<CollectedSpan> =>
  eventually('the span of the operation', () => traced.collector.spans.find(({ attributes }) => attributes['deja.request_id'] === headers.get('x-request-id')));

const chat = (content: string, more: object = {}): object => ({ model: 'assistant', messages: [{ role: 'user', content }], ...more });

describe('one streamed request of an unknown key, that misses semantically and fails over', () => {
  let traced: TracedRequest;
  let spans: CollectedSpan[];
  let linked: CollectedSpan[];
  let response: Response;
  const named = (name: string, kind?: CollectedSpan['kind']): CollectedSpan => {
    const found = spans.find((span) => span.name === name && (kind === undefined || span.kind === kind));
    if (found === undefined) throw new Error(`no span ${name} among ${spans.map((span) => span.name).join(', ')}`);
    return found;
  };

  beforeAll(async () => {
    traced = await TracedRequest.start();
    response = await traced.make();
    ({ spans, linked } = await traced.spans());
  }, 90_000);
  afterAll(() => traced?.stop());

  test('is one trace over gateway, router and semantic-cache, which continues the client’s', () => {
    expect(response.status).toBe(200);
    const tree = treeOf(spans.filter(({ name }) => name !== 'router.attempt_outcomes')); // reports of calls go out together: whose trace has them is chance
    expect(tree.map(({ span, depth }) => `${'  '.repeat(depth)}${span.service} ${span.kind} ${span.name}`)).toEqual([
      'deja-gateway server POST /v1/chat/completions',
      '  deja-gateway internal deja.auth',
      '    deja-gateway client router.resolve_key',
      '      deja-router server router.resolve_key',
      '  deja-gateway internal deja.validate',
      '  deja-gateway internal deja.guard',
      '  deja-gateway internal deja.plan',
      '  deja-gateway internal deja.reserve',
      '  deja-gateway internal deja.cache',
      '    deja-gateway client semantic-cache.lookup',
      '      deja-semantic-cache server semantic-cache.lookup',
      '        deja-semantic-cache internal semantic-cache.embed',
      '        deja-semantic-cache internal semantic-cache.search',
      '        deja-semantic-cache internal semantic-cache.verify',
      '  deja-gateway internal deja.upstream',
      '    deja-gateway client chat gpt-4o',
      '    deja-gateway client chat gpt-4o-mini',
      '  deja-gateway internal deja.settle',
      '    deja-semantic-cache consumer semantic-cache.store',
    ]);
    expect(new Set(spans.map(({ traceId }) => traceId))).toEqual(new Set([TRACE_ID]));
    expect(named('POST /v1/chat/completions').parentSpanId).toBe(CLIENT_SPAN);
  });

  test('goes on at both providers, each in the span of its call', () => {
    const sent = traced.provider.requests.filter(({ headers }) => String(headers['traceparent']).includes(TRACE_ID));
    expect(sent.map(({ credential, headers }) => [credential, headers['traceparent']])).toEqual([
      ['sk-first', `00-${TRACE_ID}-${named('chat gpt-4o').spanId}-01`],
      ['sk-second', `00-${TRACE_ID}-${named('chat gpt-4o-mini').spanId}-01`],
    ]);
  });

  test('says of each call what the GenAI conventions say, and why it was made', () => {
    const { port } = new URL(traced.provider.url);
    const request = { 'gen_ai.operation.name': 'chat', 'gen_ai.provider.name': 'openai', 'gen_ai.request.stream': true, 'gen_ai.request.temperature': 0.5, 'gen_ai.request.max_tokens': 200, 'server.address': '127.0.0.1', 'server.port': Number(port) };
    expect(named('chat gpt-4o')).toMatchObject({ status: 'error', attributes: { ...request, 'gen_ai.request.model': 'gpt-4o', 'http.response.status_code': 500, 'error.type': 'overloaded', 'deja.provider': 'first', 'deja.deployment': 'first/gpt-4o', 'deja.credential': 'first/main', 'deja.attempt.n': 1, 'deja.attempt.why': 'first', 'deja.attempt.outcome': 'error' } });
    const served = named('chat gpt-4o-mini');
    expect(served).toMatchObject({
      status: 'unset',
      attributes: {
        ...request, 'gen_ai.request.model': 'gpt-4o-mini', 'http.response.status_code': 200, 'deja.provider': 'second', 'deja.attempt.n': 2, 'deja.attempt.why': 'failover', 'deja.attempt.outcome': 'ok', 'deja.usage_source': 'upstream',
        'gen_ai.response.model': expect.any(String), 'gen_ai.response.id': expect.any(String), 'gen_ai.response.finish_reasons': ['stop'], 'gen_ai.response.time_to_first_chunk': expect.any(Number), 'gen_ai.usage.input_tokens': expect.any(Number), 'gen_ai.usage.output_tokens': expect.any(Number), 'deja.cost_usd': expect.any(Number),
      },
    });
    expect(served.attributes).not.toHaveProperty('error.type');
  });

  test('says of the whole who asked, why the cache had nothing, who served and what it cost', () => {
    const { attributes: served } = named('chat gpt-4o-mini');
    expect(named('POST /v1/chat/completions')).toMatchObject({
      status: 'unset',
      events: [{ name: 'deja.first_byte' }],
      attributes: {
        'http.request.method': 'POST', 'http.route': '/v1/chat/completions', 'url.path': '/v1/chat/completions', 'http.response.status_code': 200,
        'gen_ai.operation.name': 'chat', 'gen_ai.provider.name': 'openai', 'gen_ai.request.model': 'assistant', 'gen_ai.request.stream': true, 'gen_ai.usage.input_tokens': served['gen_ai.usage.input_tokens'], 'gen_ai.response.finish_reasons': ['stop'],
        'deja.request_id': response.headers.get('x-request-id'), 'deja.tenant': 'default', 'deja.outcome': 'ok', 'deja.cache': 'MISS', 'deja.cache_reason': response.headers.get('x-cache-reason'), 'deja.model': 'assistant', 'deja.provider': 'second', 'deja.deployment': 'second/gpt-4o-mini', 'deja.attempts': 2, 'deja.cost_usd': served['deja.cost_usd'],
      },
    });
    expect(named('semantic-cache.lookup', 'server').attributes).toMatchObject({ 'deja.semantic.outcome': 'miss', 'deja.semantic.reason': response.headers.get('x-cache-reason') });
  });

  test('is linked to from the usage-worker, which records many at once', () => {
    expect(linked).toEqual([expect.objectContaining({ service: 'deja-usage-worker', name: 'record usage', kind: 'consumer', parentSpanId: null, linkedSpans: expect.arrayContaining([named('POST /v1/chat/completions').spanId]) })]);
    expect(linked[0]?.attributes).toMatchObject({ 'messaging.system': 'bullmq', 'messaging.operation.type': 'process', 'messaging.destination.name': 'usage', 'messaging.batch.message_count': expect.any(Number) });
  });

  test('a client’s own mistake is no error of the service, nobody who answers is', async () => {
    const refused = await spanOf(traced, await traced.ask(chat('Who am I?'), 'sk-deja-unknown'));
    expect(refused).toMatchObject({ status: 'unset', attributes: { 'error.type': 'invalid_api_key', 'http.response.status_code': 401, 'deja.outcome': 'error' } });
    traced.provider.script(...Array.from({ length: 8 }, () => status(500)));
    const failed = await spanOf(traced, await traced.ask(chat('Does anybody answer this question?')));
    expect(failed).toMatchObject({ status: 'error', attributes: { 'error.type': 'upstream_error', 'http.response.status_code': 502 } });
  });

  test('no span has anything of a prompt or an answer, however the request ends, as long as content is not switched on', async () => {
    traced.provider.reset();
    traced.provider.otherwise(answer(`${CANARY} answered`));
    const ends = [chat(`${CANARY} whole?`), chat(`${CANARY} whole?`), chat(`${CANARY} streamed?`, { stream: true }), chat(`${CANARY} tools?`, { tools: [{ type: 'function', function: { name: `${CANARY}-tool` } }], stop: [CANARY] })];
    for (const body of ends) await spanOf(traced, await traced.ask(body));
    traced.provider.otherwise(status(400, {}, { error: { message: `${CANARY} is refused`, type: 'invalid_request_error', param: CANARY, code: null } }));
    await spanOf(traced, await traced.ask(chat(`${CANARY} refused?`)));
    traced.provider.otherwise(answer(`${CANARY} answered`, { cutAfter: 1 }));
    await spanOf(traced, await traced.ask(chat(`${CANARY} broken off?`, { stream: true })));
    expect(traced.collector.spans.filter((span) => JSON.stringify(span).includes(CANARY))).toEqual([]);
  });
});

describe('with content switched on', () => {
  let traced: TracedRequest;
  beforeAll(async () => {
    traced = await TracedRequest.start({ env: { OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT: 'true' }, rules: { pii: { prompts: 'redact', answers: 'redact' }, deny: [{ name: 'codename', pattern: 'nightingale', action: 'block' }] } });
  }, 90_000);
  afterAll(() => traced?.stop());

  test.each([['whole', false], ['streamed', true]])('a %s request’s span has what was said, without what content rules take out and without secrets', async (_, stream) => {
    traced.provider.script(answer(`${CANARY}: written to bob@example.org.`));
    const response = await traced.ask(chat(`${CANARY}: please write to ann@example.com, my key is sk-proj-0123456789abcdef, stream ${stream}`, { stream }));
    const { attributes } = await spanOf(traced, response);
    const input = JSON.parse(String(attributes['gen_ai.input.messages'])) as { role: string; parts: { type: string; content: string }[] }[];
    expect(input).toEqual([{ role: 'user', parts: [{ type: 'text', content: expect.stringContaining(`${CANARY}: please write to`) }] }]);
    const output = JSON.parse(String(attributes['gen_ai.output.messages'])) as object[];
    expect(output).toEqual([{ role: 'assistant', parts: [{ type: 'text', content: expect.stringContaining(`${CANARY}: written to`) }], finish_reason: 'stop' }]);
    const all = JSON.stringify(traced.collector.spans);
    expect(['ann@example.com', 'bob@example.org', '0123456789abcdef'].filter((hidden) => all.includes(hidden))).toEqual([]);
  });

  test('an answer from the cache is there too, and a prompt that a rule blocks is not', async () => {
    const question = chat(`${CANARY}: what is the same every time?`);
    traced.provider.otherwise(answer(`${CANARY}: this answer.`));
    await traced.ask(question);
    const hit = await spanOf(traced, await traced.ask(question));
    expect(hit.attributes).toMatchObject({ 'deja.cache': 'HIT-EXACT', 'gen_ai.output.messages': expect.stringContaining(`${CANARY}: this answer.`), 'deja.cost_usd': 0 });
    const blocked = await spanOf(traced, await traced.ask(chat(`${CANARY}: tell me of project nightingale`)));
    expect(blocked.attributes).toMatchObject({ 'deja.outcome': 'blocked', 'deja.flags': ['codename'] });
    expect(JSON.stringify(blocked)).not.toContain('nightingale');
    expect(blocked.attributes).not.toHaveProperty('gen_ai.input.messages');
  });
});
