import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { fakeProvider, testCluster, type FakeProvider, type TestCluster } from '@deja/testing';
import { chat, post, type Raw } from './client.ts';

let provider: FakeProvider;
let cluster: TestCluster;

beforeAll(async () => {
  provider = await fakeProvider();
  cluster = await testCluster({
    config: {
      providers: { fake: { kind: 'openai', base_url: provider.url, credentials: [{ name: 'a', value: 'sk-upstream-a' }] } },
      models: [{ name: 'known', deployments: [{ provider: 'fake', model: 'gpt-4o-mini' }] }],
      validation: { max_body_bytes: 100_000, max_messages: 50, max_input_tokens: 5000, max_output_tokens: 1000 },
      content_safety: { deny: ['(?i)project\\s+nightingale'] },
    },
  });
}, 60_000);
afterAll(async () => {
  await cluster?.stop();
  await provider?.close();
});

const valid = { model: 'known', messages: [{ role: 'user', content: 'Hello there, my friend.' }] };

/** What a refusal says, with the proof that it has OpenAI's shape and a request id. */
function refusal(reply: Raw): object {
  return {
    status: reply.status,
    code: reply.json.error?.code,
    param: reply.json.error?.param,
    fields: Object.keys(reply.json.error ?? {}).sort().join(),
    hasRequestId: /^[0-9a-f-]{36}$/.test(reply.headers.get('x-request-id') ?? ''),
  };
}
const shaped = { fields: 'code,message,param,type', hasRequestId: true };

