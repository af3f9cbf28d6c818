import { createHash } from 'node:crypto';
import OpenAI, { toFile } from 'openai';
import { answer, chunks, fakeProvider, status, toolCalls, type FakeProvider } from './fake-provider.ts';

let provider: FakeProvider;
beforeEach(async () => {
  provider = await fakeProvider();
});
afterEach(() => provider.close());

const client = (apiKey = 'sk-sdk'): OpenAI => new OpenAI({ apiKey, baseURL: provider.url, maxRetries: 0 });
const all = async <T>(stream: AsyncIterable<T>): Promise<T[]> => {
  const seen: T[] = [];
  for await (const item of stream) seen.push(item);
  return seen;
};

describe('responses', () => {
  test('a response is whole or a stream of numbered, typed events that end in the same response', async () => {
    provider.script(chunks(['Pa', 'ris']), chunks(['Pa', 'ris']));
    const whole = await client().responses.create({ model: 'm', input: 'Capital?' });
    const events = await all(await client().responses.create({ model: 'm', input: 'Capital?', stream: true }));
    expect(whole.output_text).toBe('Paris');
    expect(events.map((event) => event.sequence_number)).toEqual(events.map((_, i) => i));
    expect(events.map((event) => event.type)).toEqual([
      'response.created', 'response.in_progress', 'response.output_item.added', 'response.content_part.added', 'response.output_text.delta', 'response.output_text.delta',
      'response.output_text.done', 'response.content_part.done', 'response.output_item.done', 'response.completed',
    ]);
    expect(events.at(-1)).toMatchObject({ response: { status: 'completed', output: [{ content: [{ text: 'Paris' }] }], usage: whole.usage } });
  });

  test('every event of a stream names its type in its `event:` line too', async () => {
    const reply = await fetch(`${provider.url}/responses`, { method: 'POST', body: JSON.stringify({ model: 'm', input: 'Hi', stream: true }) });
    const events = (await reply.text()).trim().split('\n\n').map((event) => /^event: (.+)\ndata: (.+)$/.exec(event)!);
    expect(events.map(([, name]) => name)).toEqual(events.map(([, , data]) => (JSON.parse(data!) as { type: string }).type));
  });

  test('calls of tools, refusals and answers that were cut short have their own items, events and states', async () => {
    provider.script(toolCalls([{ name: 'look_up', arguments: '{"city":"Paris"}', id: 'call_x' }]), { refusal: 'No.' }, answer('Too long', { finishReason: 'length' }));
    const [calling, refusing, cut] = [1, 2, 3].map(() => client().responses.stream({ model: 'm', input: 'x' }));
    expect((await calling!.finalResponse()).output).toMatchObject([{ type: 'function_call', call_id: 'call_x', arguments: '{"city":"Paris"}' }]);
    expect((await refusing!.finalResponse()).output).toMatchObject([{ content: [{ type: 'refusal', refusal: 'No.' }] }]);
    expect(await cut!.finalResponse()).toMatchObject({ status: 'incomplete', incomplete_details: { reason: 'max_output_tokens' } });
  });

  test('a stored response can be read, continued and deleted by the credential that made it, and by no other', async () => {
    const made = await client().responses.create({ model: 'm', input: [{ role: 'user', content: 'Remember me.' }] });
    expect(await client().responses.retrieve(made.id)).toMatchObject({ id: made.id, output_text: 'You said: Remember me.' });
    expect((await client().responses.inputItems.list(made.id)).data).toMatchObject([{ type: 'message', content: [{ type: 'input_text', text: 'Remember me.' }] }]);
    expect(await client().responses.create({ model: 'm', input: 'And?', previous_response_id: made.id })).toMatchObject({ previous_response_id: made.id });
    await expect(client('sk-other').responses.retrieve(made.id)).rejects.toMatchObject({ status: 404 });
    await expect(client('sk-other').responses.create({ model: 'm', input: 'x', previous_response_id: made.id })).rejects.toMatchObject({ status: 400, code: 'previous_response_not_found', param: 'previous_response_id' });
    await client().responses.delete(made.id);
    await expect(client().responses.retrieve(made.id)).rejects.toBeInstanceOf(OpenAI.NotFoundError);
  });

  test('what is not to be stored is not', async () => {
    const made = await client().responses.create({ model: 'm', input: 'x', store: false });
    await expect(client().responses.retrieve(made.id)).rejects.toMatchObject({ status: 404 });
  });

  test('a background response can be cancelled until someone looks; any other cannot', async () => {
    const [one, two, three] = [await background(), await background(), await client().responses.create({ model: 'm', input: 'x' })];
    expect(one).toMatchObject({ status: 'queued', output: [] });
    expect(await client().responses.cancel(one.id)).toMatchObject({ status: 'cancelled' });
    expect(await client().responses.retrieve(two.id)).toMatchObject({ status: 'completed', output_text: 'You said: later' });
    await expect(client().responses.cancel(three.id)).rejects.toMatchObject({ status: 400 });
    expect((await all(await client().responses.retrieve(two.id, { stream: true }))).at(-1)).toMatchObject({ type: 'response.completed' });
  });
  const background = (): Promise<OpenAI.Responses.Response> => client().responses.create({ model: 'm', input: 'later', background: true });
});

