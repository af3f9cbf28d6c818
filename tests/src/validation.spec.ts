import { createHash, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Validation } from '@deja/contracts';
import { fakeProvider, testCluster, type FakeProvider, type TestCluster } from '@deja/testing';
import { AdminClient } from './admin-client.ts';
import { ask, chat, eventually, post, type Raw } from './client.ts';
import { newKeyWithId } from './tenant-keys.ts';

const MAX_INPUT_TOKENS = 2000;
const GPT_4_WINDOW = 8192;

let provider: FakeProvider;
let cluster: TestCluster;
let admin: AdminClient;

beforeAll(async () => {
  provider = await fakeProvider();
  const served = (name: string, model = name, fallbacks: string[] = []): object => ({ name, deployments: [{ provider: 'openai', model }], fallbacks });
  cluster = await testCluster({
    config: {
      providers: { openai: { kind: 'openai', server: 'openai', base_url: provider.url, credentials: [{ name: 'a', value: 'sk-upstream-a' }] } },
      models: [
        ...['gpt-4o-mini', 'gpt-4', 'gpt-4.1', 'text-embedding-3-small', 'gpt-image-1', 'tts-1', 'whisper-1', 'omni-moderation-latest'].map((name) => served(name)),
        served('house', 'gpt-4o-mini'),
        served('roomy', 'gpt-4', ['gpt-4.1']),
      ],
      validation: { max_body_bytes: 4_000_000, max_messages: 20, max_input_tokens: MAX_INPUT_TOKENS, max_output_tokens: 1000 },
    },
  });
  admin = new AdminClient(cluster);
}, 60_000);
afterAll(async () => {
  await cluster?.stop();
  await provider?.close();
});

/** A key of a tenant of its own, with ceilings for either, and the headers that present it. */
async function keyWith(o: { tenant?: Partial<Validation>; key?: Partial<Validation>; models?: string[] }): Promise<{ id: string; headers: { authorization: string } }> {
  const tenant = `t-${randomUUID()}`;
  await admin.done('POST', 'tenants', { id: tenant, name: tenant, validation: o.tenant ?? {} });
  const { id, key } = await newKeyWithId(cluster, tenant, { validation: o.key ?? {}, models: o.models ?? null });
  return { id, headers: { authorization: `Bearer ${key}` } };
}

/** Exactly so many tokens in either of OpenAI's encodings: each repetition is one. */
const hellos = (tokens: number): string => ' hello'.repeat(tokens);
/** What one message and the answer's opening add. */
const FRAMING = 7;

const refusal = ({ status: code, json: { error } }: Raw): unknown[] => [code, error?.code, error?.param, error?.type];

let asked = 0;
/** A body nobody has sent before: no cache may answer. */
const fresh = (more: object = {}): object => ({ ...chat(`Question ${asked++} of the validation tests.`), ...more });

