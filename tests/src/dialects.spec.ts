import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { fakeProvider, raw, recordedEvents, recordedReply, schemaProblems, type FakeProvider, type TestCluster } from '@deja/testing';
import type OpenAI from 'openai';
import { toFile } from 'openai';
import { ask, attemptRows, operationRow, post, sdk, type Messages } from './client.ts';
import { credentialOf, dialectCluster, MODELS, upstreamName, type Model } from './dialects-cluster.ts';
import { forgottenRecordings, gistOfChat, gistOfResponse, recordedChats, recordedResponses, replay, type Recording } from './dialects-recordings.ts';

let provider: FakeProvider;
let cluster: TestCluster;
let openai: OpenAI;

beforeAll(async () => {
  provider = await fakeProvider();
  cluster = await dialectCluster(provider);
  openai = sdk(cluster);
}, 60_000);
afterEach(() => provider.reset());
afterAll(async () => {
  await cluster?.stop();
  await provider?.close();
});

const FRESH = { headers: { 'cache-control': 'no-cache' } };
const WITH_USAGE = { include_usage: true };
const WEATHER = { type: 'function', function: { name: 'weather', description: 'The weather of a place', parameters: { type: 'object', properties: { location: { type: 'string' } }, required: ['location'] } } } as const;
const cacheOf = ({ headers }: { headers: Headers }): string | null => headers.get('x-cache');
const bodyOf = (n = -1): Record<string, unknown> => provider.requests.at(n)?.body as Record<string, unknown>;

/** The row of the operation and that of its only attempt say the same. */
async function expectBilled(id: string | null, [prompt, completion]: [number, number]): Promise<void> {
  const tokens = { usage_source: 'upstream', prompt_tokens: prompt, completion_tokens: completion };
  const row = await operationRow(cluster, id);
  expect(row).toMatchObject({ status: 200, outcome: 'ok', ...tokens });
  expect(await attemptRows(cluster, row.id)).toMatchObject([{ n: 1, status: 200, outcome: 'ok', ...tokens }]);
}

const chats = recordedChats();
const isRefused = ({ gist }: Recording): boolean => gist.finish === 'content_filter';
const isTranslated = ({ model }: Recording): boolean => model === 'claude' || model === 'gemini';
const each = (recordings: Recording[]): [string, Recording][] => recordings.map((recording) => [recording.name, recording]);
const named = (recordings: Recording[], stream: boolean): [string, Recording][] => each(recordings.filter((recording) => recording.stream === stream));
const question = (what: string): { messages: Messages } => ({ messages: ask(`Replay this, please: ${what}`) });