describe('texts', () => {
  test('embeddings as base64 are the same numbers as floats, in the dimensions that were asked for', async () => {
    const ask = (encoding_format: 'float' | 'base64'): Promise<OpenAI.CreateEmbeddingResponse> => client().embeddings.create({ model: 'e', input: ['one', 'two'], dimensions: 5, encoding_format });
    const floats = (await ask('float')).data.map(({ embedding }) => embedding);
    const texts = (await ask('base64')).data.map(({ embedding }) => embedding as unknown as string);
    const decoded = texts.map((text) => [...new Float32Array(new Uint8Array(Buffer.from(text, 'base64')).buffer)]);
    expect(decoded).toEqual(floats.map((vector) => vector.map(Math.fround)));
    expect(decoded.map((vector) => vector.length)).toEqual([5, 5]);
  });

  test('each list of tokens is one input', async () => {
    const count = async (input: number[] | number[][]): Promise<number> => (await client().embeddings.create({ model: 'e', input })).data.length;
    expect([await count([1, 2, 3]), await count([[1, 2], [3]])]).toEqual([1, 2]);
  });

  test('completions have `n` choices for each prompt, repeat it if asked to, and stream', async () => {
    const { choices } = await client().completions.create({ model: 'm', prompt: ['a', 'b'], n: 2, echo: true });
    expect(choices.map(({ text }) => text)).toEqual(['aYou said: b', 'aYou said: b (2)', 'bYou said: b (3)', 'bYou said: b (4)']);
    const pieces = await all(await client().completions.create({ model: 'm', prompt: 'Hello', stream: true, stream_options: { include_usage: true } }));
    expect(pieces.map((piece) => piece.choices[0]?.text ?? '').join('')).toBe('You said: Hello');
    expect(pieces.at(-1)).toMatchObject({ choices: [], usage: { prompt_tokens: 2 } });
  });

  test('chat has several choices and probabilities of tokens when they are asked for', async () => {
    const { choices } = await client().chat.completions.create({ model: 'm', messages: [{ role: 'user', content: 'Hi' }], n: 2, logprobs: true, top_logprobs: 2 });
    expect(choices.map(({ message }) => message.content)).toEqual(['You said: Hi', 'You said: Hi (2)']);
    expect(choices[0]?.logprobs?.content?.map(({ top_logprobs }) => top_logprobs.length)).toEqual([2, 2, 2]);
  });

  test('a moderation flags texts that name a category, and names all categories', async () => {
    const { model, results } = await client().moderations.create({ input: ['nice', 'a violence-test', 'a hate/threatening-test'] });
    expect(model).toBe('omni-moderation-latest');
    expect(results.map(({ flagged }) => flagged)).toEqual([false, true, true]);
    expect(results[1]?.categories).toMatchObject({ violence: true, hate: false });
    expect(results[2]?.categories).toMatchObject({ 'hate/threatening': true, hate: false, violence: false });
    expect(Object.keys(results[0]!.category_scores)).toHaveLength(13);
  });
});