describe('a prompt’s length', () => {
  test('is decided by the tokenizer, to the token, not by its bytes', async () => {
    const fits = await post(cluster, { model: 'gpt-4o-mini', messages: ask(hellos(MAX_INPUT_TOKENS - FRAMING)) });
    expect(fits.status).toBe(200);
    const before = provider.requests.length;
    const over = await post(cluster, { model: 'gpt-4o-mini', messages: ask(hellos(MAX_INPUT_TOKENS - FRAMING + 1)) });
    expect(refusal(over)).toEqual([400, 'context_length_exceeded', 'messages', 'invalid_request_error']);
    expect(provider.requests).toHaveLength(before);
  });

  test('is counted as the model behind a name counts, whatever the name', async () => {
    expect((await post(cluster, { model: 'house', messages: ask(hellos(MAX_INPUT_TOKENS - FRAMING)) })).status).toBe(200);
    expect((await post(cluster, { model: 'house', messages: ask(hellos(MAX_INPUT_TOKENS - FRAMING + 1)) })).status).toBe(400);
  });

  test.each<[string, string, object, string]>([
    ['responses', '/v1/responses', { model: 'gpt-4o-mini', input: hellos(MAX_INPUT_TOKENS + 1) }, 'input'],
    ['completions', '/v1/completions', { model: 'gpt-4o-mini', prompt: hellos(MAX_INPUT_TOKENS + 1) }, 'prompt'],
    ['completions of token ids', '/v1/completions', { model: 'gpt-4o-mini', prompt: Array.from({ length: MAX_INPUT_TOKENS + 1 }, () => 1) }, 'prompt'],
    ['embeddings', '/v1/embeddings', { model: 'text-embedding-3-small', input: [hellos(MAX_INPUT_TOKENS), hellos(1)] }, 'input'],
    ['moderations', '/v1/moderations', { input: [hellos(MAX_INPUT_TOKENS), hellos(1)] }, 'input'],
  ])('is bounded for %s too, and the refusal names the field', async (_, path, body, param) => {
    expect(refusal(await post(cluster, body, {}, path))).toEqual([400, 'context_length_exceeded', param, 'invalid_request_error']);
  });

  test('over a candidate’s context window goes to the fallback that has room, at the very token', async () => {
    const { headers } = await keyWith({ key: { max_input_tokens: 100_000 } });
    const last = await post(cluster, { model: 'roomy', messages: ask(hellos(GPT_4_WINDOW - 1 - FRAMING)) }, headers);
    expect([last.status, last.headers.get('x-deja-model')]).toEqual([200, 'roomy']);
    const first = await post(cluster, { model: 'roomy', messages: ask(hellos(GPT_4_WINDOW - FRAMING)) }, headers);
    expect([first.status, first.headers.get('x-deja-model')]).toEqual([200, 'gpt-4.1']);
  });

  test.each<[string, object, string]>([
    ['chat/completions', { messages: ask(hellos(GPT_4_WINDOW - FRAMING)) }, 'messages'],
    ['responses', { input: hellos(GPT_4_WINDOW) }, 'input'],
    ['completions', { prompt: hellos(GPT_4_WINDOW) }, 'prompt'],
  ])('over every candidate’s context window is refused on %s before anything is called', async (path, body, param) => {
    const { headers } = await keyWith({ key: { max_input_tokens: 100_000 } });
    const before = provider.requests.length;
    expect(refusal(await post(cluster, { model: 'gpt-4', ...body }, headers, `/v1/${path}`))).toEqual([400, 'context_length_exceeded', param, 'invalid_request_error']);
    expect(provider.requests).toHaveLength(before);
  });

  test('of a million characters without a space is counted while others are served', async () => {
    const { headers } = await keyWith({ key: { max_input_tokens: 900_000 } });
    const text = createHash('shake256', { outputLength: 500_000 }).update('no spaces').digest('hex');
    let counted = false;
    const long = post(cluster, { model: 'gpt-4.1', messages: ask(text) }, headers).finally(() => (counted = true));
    let servedMeanwhile = 0;
    do {
      expect((await post(cluster, fresh())).status).toBe(200);
      if (!counted) servedMeanwhile++;
    } while (!counted);
    expect((await long).status).toBe(200);
    expect(servedMeanwhile).toBeGreaterThan(0);
  });
});

