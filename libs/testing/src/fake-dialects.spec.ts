import { connect } from 'node:net';
import OpenAI, { AzureOpenAI } from 'openai';
import { answer, bigStream, chunks, fakeProvider, hang, malformed, raw, status, toolCalls, unfinished, type FakeProvider } from './fake-provider.ts';

let provider: FakeProvider;
beforeEach(async () => {
  provider = await fakeProvider();
});
afterEach(() => provider.close());

const post = (path: string, body: object, headers: Record<string, string> = {}): Promise<Response> => fetch(`${provider.origin}${path}`, { method: 'POST', headers, body: JSON.stringify(body) });
const events = async (reply: Response): Promise<Record<string, any>[]> => (await reply.text()).split('\n').filter((line) => line.startsWith('data: {')).map((line) => JSON.parse(line.slice(6)) as Record<string, any>);
const messages = [{ role: 'user' as const, content: 'Hello' }];
const openai = (): OpenAI => new OpenAI({ apiKey: 'sk-sdk', baseURL: provider.url, maxRetries: 0 });

describe('other dialects', () => {
  test('Anthropic’s messages come whole and as the events of its streams', async () => {
    provider.script(answer('Salut', { usage: { promptTokens: 10, cachedTokens: 4, completionTokens: 2 } }), chunks(['Sa', 'lut']), toolCalls([{ name: 'look_up', arguments: '{"city":"Paris"}' }]));
    const whole = await (await post('/v1/messages', { model: 'claude', max_tokens: 5, messages }, { 'x-api-key': 'sk-ant' })).json();
    expect(whole).toMatchObject({ type: 'message', content: [{ type: 'text', text: 'Salut' }], stop_reason: 'end_turn', usage: { input_tokens: 6, cache_read_input_tokens: 4, output_tokens: 2 } });
    expect(provider.requests[0]?.credential).toBe('sk-ant');
    const streamed = await events(await post('/v1/messages', { stream: true, messages }));
    expect(streamed.map(({ type }) => type)).toEqual(['message_start', 'ping', 'content_block_start', 'content_block_delta', 'content_block_delta', 'content_block_stop', 'message_delta', 'message_stop']);
    const calling = await events(await post('/v1/messages', { stream: true, messages }));
    expect(calling.map(({ delta }) => delta?.partial_json ?? '').join('')).toBe('{"city":"Paris"}');
    expect(calling.at(-2)).toMatchObject({ delta: { stop_reason: 'tool_use' } });
  });

  test('Gemini’s contents come whole, as events, and as embeddings', async () => {
    const contents = [{ role: 'user', parts: [{ text: 'Hello' }] }];
    const whole = await (await post('/v1beta/models/gemini-x:generateContent', { contents }, { 'x-goog-api-key': 'g-key' })).json();
    expect(whole).toMatchObject({ candidates: [{ content: { parts: [{ text: 'You said: Hello' }], role: 'model' }, finishReason: 'STOP' }], usageMetadata: { promptTokenCount: 2 }, modelVersion: 'gemini-x' });
    expect(provider.requests[0]?.credential).toBe('g-key');
    const streamed = await events(await post('/v1beta/models/gemini-x:streamGenerateContent?alt=sse&key=in-url', { contents }));
    expect(streamed.map((chunk) => chunk['candidates'][0].content.parts[0].text as string).join('')).toBe('You said: Hello');
    expect(provider.requests[1]?.credential).toBe('in-url');
    provider.script(toolCalls([{ name: 'look_up', arguments: '{"city":"Paris"}' }]));
    expect(await (await post('/v1beta/models/g:generateContent', { contents })).json()).toMatchObject({ candidates: [{ content: { parts: [{ functionCall: { name: 'look_up', args: { city: 'Paris' } } }] } }] });
    const requests = ['a', 'b'].map((text) => ({ content: { parts: [{ text }] } }));
    expect(await (await post('/v1beta/models/e:batchEmbedContents', { requests })).json()).toMatchObject({ embeddings: [{ values: expect.any(Array) }, {}] });
  });

  test('Azure’s paths answer, and without an API version do not', async () => {
    const azure = new AzureOpenAI({ apiKey: 'az', endpoint: provider.origin, deployment: 'dep', apiVersion: '2024-10-21', maxRetries: 0 });
    expect((await azure.chat.completions.create({ model: 'm', messages })).choices[0]?.message.content).toBe('You said: Hello');
    expect((await azure.embeddings.create({ model: 'm', input: 'x' })).data).toHaveLength(1);
    expect(provider.requests.map(({ path, credential }) => [path.replace(/\?.*/, ''), credential])).toEqual([['/openai/deployments/dep/chat/completions', 'az'], ['/openai/deployments/dep/embeddings', 'az']]);
    expect(await (await post('/openai/deployments/dep/chat/completions?api-version=1', { messages })).json()).toMatchObject({ model: 'dep' });
    expect((await post('/openai/deployments/dep/chat/completions', { messages })).status).toBe(404);
    expect((await post('/openai/v1/responses', { input: 'x' })).status).toBe(200);
  });

  test.each(['/v1/messages', '/v1/responses', '/v1/completions', '/v1beta/models/g:streamGenerateContent?alt=sse'])('a stream of %s can be broken or left without its end', async (path) => {
    provider.script(unfinished(chunks(['a', 'b'])), malformed('sse', chunks(['a', 'b'])));
    const body = { stream: true, messages, input: 'x', prompt: 'x' };
    expect(await (await post(path, body)).text()).not.toMatch(/\[DONE\]|response\.completed|message_stop|"finishReason"/);
    await expect(post(path, body).then(events)).rejects.toThrow(SyntaxError);
  });
});

