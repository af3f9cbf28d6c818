import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { answer, chunks, fakeProvider, raw, testCluster, toolCalls, type FakeProvider, type TestCluster } from '@deja/testing';
import OpenAI from 'openai';
import { ask, attemptRows, chat, operationRow, post, readStream, sdk, type OperationRow, type Raw } from './client.ts';
import { configUnder, githubToken, putInForce } from './content-rules.ts';

let provider: FakeProvider;
let cluster: TestCluster;

beforeAll(async () => {
  provider = await fakeProvider();
  cluster = await testCluster({ config: configUnder({}, provider), apps: ['gateway', 'router', 'usage-worker'] });
}, 60_000);
beforeEach(() => provider.reset());
afterAll(async () => {
  await cluster?.stop();
  await provider?.close();
});

const model = 'gpt-4o-mini';
const put = (rules: object): Promise<void> => putInForce(cluster, rules, provider);
const rowOf = (headers: Headers): Promise<OperationRow & { safety_flags?: string[] }> => operationRow(cluster, headers.get('x-request-id'));
/** Everything the provider was sent so far. */
const sent = (): string => provider.requests.map(({ rawBody }) => rawBody.toString('utf8')).join('\n');
const saidIn = (reply: Raw): string => (reply.json as { choices?: { message: { content: string } }[] }).choices?.[0]?.message.content ?? '';

/** A whole stream of chat chunks as the SDK reads it. */
async function streamed(content: string): Promise<{ text: string; headers: Headers }> {
  const { data, response } = await sdk(cluster).chat.completions.create({ model, messages: ask(content), stream: true }).withResponse();
  let text = '';
  for await (const chunk of data) text += chunk.choices[0]?.delta.content ?? '';
  return { text, headers: response.headers };
}

/** One thing that each kind of rule finds, and another one. */
const FOUND: [group: 'deny' | 'secrets' | 'pii', rule: string, found: string, other: string][] = [
  ['deny', 'codename', 'project nightingale', 'PROJECT  Nightingale'],
  ['secrets', 'github_token', githubToken(1), githubToken(2)],
  ['pii', 'iban', 'DE89 3704 0044 0532 0130 00', 'GB29 NWBK 6016 1331 9268 19'],
];
const rulesThat = (action: 'block' | 'redact' | 'flag'): object => ({ deny: [{ name: 'codename', pattern: String.raw`(?i)project\s{1,5}nightingale`, action }], secrets: action, pii: action });

describe('a prompt that meets a rule which blocks', () => {
  beforeAll(() => put(rulesThat('block')));

  test.each(FOUND)('(%s: %s) is refused by the rule’s name, holds nothing of the text, and reaches no provider', async (_, rule, found) => {
    for (const stream of [false, true]) {
      const reply = await post(cluster, chat(`Blocked ${String(stream)}: ${found}, what of it?`, { stream }));
      expect([reply.status, reply.json.error]).toEqual([400, { message: expect.stringContaining(rule), type: 'invalid_request_error', param: 'messages', code: 'content_policy_violation' }]);
      expect(reply.text).not.toContain(found);
      const row = await rowOf(reply.headers);
      expect(row).toMatchObject({ status: 400, outcome: 'blocked', error_code: 'content_policy_violation', usage_source: 'none', safety_flags: [rule] });
      expect(await attemptRows(cluster, row.id)).toEqual([]);
    }
    expect(provider.requests).toEqual([]);
  });

  test('is refused wherever in a request it stands, at every endpoint that models read', async () => {
    const secret = githubToken(3);
    for (const [path, body] of placesFor(secret)) {
      const reply = await post(cluster, body, {}, `/v1/${path}`);
      expect([path, reply.status, reply.json.error?.code]).toEqual([path, 400, 'content_policy_violation']);
      expect(await rowOf(reply.headers)).toMatchObject({ endpoint: path, outcome: 'blocked' });
    }
    expect(provider.requests).toEqual([]);
  });

  test('is said to stand where it stands', async () => {
    const tools = [{ type: 'function', function: { name: 'f', description: githubToken(8) } }];
    expect((await post(cluster, chat('Hello.', { tools }))).json.error).toMatchObject({ param: 'tools' });
  });

  test('is an error of the SDK’s own class, with its code', async () => {
    const refused = await sdk(cluster).chat.completions.create({ model, messages: ask(`Use ${githubToken(4)}.`) }).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(OpenAI.BadRequestError);
    expect(refused).toMatchObject({ code: 'content_policy_violation', param: 'messages' });
  });
});