describe('what else a request may be at most', () => {
  test('its messages', async () => {
    const many = (count: number): object => fresh({ messages: Array.from({ length: count }, () => ask('Hi')[0]) });
    expect((await post(cluster, many(20))).status).toBe(200);
    expect(refusal(await post(cluster, many(21)))).toEqual([400, 'invalid_value', 'messages', 'invalid_request_error']);
    expect(refusal(await post(cluster, { model: 'gpt-4o-mini', prompt: Array.from({ length: 21 }, () => 'Hi') }, {}, '/v1/completions'))).toEqual([400, 'invalid_value', 'prompt', 'invalid_request_error']);
  });

  test.each(['chat/completions', 'responses', 'completions', 'embeddings', 'moderations', 'images/generations', 'audio/speech', 'batches'])('its bytes, on %s', async (path) => {
    const before = provider.requests.length;
    expect(refusal(await post(cluster, fresh({ padding: 'x'.repeat(4_000_000) }), {}, `/v1/${path}`))).toEqual([413, 'request_too_large', null, 'invalid_request_error']);
    expect(provider.requests).toHaveLength(before);
  });

  test('its output: refused, or lowered to the ceiling where that is the rule, also where the client set none', async () => {
    expect(refusal(await post(cluster, fresh({ max_tokens: 1001 })))).toEqual([400, 'invalid_value', 'max_tokens', 'invalid_request_error']);
    expect(refusal(await post(cluster, fresh({ max_completion_tokens: 1001 })))).toEqual([400, 'invalid_value', 'max_completion_tokens', 'invalid_request_error']);
    // Of two names a server may obey the other one.
    for (const two of [{ max_completion_tokens: 5, max_tokens: 1001 }, { max_completion_tokens: 1001, max_tokens: 5 }, { max_completion_tokens: 5, max_tokens: 5 }]) {
      expect(refusal(await post(cluster, fresh(two)))).toEqual([400, 'invalid_value', 'max_tokens', 'invalid_request_error']);
    }
    expect(refusal(await post(cluster, { model: 'gpt-4o-mini', prompt: 'Hi', max_tokens: 5, max_completion_tokens: 1001 }, {}, '/v1/completions'))).toEqual([400, 'invalid_value', 'max_completion_tokens', 'invalid_request_error']);
    expect(refusal(await post(cluster, { model: 'gpt-4o-mini', input: 'Hi', max_output_tokens: 1001 }, {}, '/v1/responses'))).toEqual([400, 'invalid_value', 'max_output_tokens', 'invalid_request_error']);

    const { headers } = await keyWith({ tenant: { over_output: 'clamp', max_output_tokens: 100 } });
    const sent = async (path: string, body: object): Promise<object> => {
      expect((await post(cluster, body, headers, path)).status).toBe(200);
      return provider.requests.at(-1)?.body as object;
    };
    expect(await sent('/v1/chat/completions', fresh({ max_tokens: 5000 }))).toMatchObject({ max_tokens: 100 });
    expect(await sent('/v1/chat/completions', fresh())).toMatchObject({ max_completion_tokens: 100 });
    expect(await sent('/v1/chat/completions', fresh({ max_completion_tokens: 99 }))).toMatchObject({ max_completion_tokens: 99 });
    expect(await sent('/v1/responses', { model: 'gpt-4o-mini', input: 'Clamp me.', max_output_tokens: 5000 })).toMatchObject({ max_output_tokens: 100 });
    expect(await sent('/v1/completions', { model: 'gpt-4o-mini', prompt: 'Clamp me.' })).toMatchObject({ max_tokens: 100 });
  });
});

describe('whose ceilings hold', () => {
  test('a key’s go before its tenant’s, and these before everyone’s, each for itself', async () => {
    const messages = (count: number): object => fresh({ messages: Array.from({ length: count }, () => ask('Hi')[0]) });
    const { headers } = await keyWith({ tenant: { max_messages: 3, max_body_bytes: 3000 }, key: { max_messages: 5 } });
    expect((await post(cluster, messages(5), headers)).status).toBe(200);
    expect((await post(cluster, messages(6), headers)).status).toBe(400);
    expect((await post(cluster, fresh({ padding: 'x'.repeat(3000) }), headers)).status).toBe(413);
    expect((await post(cluster, fresh({ max_tokens: 1001 }), headers)).status).toBe(400);
    expect((await post(cluster, fresh({ padding: 'x'.repeat(3000) }))).status).toBe(200);
  });

  test('a change holds as soon as the gateways were told of it', async () => {
    const key = await keyWith({ key: { max_messages: 1 } });
    const two = (): object => fresh({ messages: [...ask('One'), ...ask('Two')] });
    expect((await post(cluster, two(), key.headers)).status).toBe(400);
    await admin.done('PATCH', `keys/${key.id}`, { validation: { max_messages: 2 } });
    await eventually('the new ceiling', async () => (await post(cluster, two(), key.headers)).status === 200);
  });
});

