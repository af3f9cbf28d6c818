import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { answer, cut, fakeProvider, raw, recordedEvents, recordedText, type FakeProvider, type Step, type TestCluster } from '@deja/testing';
import type OpenAI from 'openai';
import { ask, attemptRows, operationRow, post, sdk, type Messages } from './client.ts';
import { credentialOf, dialectCluster, type Model } from './dialects-cluster.ts';
import { replay } from './dialects-recordings.ts';

const json = (status: number, body: string, headers: Record<string, string> = {}): Step => raw({ status, headers, contentType: 'application/json', body });
const anthropicError = (status: number, type: string, message: string, headers?: Record<string, string>): Step => json(status, JSON.stringify({ type: 'error', error: { type, message }, request_id: 'req_1' }), headers);

/** What a client is told where nobody else can answer. */
interface Told {
  status: number;
  code: string;
  retryAfter?: string;
}

/** Failures after which another provider is asked, as the providers document them (Anthropic "Errors"; Gemini "Troubleshooting guide") or as they were recorded. */
const FAULTS: [name: string, like: Model, reply: Step, told: Told][] = [
  ['Anthropic’s 529', 'claude', anthropicError(529, 'overloaded_error', 'Overloaded'), { status: 502, code: 'upstream_error' }],
  ['Anthropic’s 429', 'claude', anthropicError(429, 'rate_limit_error', 'Too many tokens.', { 'retry-after': '17' }), { status: 429, code: 'provider_rate_limited', retryAfter: '17' }],
  ['Anthropic’s 401', 'claude', anthropicError(401, 'authentication_error', 'invalid x-api-key'), { status: 502, code: 'upstream_error' }],
  ['Gemini’s recorded 429', 'gemini', json(429, recordedText('google/google-429-retry-info.json')), { status: 429, code: 'provider_rate_limited', retryAfter: '35' }],
  ['Gemini’s 400 about the key', 'gemini', json(400, JSON.stringify({ error: { code: 400, message: 'API key not valid. Please pass a valid API key.', status: 'INVALID_ARGUMENT' } })), { status: 502, code: 'upstream_error' }],
  ['OpenAI’s recorded 429', 'gpt', json(429, recordedText('openai/openai-error.1.json')), { status: 429, code: 'provider_rate_limited', retryAfter: '300' }],
];

/** Mistakes of the caller: nobody else would take the request either. */
const MISTAKES: [name: string, model: Model, reply: Step, error: { message: string; param: string }][] = [
  ['Anthropic’s 400', 'claude', anthropicError(400, 'invalid_request_error', 'tools: two tools have the same name'), { message: 'tools: two tools have the same name', param: 'tools' }],
  ['OpenAI’s recorded 400', 'gpt', json(400, recordedText('openai/reasoning-model-legacy-parameter-error.json')), {
    message: "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.",
    param: 'max_tokens',
  }],
];

let provider: FakeProvider;
let cluster: TestCluster;
let openai: OpenAI;

beforeAll(async () => {
  provider = await fakeProvider();
  const faulty = FAULTS.flatMap(([, like], i) => [{ name: `alone-${i}`, like }, { name: `helped-${i}`, like, fallbacks: ['mistral'] }]);
  cluster = await dialectCluster(provider, [...faulty, { name: 'broken-claude', like: 'claude' }, { name: 'broken-gemini', like: 'gemini' }, { name: 'broken-gpt', like: 'gpt' }]);
  openai = sdk(cluster);
}, 60_000);
afterEach(() => provider.reset());
afterAll(async () => {
  await cluster?.stop();
  await provider?.close();
});

const FRESH = { 'cache-control': 'no-cache' };
const question = (what: string): { messages: Messages } => ({ messages: ask(`Answer this, please: ${what}`) });
const lastBody = (): unknown => provider.requests.at(-1)?.body;