describe('answers that nobody scripted', () => {
  const tool = (name: string): OpenAI.Chat.ChatCompletionTool => ({
    type: 'function',
    function: { name, parameters: { type: 'object', properties: { city: { type: 'string' }, days: { type: 'integer' }, note: { type: 'string' } }, required: ['city', 'days'] } },
  });

  test('tools that the text names are called with arguments that fit, and their results are repeated', async () => {
    const ask = { model: 'm', tools: [tool('get_weather'), tool('get_time'), tool('never')] };
    const calling = await openai().chat.completions.create({ ...ask, messages: [{ role: 'user', content: 'Use get_weather and get_time.' }] });
    const calls = calling.choices[0]!.message.tool_calls!;
    expect(calls).toMatchObject([{ function: { name: 'get_weather', arguments: '{"city":"text","days":1}' } }, { function: { name: 'get_time' } }]);
    const results = calls.map(({ id }) => ({ role: 'tool' as const, tool_call_id: id, content: 'Sun.' }));
    const final = await openai().chat.completions.create({ ...ask, messages: [...messages, calling.choices[0]!.message, ...results] });
    expect(final.choices[0]?.message.content).toBe('The tools said: Sun.');
    const demanded = await openai().responses.create({ model: 'm', input: 'x', tool_choice: 'required', tools: [{ type: 'function', name: 'f', parameters: {}, strict: true }] });
    expect(demanded.output).toMatchObject([{ type: 'function_call', name: 'f' }]);
  });

  test('a schema gets JSON that fits it', async () => {
    const schema = { type: 'object', properties: { steps: { type: 'array', minItems: 2, items: { $ref: '#/$defs/step' } }, ok: { type: 'boolean' } }, required: ['steps', 'ok'], $defs: { step: { enum: ['first', 'second'] } } };
    const { choices } = await openai().chat.completions.create({ model: 'm', messages, response_format: { type: 'json_schema', json_schema: { name: 's', schema } } });
    expect(JSON.parse(choices[0]!.message.content!)).toEqual({ steps: ['first', 'first'], ok: true });
  });

  test('a wrong key, an unknown model and messages that are none are refused as OpenAI does', async () => {
    const wrong = new OpenAI({ apiKey: 'sk-invalid', baseURL: provider.url, maxRetries: 0 });
    await expect(wrong.models.list()).rejects.toBeInstanceOf(OpenAI.AuthenticationError);
    await expect(wrong.chat.completions.create({ model: 'm', messages })).rejects.toMatchObject({ status: 401, code: 'invalid_api_key' });
    await expect(openai().chat.completions.create({ model: 'no-such-model', messages })).rejects.toMatchObject({ status: 404, code: 'model_not_found' });
    await expect(openai().models.retrieve('no-such-model')).rejects.toBeInstanceOf(OpenAI.NotFoundError);
    await expect(openai().chat.completions.create({ model: 'm', messages: 'x' as never })).rejects.toMatchObject({ status: 400, param: 'messages' });
  });
});