describe('media', () => {
  const picture = (): Promise<File> => toFile(Buffer.from('picture'), 'p.png', { type: 'image/png' });

  test('images are made, edited and varied, with their usage', async () => {
    const images = client().images;
    expect(await images.generate({ model: 'gpt-image-1', prompt: 'A cat', n: 2 })).toMatchObject({ data: [{ b64_json: expect.any(String) }, {}], usage: { output_tokens: 544 } });
    expect((await images.edit({ image: [await picture(), await picture()], prompt: 'A hat' })).usage).toMatchObject({ input_tokens_details: { image_tokens: 388 } });
    expect((await images.createVariation({ image: await picture(), response_format: 'url' })).data?.[0]?.url).toContain('https://');
    const events = await all(await images.generate({ prompt: 'A cat', stream: true, partial_images: 1 }));
    expect(events.map(({ type }) => type)).toEqual(['image_generation.partial_image', 'image_generation.completed']);
  });

  test('speech is bytes of the wanted kind that depend on the text, or events', async () => {
    const say = (input: string): Promise<Response> => client().audio.speech.create({ model: 'tts-1', voice: 'alloy', input });
    const [one, same, other] = await Promise.all([say('one'), say('one'), say('other')].map(async (reply) => Buffer.from(await (await reply).arrayBuffer())));
    expect(one!.equals(same!)).toBe(true);
    expect(one!.equals(other!)).toBe(false);
    expect((await say('x')).headers.get('content-type')).toBe('audio/mpeg');
    const events = await (await client().audio.speech.create({ model: 'm', voice: 'alloy', input: 'x', stream_format: 'sse' })).text();
    expect(events).toContain('"type":"speech.audio.done","usage"');
  });

  test('what was said is heard as JSON, as text, as subtitles or in events', async () => {
    const file = await toFile(Buffer.alloc(100), 'speech.mp3');
    const { transcriptions, translations } = client().audio;
    expect(await transcriptions.create({ model: 'gpt-4o-transcribe', file })).toMatchObject({ text: 'Heard 100 bytes of speech.mp3.', usage: { type: 'tokens' } });
    expect(await transcriptions.create({ model: 'whisper-1', file, response_format: 'verbose_json' })).toMatchObject({ duration: 2, segments: [{ id: 0 }] });
    expect(await transcriptions.create({ model: 'whisper-1', file, response_format: 'text' })).toBe('Heard 100 bytes of speech.mp3.\n');
    expect(await translations.create({ model: 'whisper-1', file })).toEqual({ text: 'Heard 100 bytes of speech.mp3.' });
    const events = await all(await transcriptions.create({ model: 'gpt-4o-transcribe', file, stream: true }));
    expect(events.at(-1)).toMatchObject({ type: 'transcript.text.done', text: 'Heard 100 bytes of speech.mp3.' });
  });

  test('a multipart body is kept byte for byte, and its fields are read', async () => {
    await client().images.edit({ image: [await picture(), await picture()], prompt: 'Zwölf Hüte' });
    const { form, rawBody } = provider.requests[0]!;
    const file = { filename: 'p.png', contentType: 'image/png', size: 7, sha256: createHash('sha256').update('picture').digest('hex') };
    expect(form).toEqual({ 'image[]': [file, file], prompt: 'Zwölf Hüte' });
    expect(rawBody.toString()).toContain('Zwölf Hüte');
  });
});