describe('what a provider cannot do is said, never guessed', () => {
  test.each([
    ['claude', { seed: 7, presence_penalty: 0.5, store: true, frequency_penalty: 0, n: 1 }, ['presence_penalty', 'seed', 'store']],
    ['gemini', { user: 'u-1', metadata: { a: 'b' }, parallel_tool_calls: true }, ['metadata', 'user']],
    ['mistral', { user: 'u-1', service_tier: 'auto', seed: 7 }, ['service_tier', 'user']],
  ])('%s: parameters that were left out are listed, and neutral ones are not', async (model, more, dropped) => {
    const { status, headers } = await post(cluster, { model, ...question('without these'), ...more }, FRESH);
    expect([status, headers.get('x-deja-dropped-params')?.split(',').sort()]).toEqual([200, dropped]);
    for (const name of dropped) expect(lastBody()).not.toHaveProperty(name);
  });

  test('a provider that takes everything is sent everything, and nothing is listed', async () => {
    const more = { seed: 7, user: 'u-1', presence_penalty: 0.5 };
    expect((await post(cluster, { model: 'gpt', ...question('with these'), ...more })).headers.has('x-deja-dropped-params')).toBe(false);
    expect(lastBody()).toMatchObject(more);
  });

  test.each([
    ['claude', 'n', 2],
    ['claude', 'temperature', 1.5],
    ['claude', 'logprobs', true],
    ['gemini', 'logit_bias', { 50256: -100 }],
    ['groq', 'n', 2],
    ['mistral', 'logit_bias', { 50256: -100 }],
  ])('%s: a request whose answer would be another one without `%s` is a 400 that names it, and is never sent', async (model, param, value) => {
    expect(await post(cluster, { model, ...question('with this'), [param]: value })).toMatchObject({ status: 400, json: { error: { type: 'invalid_request_error', code: 'invalid_value', param } } });
    expect(provider.requests).toEqual([]);
  });

  test.each([['n', 2], ['temperature', 1.5]])('`%s` is served by another deployment of the model, which can', async (param, value) => {
    expect((await post(cluster, { model: 'either', ...question('by anyone') }, FRESH)).headers.get('x-deja-provider')).toBe('claude');
    const { status, headers } = await post(cluster, { model: 'either', ...question('by anyone'), [param]: value }, FRESH);
    expect([status, headers.get('x-deja-provider'), headers.get('x-deja-attempts')]).toEqual([200, 'gpt', '1']);
    expect(lastBody()).toMatchObject({ model: 'gpt-4.1-nano', [param]: value });
  });
});

describe('a provider that fails in its own words is understood', () => {
  test.each(FAULTS.map(([name, , reply], i) => [name, reply, `helped-${i}`] as const))('after %s another provider takes over, and both calls are in the ledger', async (_, reply, model) => {
    provider.script(reply, answer('From the other one.'));
    const { status, text, headers } = await post(cluster, { model, ...question('if you can'), stream: true });
    expect([status, headers.get('x-deja-provider'), headers.get('x-deja-attempts')]).toEqual([200, 'mistral', '2']);
    expect(text.endsWith('data: [DONE]\n\n')).toBe(true);
    const row = await operationRow(cluster, headers.get('x-request-id'));
    expect(await attemptRows(cluster, row.id)).toMatchObject([{ n: 1, status: reply.raw?.status, outcome: 'error' }, { n: 2, status: 200, outcome: 'ok' }]);
  });

  test.each(FAULTS.map(([name, , reply, told], i) => [name, reply, told, `alone-${i}`] as const))('%s is told as the error table says where nobody else can answer', async (_, reply, { status, code, retryAfter }, model) => {
    provider.script(reply, reply);
    const said = await post(cluster, { model, ...question('if you can') });
    expect([said.status, said.json.error?.code, said.headers.get('retry-after')]).toEqual([status, code, retryAfter ?? null]);
    expect(said.text).not.toContain(credentialOf(model));
  });

  test.each(MISTAKES)('%s is the caller’s mistake: told in the provider’s words, and tried nowhere else', async (_, like, reply, error) => {
    provider.script(reply);
    expect(await post(cluster, { model: like === 'claude' ? 'either' : like, ...question('wrongly') })).toMatchObject({ status: 400, json: { error: { type: 'invalid_request_error', code: 'invalid_value', ...error } } });
    expect(provider.requests).toHaveLength(1);
  });

  test('a recorded stream of a response that failed is no answer', async () => {
    const failed = replay('openai/openai-error.1.chunks.jsonl', 'typed');
    provider.script(failed, failed);
    const { status, json: said } = await post(cluster, { model: 'broken-gpt', input: 'Too expensive.', stream: true }, {}, '/v1/responses');
    expect([status, said.error?.code]).toEqual([429, 'provider_rate_limited']);
  });
});