describe('bad input stops at the door, in OpenAI’s shape, with the field’s name', () => {
  test.each<[string, object | string, number, string, string | null]>([
    ['no body', '', 400, 'invalid_json', null],
    ['no JSON', '{"model":', 400, 'invalid_json', null],
    ['an array', '[]', 400, 'invalid_json', null],
    ['no model', { messages: valid.messages }, 400, 'missing_required_parameter', 'model'],
    ['a model of another type', { ...valid, model: 7 }, 400, 'invalid_value', 'model'],
    ['an unknown model', { ...valid, model: 'nope' }, 404, 'model_not_found', 'model'],
    ['no messages', { model: 'known' }, 400, 'missing_required_parameter', 'messages'],
    ['empty messages', { ...valid, messages: [] }, 400, 'invalid_value', 'messages'],
    ['too many messages', { ...valid, messages: Array.from({ length: 51 }, () => valid.messages[0]) }, 400, 'invalid_value', 'messages'],
    ['an unknown role', { ...valid, messages: [{ role: 'robot', content: 'x' }] }, 400, 'invalid_value', 'messages[0].role'],
    ['no content', { ...valid, messages: [{ role: 'user' }] }, 400, 'missing_required_parameter', 'messages[0].content'],
    ['content of another type', { ...valid, messages: [{ role: 'user', content: 5 }] }, 400, 'invalid_value', 'messages[0].content'],
    ['a text part without text', { ...valid, messages: [{ role: 'user', content: [{ type: 'text' }] }] }, 400, 'missing_required_parameter', 'messages[0].content[0].text'],
    ['temperature out of range', { ...valid, temperature: 3 }, 400, 'invalid_value', 'temperature'],
    ['n of nothing', { ...valid, n: 0 }, 400, 'invalid_value', 'n'],
    ['stream of another type', { ...valid, stream: 'yes' }, 400, 'invalid_value', 'stream'],
    ['stop of another type', { ...valid, stop: 7 }, 400, 'invalid_value', 'stop'],
    ['more output than allowed', { ...valid, max_tokens: 1001 }, 400, 'invalid_value', 'max_tokens'],
    ['a prompt that is too long', { ...valid, messages: [{ role: 'user', content: 'word '.repeat(10_000) }] }, 400, 'context_length_exceeded', 'messages'],
    ['a body that is too large', { ...valid, padding: 'x'.repeat(100_001) }, 413, 'request_too_large', null],
    ['denied content', { ...valid, messages: [{ role: 'user', content: 'Tell me about Project  Nightingale now' }] }, 400, 'content_policy_violation', 'messages'],
  ])('%s', async (_, body, statusCode, code, param) => {
    expect(refusal(await post(cluster, body))).toEqual({ status: statusCode, code, param, ...shaped });
  });

  test('the answer to denied content holds nothing of the text', async () => {
    const reply = await post(cluster, { ...valid, messages: [{ role: 'user', content: 'project nightingale and my secret plan' }] });
    expect(reply.text).not.toMatch(/nightingale|secret plan/i);
  });

  test.each<[string, Record<string, string>, number, string]>([
    ['no key', { authorization: '' }, 401, 'invalid_api_key'],
    ['an unknown key', { authorization: 'Bearer sk-deja-unknown-unknown' }, 401, 'invalid_api_key'],
    ['a cache mode of no meaning', { 'x-cache-mode': 'maybe' }, 400, 'invalid_value'],
    ['a ttl of no meaning', { 'x-cache-ttl': 'long' }, 400, 'invalid_value'],
    ['tags of no meaning', { 'x-deja-tags': 'nothing' }, 400, 'invalid_value'],
    ['only-if-cached without an entry', { 'cache-control': 'only-if-cached' }, 504, 'cache_miss'],
  ])('%s', async (_, headers, statusCode, code) => {
    expect(refusal(await post(cluster, valid, headers))).toMatchObject({ status: statusCode, code, ...shaped });
  });

  test.each<[string, string]>([['GET', '/v1/nothing'], ['POST', '/v1/chat'], ['GET', '/'], ['DELETE', '/v1/models'], ['GET', '/v1/chat/completions']])('%s %s is 404', async (method, path) => {
    const response = await fetch(`${cluster.url}${path}`, { method, headers: { authorization: `Bearer ${cluster.key}` } });
    expect([response.status, (await response.json()) as unknown]).toEqual([404, { error: expect.objectContaining({ code: 'not_found', type: 'invalid_request_error' }) }]);
  });

  test('bytes that are no HTTP get a 4xx and a closed connection', async () => {
    const { hostname, port } = new URL(cluster.url);
    const reply = await new Promise<string>((resolve, reject) => {
      let text = '';
      const socket = connect(Number(port), hostname, () => socket.write('NONSENSE \u0000\r\n\r\n'));
      socket.on('data', (data: Buffer) => (text += data.toString())).on('close', () => resolve(text)).on('error', reject);
    });
    expect(reply).toMatch(/^HTTP\/1\.1 400 /);
    expect(JSON.parse(reply.split('\r\n\r\n')[1]!)).toMatchObject({ error: { code: 'invalid_value', type: 'invalid_request_error' } });
  });

  test('a path that cannot be decoded gets its error in the same shape', async () => {
    const response = await fetch(`${cluster.url}/v1/models/%zz`, { headers: { authorization: `Bearer ${cluster.key}` } });
    expect([response.status, await response.json()]).toEqual([400, { error: expect.objectContaining({ code: 'invalid_value', param: 'path' }) }]);
  });

  test('a user is never shortened: one that is too long is refused', async () => {
    expect(refusal(await post(cluster, { ...valid, user: 'u'.repeat(513) }))).toMatchObject({ status: 400, code: 'invalid_value', param: 'user' });
  });

  test('random bodies never give a 5xx and reach the provider only when they are valid', async () => {
    const before = provider.requests.length;
    let accepted = 0;
    const field = fc.constantFrom('model', 'messages', 'stream', 'temperature', 'n', 'stop', 'tools', 'max_tokens', 'response_format', 'stream_options', 'user', 'metadata', 'logit_bias', '__proto__');
    const message = fc.dictionary(fc.constantFrom('role', 'content', 'name', 'tool_calls'), fc.oneof(fc.constantFrom('user', 'assistant', 'tool', ''), fc.jsonValue()));
    const body = fc.oneof(
      fc.string(),
      fc.json(),
      fc.dictionary(field, fc.oneof(fc.constant('known'), fc.array(message, { maxLength: 3 }), fc.jsonValue())).map((value) => JSON.stringify({ ...value, ...('model' in value && { model: 'known' }) })),
    );
    await fc.assert(
      fc.asyncProperty(body, async (text) => {
        const reply = await post(cluster, text);
        const ok = reply.status === 200;
        if (ok) accepted++;
        expect({ status: reply.status, below500: reply.status < 500, shaped: ok || typeof reply.json.error?.code === 'string' }).toEqual({ status: reply.status, below500: true, shaped: true });
      }),
      { numRuns: 400 },
    );
    expect(provider.requests.length - before).toBeLessThanOrEqual(accepted);
  }, 60_000);

  test('nothing of all this reached the provider, or an answer; a good request still does', async () => {
    expect((await post(cluster, { ...chat('One that is good, after all the bad ones.'), model: 'known' })).status).toBe(200);
    expect(provider.requests.at(-1)?.body).toMatchObject({ model: 'gpt-4o-mini' });
  });
});