describe('what a provider really said is what an SDK client gets', () => {
  test('every recording is replayed, but for those of APIs that deja does not speak', () => {
    expect(forgottenRecordings()).toEqual([]);
  });

  test.each(named(chats, false))('the whole reply %s gives the text, calls, finish reason and usage, and is billed as the provider counts', async (name, { model, step, gist, billed }) => {
    provider.script(step);
    const { data, response } = await openai.chat.completions.create({ model, ...question(name) }).withResponse();
    expect(gistOfChat(data)).toEqual(gist);
    await expectBilled(response.headers.get('x-request-id'), billed);
  });

  test.each(named(chats, true))('the stream %s gives the same to the SDK’s stream helper, ends with [DONE], and is billed as the provider counts', async (name, { model, step, gist, billed }) => {
    const asked = { model, ...question(name), stream: true as const, stream_options: WITH_USAGE };
    provider.script(step, step);
    const helper = openai.chat.completions.stream(asked, FRESH);
    expect(gistOfChat(await helper.finalChatCompletion())).toEqual(gist);
    await helper.done();
    const { text, headers } = await post(cluster, asked, FRESH.headers);
    expect(text.endsWith('data: [DONE]\n\n')).toBe(true);
    await expectBilled(headers.get('x-request-id'), billed);
  });

  test.each(each(chats.filter(isTranslated)))('translated, %s is what OpenAI’s description of its API demands, field for field', async (name, { model, stream, step }) => {
    provider.script(step);
    const { text, json } = await post(cluster, { model, ...question(name), stream, ...(stream && { stream_options: WITH_USAGE }) }, FRESH.headers);
    const values: unknown[] = stream ? text.split('\n\n').slice(0, -2).map((event) => JSON.parse(event.replace('data: ', '')) as unknown) : [json];
    expect(values.flatMap((value) => schemaProblems(stream ? 'CreateChatCompletionStreamResponse' : 'CreateChatCompletionResponse', value))).toEqual([]);
  });

  /** Has the recording answer once, in its own shape. */
  const first = async ({ model, stream, step }: Recording, asked: { messages: Messages }): Promise<void> => {
    provider.script(step);
    if (stream) await openai.chat.completions.stream({ model, ...asked, stream_options: WITH_USAGE }).done();
    else await openai.chat.completions.create({ model, ...asked });
  };

  test.each(each(chats.filter((chat) => !isRefused(chat))))('after %s a second identical request is answered from the cache, in both shapes', async (name, chat) => {
    const asked = { model: chat.model, ...question(`${name}, twice`) };
    await first(chat, asked);
    const { data, response } = await openai.chat.completions.create(asked).withResponse();
    expect([cacheOf(response), gistOfChat(data)]).toEqual(['HIT-EXACT', chat.gist]);
    const { headers, text } = await post(cluster, { ...asked, stream: true });
    expect([headers.get('x-cache'), text.endsWith('data: [DONE]\n\n')]).toEqual(['HIT-EXACT', true]);
    expect(gistOfChat(await openai.chat.completions.stream({ ...asked, stream_options: WITH_USAGE }).finalChatCompletion())).toEqual(chat.gist);
    expect(provider.requests).toHaveLength(1);
  });

  test.each(each(chats.filter(isRefused)))('%s is a refusal: the client is told why, and it is not kept', async (name, chat) => {
    const asked = { model: chat.model, ...question(`${name}, twice`) };
    await first(chat, asked);
    provider.script(chat.step);
    const { headers, text } = await post(cluster, { ...asked, stream: chat.stream });
    expect([headers.get('x-cache'), text]).toEqual(['MISS', expect.stringMatching(/"refusal":"This request triggered restrictions/)]);
  });

  test.each(named(recordedResponses(), false))('the recorded response %s passes as it is', async (name, { model, step, gist, billed }) => {
    provider.script(step);
    const { data, response } = await openai.responses.create({ model, input: name }).withResponse();
    expect(gistOfResponse(data)).toMatchObject(gist);
    await expectBilled(response.headers.get('x-request-id'), billed);
  });

  test.each(named(recordedResponses(), true))('the recorded stream of a response %s passes as it is', async (name, { model, step, gist, billed }) => {
    provider.script(step, step);
    expect(gistOfResponse(await openai.responses.stream({ model, input: name }, FRESH).finalResponse())).toMatchObject(gist);
    const { text, headers } = await post(cluster, { model, input: name, stream: true }, FRESH.headers, '/v1/responses');
    expect(text.trimEnd().split('\n\n').at(-1)).toMatch(/^event: response.completed\n/);
    await expectBilled(headers.get('x-request-id'), billed);
  });

  test('recorded completions, embeddings, images and transcriptions pass as they are', async () => {
    const completion = recordedReply('openai/openai-completion-text.json') as OpenAI.Completion;
    provider.script(replay('openai/openai-completion-text.json', 'openai'), replay('openai/openai-completion-text.chunks.jsonl', 'openai'));
    expect((await openai.completions.create({ model: 'gpt', prompt: 'A new holiday' })).choices).toEqual(completion.choices);
    let text = '';
    for await (const chunk of await openai.completions.create({ model: 'gpt', prompt: 'A new holiday', stream: true }, FRESH)) text += chunk.choices[0]?.text ?? '';
    const pieces = recordedEvents('openai/openai-completion-text.chunks.jsonl').map((line) => (JSON.parse(line) as OpenAI.Completion).choices[0]?.text ?? '');
    expect(text).toBe(pieces.join(''));

    provider.script(replay('openai/openai-embedding.json', 'openai'), replay('openai/openai-image.json', 'openai'));
    const { data } = recordedReply('openai/openai-embedding.json') as OpenAI.CreateEmbeddingResponse;
    expect((await openai.embeddings.create({ model: 'gpt', input: ['sunny day', 'rainy day'], encoding_format: 'float' })).data).toEqual(data);
    expect(await openai.images.generate({ model: 'gpt', prompt: 'A baby sea otter' })).toMatchObject(recordedReply('openai/openai-image.json') as object);

    const { body } = recordedReply('groq/groq-transcription-text.json') as { body: string };
    provider.script(raw({ contentType: 'text/plain; charset=UTF-8', body }));
    expect(await openai.audio.transcriptions.create({ model: 'groq', file: await toFile(Buffer.from('RIFF'), 'hello.wav'), response_format: 'text' })).toBe(body);
  });
});

describe('a provider is asked in its own words', () => {
  const PIXEL = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';
  const EVERYTHING = {
    messages: [
      { role: 'system' as const, content: 'You are terse.' },
      { role: 'user' as const, content: [{ type: 'text' as const, text: 'What is on this picture?' }, { type: 'image_url' as const, image_url: { url: `data:image/png;base64,${PIXEL}` } }] },
    ],
    tools: [WEATHER],
    tool_choice: 'auto' as const,
    stop: ['END'],
    max_completion_tokens: 50,
    temperature: 0.5,
  };
  const askEverything = async (model: Model, more: object = {}): Promise<FakeProvider['requests'][number]> => {
    expect((await post(cluster, { model, ...EVERYTHING, ...more }, FRESH.headers)).status).toBe(200);
    expect(provider.requests).toHaveLength(1);
    return provider.requests[0]!;
  };
  const { name, description, parameters } = WEATHER.function;

  test.each([false, true])('Anthropic: path, key and version in headers, a translated body; stream: %s', async (stream) => {
    const { path, headers } = await askEverything('claude', { stream });
    expect(path).toBe('/v1/messages');
    expect(headers).toMatchObject({ 'x-api-key': credentialOf('claude'), 'anthropic-version': '2023-06-01', 'content-type': 'application/json' });
    expect(headers).not.toHaveProperty('authorization');
    expect(bodyOf()).toEqual({
      model: 'claude-sonnet-4-5',
      max_tokens: 50,
      system: [{ type: 'text', text: 'You are terse.' }],
      messages: [{ role: 'user', content: [{ type: 'text', text: 'What is on this picture?' }, { type: 'image', source: { type: 'base64', media_type: 'image/png', data: PIXEL } }] }],
      tools: [{ type: 'custom', name, description, input_schema: parameters }],
      tool_choice: { type: 'auto' },
      stop_sequences: ['END'],
      temperature: 0.5,
      stream,
    });
  });

  test.each([[false, 'generateContent'], [true, 'streamGenerateContent?alt=sse']])('Gemini: the model in the path, the key in a header and never in the URL; stream: %s', async (stream, method) => {
    const { path, headers } = await askEverything('gemini', { stream });
    expect(path).toBe(`/v1beta/models/gemini-3-pro-preview:${method}`);
    expect(headers).toMatchObject({ 'x-goog-api-key': credentialOf('gemini'), 'content-type': 'application/json' });
    expect(headers).not.toHaveProperty('authorization');
    expect(bodyOf()).toEqual({
      systemInstruction: { parts: [{ text: 'You are terse.' }] },
      contents: [{ role: 'user', parts: [{ text: 'What is on this picture?' }, { inlineData: { mimeType: 'image/png', data: PIXEL } }] }],
      tools: [{ functionDeclarations: [{ name, description, parametersJsonSchema: parameters }] }],
      toolConfig: { functionCallingConfig: { mode: 'AUTO' } },
      generationConfig: { maxOutputTokens: 50, stopSequences: ['END'], temperature: 0.5 },
    });
  });

  test.each([['azure-dated', '/openai/deployments/nano-deployment/chat/completions?api-version=2024-10-21'], ['azure-v1', '/openai/v1/chat/completions']] as const)('%s: its own path, and the key as `api-key`', async (model, wanted) => {
    const { path, headers } = await askEverything(model);
    expect(path).toBe(wanted);
    expect(headers['api-key']).toBe(credentialOf(model));
    expect(headers).not.toHaveProperty('authorization');
    expect(bodyOf()).toEqual({ model: 'nano-deployment', ...EVERYTHING });
  });

  test.each(['gpt', 'mistral', 'groq', 'deepseek', 'xai'] as const)('%s: OpenAI’s path and body, with this server’s name for the ceiling and its way to usage', async (model) => {
    const { path, headers } = await askEverything(model, { stream: true });
    expect([path, headers.authorization]).toEqual(['/v1/chat/completions', `Bearer ${credentialOf(model)}`]);
    const { max_completion_tokens: ceiling, ...rest } = EVERYTHING;
    const old = model === 'mistral' || model === 'deepseek';
    const usage = model === 'mistral' ? {} : { stream_options: WITH_USAGE };
    expect(bodyOf()).toEqual({ ...rest, model: upstreamName(model), stream: true, ...(old ? { max_tokens: ceiling } : { max_completion_tokens: ceiling }), ...usage });
  });

  test.each(MODELS)('%s: a conversation goes on after a tool was called', async (model) => {
    const messages: Messages = ask('Ask weather about San Francisco.');
    const called = await openai.chat.completions.create({ model, messages, tools: [WEATHER] });
    const { message, finish_reason } = called.choices[0]!;
    expect([finish_reason, message.tool_calls?.length]).toEqual(['tool_calls', 1]);
    const result = { role: 'tool' as const, tool_call_id: message.tool_calls![0]!.id, content: 'Fog, 12 degrees.' };
    const last = await openai.chat.completions.create({ model, messages: [...messages, message, result], tools: [WEATHER] });
    expect(last.choices[0]?.message.content).toMatch(/^The tools said: /);
    expect(provider.requests.at(-1)?.rawBody.toString()).toContain('Fog, 12 degrees.');
  });

  test('the calls that providers recorded go back to them with their ids and signatures', async () => {
    const goOn = async (model: Model, recording: string): Promise<OpenAI.ChatCompletionMessageToolCall> => {
      provider.script(replay(recording, 'openai'));
      const { choices } = await openai.chat.completions.create({ model, ...question(recording), tools: [WEATHER] }, FRESH);
      const call = choices[0]!.message.tool_calls![0]!;
      await openai.chat.completions.create({ model, messages: [...ask('Go on.'), choices[0]!.message, { role: 'tool', tool_call_id: call.id, content: '{"sky":"clear"}' }] }, FRESH);
      return call;
    };
    const use = await goOn('claude', 'anthropic/anthropic-tool-no-args.json');
    expect((bodyOf()['messages'] as unknown[]).slice(1)).toEqual([
      { role: 'assistant', content: [expect.objectContaining({ type: 'text' }), { type: 'tool_use', id: use.id, name: 'updateIssueList', input: {} }] },
      { role: 'user', content: [{ type: 'tool_result', tool_use_id: use.id, content: [{ type: 'text', text: '{"sky":"clear"}' }] }] },
    ]);
    const { id } = await goOn('gemini', 'google/google-tool-call.json');
    const { candidates } = recordedReply('google/google-tool-call.json') as { candidates: { content: { parts: { thoughtSignature: string }[] } }[] };
    expect((bodyOf()['contents'] as unknown[]).slice(1)).toEqual([
      { role: 'model', parts: [{ functionCall: { id, name: 'weather', args: { location: 'San Francisco' } }, thoughtSignature: candidates[0]!.content.parts[0]!.thoughtSignature }] },
      { role: 'user', parts: [{ functionResponse: { id, name: 'weather', response: { sky: 'clear' } } }] },
    ]);
  });

  test('Gemini embeds texts one by one as vectors of length one, and each is bought once', async () => {
    const asked = { model: 'gemini-embedding', input: ['sunny day', 'rainy day'], dimensions: 4 };
    const first = await openai.embeddings.create(asked).withResponse();
    expect(provider.requests.map(({ path, headers }) => [path, headers['x-goog-api-key']])).toEqual([['/v1beta/models/gemini-embedding-001:batchEmbedContents', credentialOf('gemini')]]);
    expect(bodyOf()).toEqual({ requests: asked.input.map((text) => ({ model: 'models/gemini-embedding-001', content: { parts: [{ text }] }, outputDimensionality: 4 })) });
    expect(first.data.data.map(({ index, embedding }) => [index, embedding.length, Math.hypot(...embedding).toFixed(4)])).toEqual([[0, 4, '1.0000'], [1, 4, '1.0000']]);
    const again = await openai.embeddings.create(asked).withResponse();
    expect([cacheOf(again.response), again.data.data]).toEqual(['HIT-EXACT', first.data.data]);
  });
});

describe('the Responses API where the provider has none', () => {
  const translated = chats.filter((chat) => isTranslated(chat) && !isRefused(chat));

  test.each(named(translated, false))('%s is a valid response, whole', async (name, { model, step, gist, billed }) => {
    const asked = { model, instructions: 'You are terse.', input: name };
    provider.script(step);
    const { json, headers } = await post(cluster, asked, {}, '/v1/responses');
    expect(schemaProblems('Response', json)).toEqual([]);
    expect(gistOfResponse(json)).toEqual({ ...gist, finish: 'completed' });
    expect(bodyOf()).toMatchObject(model === 'claude' ? { system: [{ text: 'You are terse.' }] } : { systemInstruction: { parts: [{ text: 'You are terse.' }] } });
    await expectBilled(headers.get('x-request-id'), billed);
    const again = await openai.responses.create(asked).withResponse();
    expect([cacheOf(again.response), again.data.output_text]).toEqual(['HIT-EXACT', gist.text]);
  });

  test.each(named(translated, true))('%s is a stream of valid events that the SDK puts together, from the provider and from the cache', async (name, { model, step, gist, billed }) => {
    const asked = { model, input: name };
    provider.script(step, step);
    const { data: events, response } = await openai.responses.create({ ...asked, stream: true }).withResponse();
    for await (const event of events) expect(schemaProblems('ResponseStreamEvent', event)).toEqual([]);
    await expectBilled(response.headers.get('x-request-id'), billed);
    for (const options of [FRESH, {}]) {
      const final = await openai.responses.stream(asked, options).finalResponse();
      expect([gistOfResponse(final), final.output_text]).toEqual([{ ...gist, finish: 'completed' }, gist.text]);
    }
    expect(provider.requests).toHaveLength(2);
  });

  test.each(['claude', 'gemini', 'mistral'])('%s keeps nothing: previous_response_id is a 400, whether it is known or not', async (model) => {
    const { id } = await openai.responses.create({ model: 'gpt', input: `Something before ${model}.` });
    provider.reset();
    const after = (previous_response_id: string): ReturnType<typeof post> => post(cluster, { model, input: 'And now?', previous_response_id }, {}, '/v1/responses');
    expect(await after('resp_unknown')).toMatchObject({ status: 400, json: { error: { code: 'invalid_value', param: 'previous_response_id' } } });
    expect(await after(id)).toMatchObject({ status: 400, json: { error: { code: 'invalid_value', param: 'model' } } });
    expect(provider.requests).toEqual([]);
  });
});