describe('files and batches', () => {
  const upload = async (text: string, key?: string): Promise<OpenAI.FileObject> => client(key).files.create({ file: await toFile(Buffer.from(text), 'lines.jsonl'), purpose: 'batch' });

  test('files are kept byte for byte for the credential that made them, and for no other', async () => {
    const file = await upload('{"a":1}\n');
    expect(file).toMatchObject({ bytes: 8, filename: 'lines.jsonl', purpose: 'batch' });
    expect(await client().files.retrieve(file.id)).toEqual(file);
    expect(await (await client().files.content(file.id)).text()).toBe('{"a":1}\n');
    await expect(client('sk-other').files.content(file.id)).rejects.toMatchObject({ status: 404 });
    expect((await client('sk-other').files.list()).data).toEqual([]);
    expect(await client().files.delete(file.id)).toEqual({ id: file.id, object: 'file', deleted: true });
    await expect(client().files.retrieve(file.id)).rejects.toMatchObject({ status: 404 });
  });

  test('lists come in pages, newest first', async () => {
    const ids: string[] = [];
    for (const text of ['1', '2', '3']) ids.unshift((await upload(text)).id);
    const first = await client().files.list({ limit: 2 });
    expect(first).toMatchObject({ has_more: true, data: [{ id: ids[0] }, { id: ids[1] }] });
    expect((await all(client().files.list({ limit: 2 }))).map(({ id }) => id)).toEqual(ids);
    expect((await all(client().files.list({ order: 'asc', purpose: 'batch' }))).map(({ id }) => id)).toEqual(ids.toReversed());
    expect((await client().files.list({ purpose: 'vision' })).data).toEqual([]);
  });

  test('a batch answers every line of a file that its credential has', async () => {
    const line = (id: string, url: string): string => JSON.stringify({ custom_id: id, method: 'POST', url, body: { model: 'm', messages: [{ role: 'user', content: `I am ${id}` }] } });
    const file = await upload(`${line('one', '/v1/chat/completions')}\n${line('two', '/v1/nothing')}\n`);
    const ask = { input_file_id: file.id, endpoint: '/v1/chat/completions' as const, completion_window: '24h' as const };
    await expect(client('sk-other').batches.create(ask)).rejects.toMatchObject({ status: 400, param: 'input_file_id' });
    const { id } = await client().batches.create(ask);
    const done = await client().batches.retrieve(id);
    expect(done).toMatchObject({ status: 'completed', request_counts: { total: 2, completed: 1, failed: 1 } });
    const output = (await (await client().files.content(done.output_file_id!)).text()).trim().split('\n').map((text) => JSON.parse(text) as object);
    expect(output).toMatchObject([{ custom_id: 'one', response: { status_code: 200, body: { choices: [{ message: { content: 'You said: I am one' } }] } } }, { custom_id: 'two', response: { status_code: 404 } }]);
    await expect(client('sk-other').batches.retrieve(id)).rejects.toMatchObject({ status: 404 });
    await expect(client().batches.cancel(id)).rejects.toMatchObject({ status: 409 });
  });

  test('a batch can be cancelled before it is done', async () => {
    const file = await upload('');
    const { id } = await client().batches.create({ input_file_id: file.id, endpoint: '/v1/responses', completion_window: '24h' });
    expect(await client().batches.cancel(id)).toMatchObject({ status: 'cancelling' });
    expect(await client().batches.retrieve(id)).toMatchObject({ status: 'cancelled' });
    expect((await client().batches.list()).data.map((batch) => batch.id)).toEqual([id]);
  });

  test('no two providers give the same id, and looking something up takes no step of the script', async () => {
    const second = await fakeProvider();
    const one = await upload('x');
    const two = await new OpenAI({ apiKey: 'k', baseURL: second.url }).files.create({ file: await toFile(Buffer.from('x'), 'x'), purpose: 'batch' });
    expect(one.id).not.toBe(two.id);
    await second.close();
    provider.script(status(500));
    await client().files.retrieve(one.id);
    await client().files.delete(one.id);
    await expect(upload('y')).rejects.toMatchObject({ status: 500 });
  });
});