describe('a translated stream that broke off', () => {
  const MESSAGE = recordedEvents('anthropic/anthropic-text.chunks.jsonl');
  const OVERLOADED = JSON.stringify({ type: 'error', error: { type: 'overloaded_error', message: 'Overloaded' } });
  const sse = (events: string[]): Step => raw({ contentType: 'text/event-stream', body: events.map((data) => `data: ${data}\n\n`) });

  /** The step, which goes on after the event `at` only when the client has the head of the stream: an earlier break would be another one's turn. */
  function held(step: Step, at: number): { step: Step; goOn: () => void } {
    const { promise, resolve } = Promise.withResolvers<void>();
    return { step: { ...step, gate: (i) => (i === at ? promise : undefined) }, goOn: resolve };
  }

  async function textOf(step: Step, at: number, path: string, body: object): Promise<{ text: string; id: string | null }> {
    const { step: gated, goOn } = held(step, at);
    provider.script(gated);
    const response = await fetch(`${cluster.url}${path}`, { method: 'POST', headers: { 'content-type': 'application/json', authorization: `Bearer ${cluster.key}` }, body: JSON.stringify({ ...body, stream: true }) });
    goOn();
    return { text: await response.text(), id: response.headers.get('x-request-id') };
  }

  describe.each([
    ['an Anthropic stream that ends before message_stop', 'broken-claude', sse(MESSAGE.slice(0, -1)), 4],
    ['an Anthropic stream whose connection breaks', 'broken-claude', cut(6, sse(MESSAGE)), 4],
    ['an Anthropic stream with an error event', 'broken-claude', sse([...MESSAGE.slice(0, 6), OVERLOADED]), 4],
    ['a Gemini stream that ends without a finishReason', 'broken-gemini', sse(recordedEvents('google/google-text.chunks.jsonl').slice(0, -1)), 1],
  ] as const)('%s', (what, model, step, at) => {
    test('ends with an error event, without [DONE], and is not kept', async () => {
      const asked = { model, ...question(what) };
      const { text, id } = await textOf(step, at, '/v1/chat/completions', asked);
      const last = text.trimEnd().split('\n\n').at(-1)!;
      expect(JSON.parse(last.replace('data: ', ''))).toMatchObject({ error: { type: 'api_error', code: 'upstream_error' } });
      expect(text).not.toContain('[DONE]');
      expect(await operationRow(cluster, id)).toMatchObject({ status: 200, outcome: 'error', error_code: 'upstream_error' });
      expect((await post(cluster, asked)).headers.get('x-cache')).toBe('MISS');
    });

    test('is an error for the SDK', async () => {
      const { step: gated, goOn } = held(step, at);
      provider.script(gated);
      const stream = await openai.chat.completions.create({ model, ...question(`${what}, again`), stream: true });
      goOn();
      await expect((async () => {
        for await (const _chunk of stream);
      })()).rejects.toThrow(/provider/i);
    });

    test('never becomes a completed response', async () => {
      const { text } = await textOf(step, at, '/v1/responses', { model, input: what });
      expect(text).toContain('upstream_error');
      expect(text).not.toContain('response.completed');
      expect((await post(cluster, { model, input: what }, {}, '/v1/responses')).headers.get('x-cache')).toBe('MISS');
    });
  });
});