describe('a prompt that meets a rule which redacts', () => {
  beforeAll(() => put(rulesThat('redact')));

  test.each(FOUND)('(%s: %s) is seen without it by the provider, the cache and the answer', async (_, rule, found, other) => {
    const first = await post(cluster, chat(`What about ${found} then?`));
    const second = await post(cluster, chat(`What about ${other} then?`));
    const third = await streamed(`What about ${found} in a stream?`);
    const fourth = await streamed(`What about ${other} in a stream?`);
    expect([first, second, third, fourth].map(({ headers }) => headers.get('x-cache'))).toEqual(['MISS', 'HIT-EXACT', 'MISS', 'HIT-EXACT']);
    expect([saidIn(first), saidIn(second), third.text, fourth.text]).toEqual([...Array(2).fill(`You said: What about [redacted:${rule}] then?`), ...Array(2).fill(`You said: What about [redacted:${rule}] in a stream?`)]);
    expect(provider.requests).toHaveLength(2);
    expect(sent()).toContain(`[redacted:${rule}]`);
    expect(sent()).not.toContain(found);
    expect(await rowOf(first.headers)).toMatchObject({ status: 200, outcome: 'ok', safety_flags: [rule] });
    expect(await rowOf(second.headers)).toMatchObject({ cache: 'HIT-EXACT', safety_flags: [rule] });
  });

  test('is redacted wherever in a request it stands, at every endpoint that models read', async () => {
    const secret = githubToken(5);
    for (const [path, body] of placesFor(secret)) {
      const reply = await post(cluster, body, {}, `/v1/${path}`);
      expect([path, reply.status]).toEqual([path, 200]);
      expect(provider.requests.at(-1)?.rawBody.toString()).toContain('[redacted:github_token]');
      expect(await rowOf(reply.headers)).toMatchObject({ endpoint: path, outcome: 'ok', safety_flags: ['github_token'] });
    }
    expect(sent()).not.toContain(secret);
  });

  test('leaves everything else in the body as it was, down to the digits', async () => {
    const body = `{"model":"${model}", "seed": 9007199254740993, "x_own" :[1.50] ,"messages":[{"role":"user","content":"Mail ann@example.com or not"}]}`;
    expect((await post(cluster, body)).status).toBe(200);
    expect(sent()).toContain('"seed": 9007199254740993, "x_own" :[1.50] ,');
    expect(sent()).toContain('Mail [redacted:email] or not');
  });

  test('of a form is redacted on its way, whatever comes before it', async () => {
    const image = await OpenAI.toFile(Buffer.alloc(200_000, 7), 'a.png', { type: 'image/png' });
    await sdk(cluster).images.edit({ model: 'gpt-image-1', image, prompt: `A cat named ${githubToken(6)}` });
    expect(provider.requests[0]?.form).toMatchObject({ prompt: 'A cat named [redacted:github_token]', image: { size: 200_000 } });
  });
});

describe('a prompt that meets a rule', () => {
  test('which flags goes on as it is, and the ledger names the rule', async () => {
    await put(rulesThat('flag'));
    for (const [, rule, found] of FOUND) {
      const reply = await post(cluster, chat(`Flagged: ${found} it is.`));
      expect(saidIn(reply)).toBe(`You said: Flagged: ${found} it is.`);
      expect(await rowOf(reply.headers)).toMatchObject({ outcome: 'ok', safety_flags: [rule] });
    }
  });

  test('that is off is no concern of anybody’s', async () => {
    await put({ secrets: 'off', pii: { prompts: 'off', answers: 'off' } });
    for (const [, , found] of FOUND) {
      const reply = await post(cluster, chat(`Let through: ${found} it is.`));
      expect(saidIn(reply)).toBe(`You said: Let through: ${found} it is.`);
      expect(await rowOf(reply.headers)).toMatchObject({ outcome: 'ok', safety_flags: [] });
    }
  });
});