describe('the model', () => {
  const form = (fields: Record<string, string>): FormData => {
    const data = new FormData();
    for (const [name, value] of Object.entries(fields)) data.set(name, value);
    data.set('file', new Blob(['sound or picture']), 'file.bin');
    return data;
  };
  const CALLS: [path: string, body: (model: string | undefined) => FormData | string][] = [
    ...(
      [
        ['chat/completions', { messages: ask('Hi') }],
        ['responses', { input: 'Hi' }],
        ['completions', { prompt: 'Hi' }],
        ['embeddings', { input: 'Hi' }],
        ['moderations', { input: 'Hi' }],
        ['images/generations', { prompt: 'A dot' }],
        ['audio/speech', { input: 'Hi', voice: 'alloy' }],
      ] as [string, object][]
    ).map(([path, body]): (typeof CALLS)[number] => [path, (model) => JSON.stringify({ ...body, model })]),
    ...['images/edits', 'images/variations', 'audio/transcriptions', 'audio/translations'].map((path): (typeof CALLS)[number] => [path, (model) => form(model === undefined ? {} : { model })]),
  ];
  const call = async (path: string, body: FormData | string, headers: Record<string, string> = {}): Promise<unknown> => {
    const typed = typeof body === 'string' ? { 'content-type': 'application/json' } : {};
    const response = await fetch(`${cluster.url}/v1/${path}`, { method: 'POST', headers: { authorization: `Bearer ${cluster.key}`, ...typed, ...headers }, body });
    const { error } = (await response.json()) as Raw['json'];
    return [response.status, error?.code, error?.param];
  };

  test.each(CALLS)('unknown or not permitted is refused on %s, and nobody is called', async (path, body) => {
    const { headers } = await keyWith({ models: ['gpt-4.1'] });
    const before = provider.requests.length;
    expect(await call(path, body('nobody-knows-me'))).toEqual([404, 'model_not_found', 'model']);
    expect(await call(path, body('*'))).toEqual([404, 'model_not_found', 'model']);
    expect(await call(path, body(''))).toEqual([400, 'invalid_value', 'model']);
    expect(await call(path, body('gpt-4o-mini'), headers)).toEqual([403, 'model_not_allowed', 'model']);
    expect(provider.requests).toHaveLength(before);
  });

  test.each(CALLS.filter(([path]) => path !== 'moderations'))('missing is refused on %s, and nobody is called', async (path, body) => {
    const before = provider.requests.length;
    expect(await call(path, body(undefined))).toEqual([400, 'missing_required_parameter', 'model']);
    expect(provider.requests).toHaveLength(before);
  });

  test('missing is fine for moderations alone, if the key may use the one that is meant', async () => {
    expect((await post(cluster, { input: 'Hi' }, {}, '/v1/moderations')).status).toBe(200);
    const { headers } = await keyWith({ models: ['gpt-4.1'] });
    expect(refusal(await post(cluster, { input: 'Hi' }, headers, '/v1/moderations'))).toEqual([403, 'model_not_allowed', 'model', 'invalid_request_error']);
  });

  test('that an upload is for must be one that the key may use', async () => {
    const { headers } = await keyWith({ models: ['gpt-4.1'] });
    expect(await call('files', form({ purpose: 'batch' }), { 'x-deja-model': 'nobody-knows-me' })).toEqual([404, 'model_not_found', 'model']);
    expect(await call('files', form({ purpose: 'batch' }), { ...headers, 'x-deja-model': 'gpt-4' })).toEqual([403, 'model_not_allowed', 'model']);
  });

  test('is shown only to a key that may use it', async () => {
    const { headers } = await keyWith({ models: ['gpt-4.1'] });
    const get = async (path: string): Promise<{ status: number; json: Raw['json'] & { data?: { id: string }[] } }> => {
      const response = await fetch(`${cluster.url}/v1/${path}`, { headers });
      return { status: response.status, json: (await response.json()) as Raw['json'] };
    };
    expect((await get('models')).json.data?.map(({ id }) => id)).toEqual(['gpt-4.1']);
    expect((await get('models/gpt-4.1')).status).toBe(200);
    for (const name of ['gpt-4o-mini', 'nobody-knows-me']) expect(await get(`models/${name}`)).toMatchObject({ status: 404, json: { error: { code: 'model_not_found' } } });
  });
});