describe('bytes', () => {
  test('raw answers are played back byte for byte, on any path, whole or piece by piece', async () => {
    const odd = Buffer.from([0, 255, 10, 13, 128]);
    provider.script(raw({ status: 418, headers: { 'x-tea': 'yes' }, contentType: 'application/odd', body: odd }), raw({ contentType: 'text/event-stream', body: ['data: a', '\n\n', odd], chunkDelayMs: 1 }));
    const whole = await post('/anything', {});
    expect([whole.status, whole.headers.get('x-tea'), whole.headers.get('content-type')]).toEqual([418, 'yes', 'application/odd']);
    expect(Buffer.from(await whole.arrayBuffer())).toEqual(odd);
    expect(Buffer.from(await (await post('/v1/messages', {})).arrayBuffer())).toEqual(Buffer.concat([Buffer.from('data: a\n\n'), odd]));
  });

  test('a step for a path is used by the next call of it, whatever its method, and by no other', async () => {
    provider.scriptPath(/^GET .*\/models$/, status(503), raw({ contentType: 'application/json', body: '{"object":"list","data":[]}' }));
    await openai().chat.completions.create({ model: 'm', messages });
    await expect(openai().models.list()).rejects.toMatchObject({ status: 503 });
    expect((await openai().models.list()).data).toEqual([]);
    expect((await openai().models.list()).data).toHaveLength(1);
  });

  test('a big stream is as long as announced, as bytes and as a well-formed chat', async () => {
    provider.script(bigStream({ bytes: 100_000, chunkBytes: 3_000 }), bigStream({ bytes: 10_000, chunkBytes: 4_000 }));
    expect((await (await post('/v1/audio/speech', {})).arrayBuffer()).byteLength).toBe(100_000);
    expect(provider.requests[0]?.sentBytes).toBe(100_000);
    const stream = openai().chat.completions.stream({ model: 'm', messages });
    expect((await stream.finalChatCompletion()).choices[0]?.message.content).toHaveLength(10_000);
  });

  test('an endless stream waits for a reader who does not read', async () => {
    provider.script(bigStream({ bytes: Infinity, chunkBytes: 65_536 }));
    const socket = connect(Number(new URL(provider.origin).port), '127.0.0.1').pause();
    socket.write('POST /v1/files/x HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n');
    let seen = -1;
    await provider.waitFor(({ requests }) => {
      const before = seen;
      seen = requests[0]?.sentBytes ?? 0;
      return seen > 0 && seen === before; // looked at twice, and no more was taken in between
    });
    expect(seen).toBeLessThan(64 * 1024 * 1024);
    const read = Promise.withResolvers<void>();
    socket.once('data', () => read.resolve()).resume();
    await read.promise;
    await provider.waitFor(({ requests }) => requests[0]!.sentBytes > seen);
    socket.destroy();
    await provider.waitFor(({ requests }) => requests[0]!.abortedAtMs !== null);
  });

  test('what is scripted counts on every endpoint: a hang in the middle of speech', async () => {
    provider.script(hang(2));
    const abort = new AbortController();
    const reply = await fetch(`${provider.url}/audio/speech`, { method: 'POST', body: JSON.stringify({ input: 'x' }), signal: abort.signal });
    await provider.waitFor(({ requests }) => requests[0]?.sentBytes === 2048);
    abort.abort();
    await expect(reply.arrayBuffer()).rejects.toThrow('abort');
  });
});