describe('an answer that meets a rule', () => {
  const secret = githubToken(7);
  beforeAll(() => put({ secrets: { answers: 'redact' }, deny: [{ name: 'spoiler', pattern: 'the butler did it', on: 'answers' }] }));

  test('which redacts comes without it, whole or in a stream, however the stream is cut', async () => {
    provider.script(answer(`Your token is ${secret}. Keep it.`));
    const whole = await post(cluster, chat('What is my token? Whole.'));
    expect(saidIn(whole)).toBe('Your token is [redacted:github_token]. Keep it.');
    expect(await rowOf(whole.headers)).toMatchObject({ outcome: 'ok', safety_flags: ['github_token'] });

    for (const cutAt of [1, 5, 39]) {
      provider.script(chunks(['Your token is ', secret.slice(0, cutAt), secret.slice(cutAt), '. Keep', ' it.']));
      expect((await streamed(`What is my token? Cut at ${cutAt}.`)).text).toBe('Your token is [redacted:github_token]. Keep it.');
    }
    expect((await post(cluster, chat('What is my token? Cut at 5.'))).headers.get('x-cache')).toBe('HIT-EXACT');
    expect(saidIn(await post(cluster, chat('What is my token? Cut at 5.')))).toBe('Your token is [redacted:github_token]. Keep it.');
  });

  test('which redacts comes without it where the model calls a tool', async () => {
    const call = (): void => provider.script(toolCalls([{ name: 'login', arguments: JSON.stringify({ token: secret, user: 'ann' }) }]));
    const expected = JSON.stringify({ token: '[redacted:github_token]', user: 'ann' });
    const openai = sdk(cluster);
    const tools: OpenAI.Chat.ChatCompletionTool[] = [{ type: 'function', function: { name: 'login', parameters: { type: 'object', properties: {} } } }];
    const asked = (content: string): OpenAI.Chat.ChatCompletionCreateParamsNonStreaming => ({ model, messages: ask(content), tools });
    call();
    const whole = await openai.chat.completions.create(asked('Log in, whole.'));
    call();
    const built = await openai.chat.completions.stream({ ...asked('Log in, streamed.'), stream: true }).finalChatCompletion();
    for (const { choices } of [whole, built]) expect(choices[0]).toMatchObject({ finish_reason: 'tool_calls', message: { tool_calls: [{ function: { name: 'login', arguments: expected } }] } });
    call();
    const response = await openai.responses.stream({ model, input: 'Log in.', tools: [{ type: 'function', name: 'login', parameters: { type: 'object', properties: {} }, strict: false }] }).finalResponse();
    expect(response.output).toMatchObject([{ type: 'function_call', arguments: expected }]);
  });

  test('which blocks is refused whole; its tokens are billed, and nobody gets it from a cache', async () => {
    for (const [content, stream] of [['Who did it? Whole.', false], ['Who did it? Streamed.', true]] as const) {
      provider.script(answer('In the end the butler did it, as ever.'));
      const reply = await post(cluster, chat(content, { stream }));
      expect([reply.status, reply.json.error?.code, reply.json.error?.message]).toEqual([400, 'content_policy_violation', 'The answer was blocked by the content rule spoiler.']);
      const row = await rowOf(reply.headers);
      expect(row).toMatchObject({ status: 400, outcome: 'blocked', cache: 'MISS', safety_flags: ['spoiler'], usage_source: stream ? 'estimated' : 'upstream' });
      expect([row.prompt_tokens, row.completion_tokens, Number(row.cost_nano_usd)].every((figure) => Number(figure) > 0)).toBe(true);
      const again = await post(cluster, chat(content));
      expect([again.headers.get('x-cache'), saidIn(again)]).toEqual(['MISS', `You said: ${content}`]);
    }
  });

  test('which blocks ends a stream that had begun with an error event, not with [DONE]', async () => {
    const begun = Promise.withResolvers<void>();
    provider.script(chunks(['It was a dark and stormy night at the old manor house. ', 'In the end the butler ', 'did it. ', 'Good night.'], { gate: (chunk) => (chunk === 2 ? begun.promise : undefined) }));
    const reply = await readStream(cluster, chat('Tell the whole story, please.', { stream: true }), (text) => text.includes('stormy night') && begun.resolve());
    const events = reply.text.trim().split('\n\n');
    expect(reply.status).toBe(200);
    expect(reply.text).toContain('stormy night');
    expect(reply.text).not.toMatch(/butler|\[DONE\]/);
    expect(JSON.parse(events.at(-1)!.replace('data: ', ''))).toMatchObject({ error: { code: 'content_policy_violation', message: expect.stringContaining('spoiler') } });
    const row = await rowOf(reply.headers);
    expect(row).toMatchObject({ status: 200, outcome: 'blocked', safety_flags: ['spoiler'] });
    expect(row.completion_tokens).toBeGreaterThan(15);
    expect((await post(cluster, chat('Tell the whole story, please.'))).headers.get('x-cache')).toBe('MISS');
  });

  test('in a native stream of the responses API is told anew, in events that all agree', async () => {
    provider.script(chunks(['Your token is ', secret.slice(0, 9), secret.slice(9), '.']));
    const { data, response } = await sdk(cluster).responses.create({ model, input: 'My token?', stream: true }).withResponse();
    const events: OpenAI.Responses.ResponseStreamEvent[] = [];
    for await (const event of data) events.push(event);
    expect(provider.requests[0]?.path).toBe('/v1/responses');
    expect(events.map(({ sequence_number }) => sequence_number)).toEqual(events.map((_, i) => i));
    expect(events.flatMap((event) => (event.type === 'response.output_text.delta' ? event.delta : [])).join('')).toBe('Your token is [redacted:github_token].');
    const last = events.at(-1);
    expect(last?.type === 'response.completed' && last.response.output).toMatchObject([{ content: [{ text: 'Your token is [redacted:github_token].' }] }]);
    expect(JSON.stringify(events)).not.toContain(secret.slice(9));

    // What the provider has stored is held to the same rules when it is fetched.
    const id = last?.type === 'response.completed' ? last.response.id : '';
    expect((await sdk(cluster).responses.retrieve(id)).output_text).toBe('Your token is [redacted:github_token].');
    let again = '';
    for await (const event of await sdk(cluster).responses.retrieve(id, { stream: true })) again += JSON.stringify(event);
    expect(again).toContain('[redacted:github_token]');
    expect(again).not.toContain(secret.slice(9));
    expect(await rowOf(response.headers)).toMatchObject({ endpoint: 'responses', outcome: 'ok', safety_flags: ['github_token'], usage_source: 'upstream' });
  });

  test('comes whole where the stream stops without saying why', async () => {
    provider.script(raw({ contentType: 'text/event-stream', body: [secret.slice(0, 9), secret.slice(9)].map((content) => `data: ${JSON.stringify({ id: 'c', object: 'chat.completion.chunk', created: 1, model, choices: [{ index: 0, delta: { content } }] })}\n\n`).join('') + 'data: [DONE]\n\n' }));
    expect((await streamed('And without an end?')).text).toBe('[redacted:github_token]');
  });

  test('is treated in what was heard in a recording, whole and in a stream', async () => {
    const { transcriptions, translations } = sdk(cluster).audio;
    const file = await OpenAI.toFile(Buffer.from('RIFF'), 'a.wav');
    const heard = (): void => provider.script(chunks(['It is ', secret.slice(0, 9), secret.slice(9), '.']));
    const expected = 'It is [redacted:github_token].';
    heard();
    const { data, response } = await transcriptions.create({ model: 'whisper-1', file, response_format: 'verbose_json' }).withResponse();
    expect(data).toMatchObject({ text: expected, segments: [] });
    expect(await rowOf(response.headers)).toMatchObject({ endpoint: 'audio/transcriptions', outcome: 'ok', safety_flags: ['github_token'] });
    heard();
    expect(await translations.create({ model: 'whisper-1', file, response_format: 'text' })).toBe(`${expected}\n`);
    heard();
    const events: object[] = [];
    for await (const event of await transcriptions.create({ model: 'gpt-4o-transcribe', file, stream: true })) events.push(event);
    expect(events).toMatchObject([{ type: 'transcript.text.done', text: expected }]);
    provider.script(answer('In the end the butler did it.'));
    expect(await transcriptions.create({ model: 'whisper-1', file }).catch((error: unknown) => error)).toMatchObject({ status: 400, code: 'content_policy_violation' });
  });

  test('of legacy completions is treated alike, whole and in a stream', async () => {
    const openai = sdk(cluster);
    provider.script(answer(`It is ${secret}, I think.`), chunks(['It is ', secret.slice(0, 20), secret.slice(20), ', I think.']));
    const whole = await openai.completions.create({ model: 'gpt-3.5-turbo-instruct', prompt: 'The token, whole' });
    let text = '';
    for await (const chunk of await openai.completions.create({ model: 'gpt-3.5-turbo-instruct', prompt: 'The token, streamed', stream: true })) text += chunk.choices[0]?.text ?? '';
    expect([whole.choices[0]?.text, text]).toEqual(Array(2).fill('It is [redacted:github_token], I think.'));
  });

  test('is not served from an entry that was kept under other rules', async () => {
    provider.script(answer(`Once more: ${secret}.`), answer(`Once more: ${secret}.`));
    const asked = chat('Say the token once more.');
    expect([(await post(cluster, asked)).headers.get('x-cache'), (await post(cluster, asked)).headers.get('x-cache')]).toEqual(['MISS', 'HIT-EXACT']);
    await put({ secrets: { answers: 'flag' } });
    const under = await post(cluster, asked);
    expect([under.headers.get('x-cache'), saidIn(under)]).toEqual(['MISS', `Once more: ${secret}.`]);
    // Rules for prompts change no answer: what was kept stays good.
    await put({ secrets: { prompts: 'block', answers: 'flag' } });
    expect((await post(cluster, asked)).headers.get('x-cache')).toBe('HIT-EXACT');
  });
});

