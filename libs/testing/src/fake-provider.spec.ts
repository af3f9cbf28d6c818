import OpenAI from 'openai';
import { answer, chunks, cut, fakeProvider, hang, malformed, status, toolCalls, unfinished, type FakeProvider } from './fake-provider.ts';

let provider: FakeProvider;
beforeEach(async () => {
  provider = await fakeProvider();
});
afterEach(() => provider.close());

const ask = (body: object, key = 'sk-one', signal?: AbortSignal): Promise<Response> =>
  fetch(`${provider.url}/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'm', messages: [{ role: 'user', content: 'Hello' }], ...body }),
    ...(signal && { signal }),
  });
const client = (): OpenAI => new OpenAI({ apiKey: 'sk-sdk', baseURL: provider.url, maxRetries: 0 });

test('the official SDK understands a whole answer, a stream, tool calls and embeddings', async () => {
  provider.script(answer('Paris it is.'), chunks(['Pa', 'ris']), toolCalls([{ name: 'look_up', arguments: '{"city":"Paris"}' }]));
  const messages = [{ role: 'user' as const, content: 'Capital of France?' }];
  const reply = await client().chat.completions.create({ model: 'gpt-x', messages });
  expect(reply.choices[0]?.message.content).toBe('Paris it is.');
  expect(reply.model).toBe('gpt-x');
  expect(reply.usage).toMatchObject({ prompt_tokens: 5, completion_tokens: 3, total_tokens: 8 });

  const deltas: string[] = [];
  let total: number | undefined;
  for await (const chunk of await client().chat.completions.create({ model: 'gpt-x', messages, stream: true, stream_options: { include_usage: true } })) {
    deltas.push(chunk.choices[0]?.delta.content ?? '');
    total = chunk.usage?.total_tokens ?? total;
  }
  expect(total).toBe(7);
  expect(deltas.filter(Boolean)).toEqual(['Pa', 'ris']);

  const calling = await client().chat.completions.create({ model: 'gpt-x', messages });
  expect(calling.choices[0]).toMatchObject({ finish_reason: 'tool_calls', message: { content: null, tool_calls: [{ function: { name: 'look_up', arguments: '{"city":"Paris"}' } }] } });

  const { data } = await client().embeddings.create({ model: 'e', input: ['ab', 'ba', 'ab'], encoding_format: 'float' });
  expect(data[0]?.embedding).toEqual(data[2]?.embedding);
  expect(data[0]?.embedding).not.toEqual(data[1]?.embedding);
});

test('the usage chunk comes only when it was asked for', async () => {
  expect(await (await ask({ stream: true })).text()).not.toContain('usage');
  expect(await (await ask({ stream: true, stream_options: { include_usage: true } })).text()).toContain('"prompt_tokens":2');
});

test('every request is recorded byte for byte, with its credential', async () => {
  await ask({ seed: 1 });
  await ask({}, 'sk-two');
  expect(provider.requests.map((r) => r.credential)).toEqual(['sk-one', 'sk-two']);
  expect(provider.requests[0]?.rawBody.toString()).toBe('{"model":"m","messages":[{"role":"user","content":"Hello"}],"seed":1}');
  expect(provider.requests[0]?.body).toMatchObject({ seed: 1 });
});

test('scripts of one credential are used by that one alone, and before the common script', async () => {
  provider.script(answer('common'));
  provider.scriptFor('sk-two', status(401), (request) => answer(`${request.credential} asked`));
  expect((await ask({}, 'sk-two')).status).toBe(401);
  expect(await (await ask({}, 'sk-two')).text()).toContain('sk-two asked');
  expect(await (await ask({})).text()).toContain('common');
  expect(await (await ask({})).text()).toContain('You said: Hello');
});

test('a status comes with its headers and an error in OpenAI’s shape', async () => {
  provider.script(status(429, { 'retry-after': '7' }));
  const reply = await ask({});
  expect(reply.status).toBe(429);
  expect(reply.headers.get('retry-after')).toBe('7');
  expect(await reply.json()).toMatchObject({ error: { type: 'requests' } });
});

test('a cut stream delivers what came before the cut, and no end', async () => {
  provider.script(cut(2, chunks(['a', 'b', 'c'])));
  const reader = (await ask({ stream: true })).body!.getReader();
  let text = '';
  await expect(
    (async () => {
      for (;;) {
        const { done, value } = await reader.read();
        if (done) return;
        text += Buffer.from(value).toString();
      }
    })(),
  ).rejects.toThrow('terminated');
  expect(text).toContain('"content":"b"');
  expect(text).not.toContain('"content":"c"');
  expect(provider.requests[0]?.abortedAtMs).toBeNull();
});

test.each([false, true])('it knows when a client gives up on an answer that hangs (stream: %s)', async (stream) => {
  provider.script(hang(stream ? 1 : 0));
  const abort = new AbortController();
  const asking = ask({ stream }, 'sk-one', abort.signal).then((reply) => reply.text());
  asking.catch(() => undefined);
  await provider.waitFor((p) => p.requests[0]?.body !== undefined && p.inFlight === 1);
  abort.abort();
  await expect(asking).rejects.toThrow('abort');
  await provider.waitFor((p) => typeof p.requests[0]?.abortedAtMs === 'number');
  expect(provider.inFlight).toBe(0);
});

test('a gate holds a stream exactly where the test wants', async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  provider.script(chunks(['a', 'b'], { gate: (i) => (i === 1 ? promise : undefined) }));
  const reader = (await ask({ stream: true })).body!.getReader();
  let text = '';
  while (!text.includes('"content":"a"')) text += Buffer.from((await reader.read()).value!).toString();
  expect(text).not.toContain('"content":"b"');
  resolve();
  for (let next = await reader.read(); !next.done; next = await reader.read()) text += Buffer.from(next.value).toString();
  expect(text).toContain('[DONE]');
});

test('broken replies are broken as announced', async () => {
  provider.script(malformed('json'), malformed('sse'), unfinished(), cut());
  await expect((await ask({})).json()).rejects.toThrow('JSON');
  const lines = (await (await ask({ stream: true })).text()).split('\n').filter((line) => line.startsWith('data: {'));
  expect(() => lines.map((line) => JSON.parse(line.slice(6)) as unknown)).toThrow(SyntaxError);
  const unended = await (await ask({ stream: true })).text();
  expect(unended).toContain('finish_reason":"stop"');
  expect(unended).not.toContain('[DONE]');
  await expect(ask({})).rejects.toThrow('fetch failed');
});

test('a condition that does not come is an error that names what was seen', async () => {
  await ask({});
  await expect(provider.waitFor(() => false, 30)).rejects.toThrow('POST /v1/chat/completions');
});

test('the fast answer has the form of a scripted one', async () => {
  const fast = await fakeProvider({ fastAnswer: answer('Fast it is.', { usage: { promptTokens: 10 } }) });
  const openai = new OpenAI({ apiKey: 'k', baseURL: fast.url, maxRetries: 0 });
  const messages = [{ role: 'user' as const, content: 'Hi' }];
  const reply = await openai.chat.completions.create({ model: 'm', messages });
  expect(reply.choices[0]?.message.content).toBe('Fast it is.');
  const stream = await openai.chat.completions.create({ model: 'm', messages, stream: true, stream_options: { include_usage: true } });
  let text = '';
  let promptTokens = 0;
  for await (const chunk of stream) {
    text += chunk.choices[0]?.delta.content ?? '';
    promptTokens = chunk.usage?.prompt_tokens ?? promptTokens;
  }
  expect({ text, promptTokens }).toEqual({ text: 'Fast it is.', promptTokens: 10 });
  await fast.close();
});