/** Requests that hold the secret once, each in another place. */
function placesFor(secret: string): [path: string, body: object][] {
  const text = `Remember ${secret} for me.`;
  const call = { id: 'call_1', type: 'function', function: { name: 'login', arguments: JSON.stringify({ token: secret }) } };
  const asked = { role: 'user', content: 'Log in.' };
  return [
    ['chat/completions', { model, messages: [{ role: 'user', content: [{ type: 'text', text: 'First part.' }, { type: 'text', text }] }] }],
    ['chat/completions', { model, messages: [{ role: 'system', content: text }, asked] }],
    ['chat/completions', { model, messages: [asked], tools: [{ type: 'function', function: { name: 'login', description: text, parameters: { type: 'object', properties: {} } } }] }],
    ['chat/completions', { model, messages: [asked], response_format: { type: 'json_schema', json_schema: { name: 'n', schema: { type: 'object', properties: { id: { type: 'string', description: text } } } } } }],
    ['chat/completions', { model, messages: [asked], prediction: { type: 'content', content: text } }],
    ['chat/completions', { model, messages: [asked], x_own: { note: text } }],
    ['chat/completions', { model, messages: [asked, { role: 'assistant', content: null, tool_calls: [{ ...call, function: { name: 'login', arguments: call.function.arguments.replace('ghp', '\\u0067hp') } }] }, { role: 'tool', tool_call_id: 'call_1', content: 'ok' }] }],
    ['chat/completions', { model, messages: [asked, { role: 'assistant', content: null, tool_calls: [call] }, { role: 'tool', tool_call_id: 'call_1', content: 'ok' }] }],
    ['chat/completions', { model, messages: [asked, { role: 'assistant', content: null, tool_calls: [{ ...call, function: { name: 'login', arguments: '{}' } }] }, { role: 'tool', tool_call_id: 'call_1', content: `{"token":"${secret}"}` }] }],
    ['responses', { model, input: text }],
    ['responses', { model, input: 'Hello.', instructions: text }],
    ['responses', { model, input: [{ role: 'user', content: [{ type: 'input_text', text }] }] }],
    ['responses', { model, input: [asked, { type: 'function_call', call_id: 'c', name: 'f', arguments: '{}' }, { type: 'function_call_output', call_id: 'c', output: text }] }],
    ['completions', { model: 'gpt-3.5-turbo-instruct', prompt: ['Fine.', text] }],
    ['embeddings', { model: 'text-embedding-3-small', input: ['Fine.', text] }],
    ['images/generations', { model: 'gpt-image-1', prompt: text }],
    ['audio/speech', { model: 'tts-1', voice: 'alloy', input: text }],
  ];
}
