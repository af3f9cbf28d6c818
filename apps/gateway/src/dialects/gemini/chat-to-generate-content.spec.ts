import fc from 'fast-check';
import type { ChatBody, ChatMessage } from '../../chat/chat-request.ts';
import type { TranslationContext } from '../dialect.ts';
import { NO_SIGNATURE } from './chat-to-generate-content.ts';
import { gemini } from './gemini.ts';
import type { Content, Part } from './generate-content.ts';

const context: TranslationContext = { upstreamModel: 'gemini-2.5-flash', stream: false, maxOutputTokens: null, createdS: 0 };
const user: ChatMessage = { role: 'user', content: 'Hi' };

interface Request {
  contents: Content[];
  systemInstruction?: { parts: Part[] };
  tools?: { functionDeclarations: { name: string }[] }[];
  toolConfig?: { functionCallingConfig: object };
  generationConfig?: Record<string, unknown>;
  serviceTier?: string;
}

function translated(fields: Partial<ChatBody>, model = context.upstreamModel, maxOutputTokens: number | null = null): Request & { dropped: string[] } {
  const call = gemini(null).request({ model: 'g', messages: [user], ...fields }, { ...context, upstreamModel: model, maxOutputTokens });
  return { ...(JSON.parse(call.body) as Request), dropped: call.dropped };
}
const contents = (messages: ChatMessage[], model?: string): Content[] => translated({ messages }, model).contents;

const looking = (part: { type: string; [field: string]: unknown }): ReturnType<typeof translated> => translated({ messages: [{ role: 'user', content: [{ type: 'text', text: 'Look' }, part] }] });

const weather = { type: 'function', function: { name: 'weather', description: 'Weather', parameters: { type: 'object', properties: { city: { type: 'string' } } } } };
const call = (id: string, name: string, args: string, signature?: string): Record<string, unknown> => ({
  id, type: 'function', function: { name, arguments: args }, ...(signature !== undefined && { extra_content: { google: { thought_signature: signature } } }),
});

test('a plain question is a plain question', () => {
  expect(translated({})).toEqual({ contents: [{ role: 'user', parts: [{ text: 'Hi' }] }], dropped: [] });
});

test('system and developer messages become the system instruction, wherever they stand', () => {
  const request = translated({ messages: [{ role: 'system', content: 'Be brief.' }, user, { role: 'developer', content: [{ type: 'text', text: 'In French.' }] }] });
  expect(request.systemInstruction).toEqual({ parts: [{ text: 'Be brief.' }, { text: 'In French.' }] });
  expect(request.contents).toEqual([{ role: 'user', parts: [{ text: 'Hi' }] }]);
});

test('a conversation of instructions alone is asked as the user, and one that the assistant begins gets a user first', () => {
  expect(translated({ messages: [{ role: 'system', content: 'Greet.' }] })).toEqual({ contents: [{ role: 'user', parts: [{ text: 'Greet.' }] }], dropped: [] });
  expect(contents([{ role: 'assistant', content: 'Hello' }, user]).map(({ role }) => role)).toEqual(['user', 'model', 'user']);
});

test('neighbours of one role become one turn, and messages that say nothing none', () => {
  const messages: ChatMessage[] = [user, { role: 'user', content: [{ type: 'text', text: 'there' }] }, { role: 'assistant', content: null }, { role: 'assistant', content: '' }, user];
  expect(contents(messages)).toEqual([{ role: 'user', parts: [{ text: 'Hi' }, { text: 'there' }, { text: 'Hi' }] }]);
});

test.each([
  [{ type: 'image_url', image_url: { url: 'data:image/png;base64,AAAA' } }, { inlineData: { mimeType: 'image/png', data: 'AAAA' } }],
  [{ type: 'image_url', image_url: { url: 'data:;base64,AAAA' } }, { inlineData: { mimeType: 'image/jpeg', data: 'AAAA' } }],
  [{ type: 'image_url', image_url: { url: 'data:image/svg+xml,%3Csvg%2F%3E' } }, { inlineData: { mimeType: 'image/svg+xml', data: 'PHN2Zy8+' } }],
  [{ type: 'image_url', image_url: { url: 'https://a.example/cat.PNG?size=2' } }, { fileData: { mimeType: 'image/png', fileUri: 'https://a.example/cat.PNG?size=2' } }],
  [{ type: 'image_url', image_url: { url: 'https://a.example/cat' } }, { fileData: { mimeType: 'image/jpeg', fileUri: 'https://a.example/cat' } }],
  [{ type: 'video_url', video_url: { url: 'https://a.example/v' } }, { fileData: { mimeType: 'video/mp4', fileUri: 'https://a.example/v' } }],
  [{ type: 'input_audio', input_audio: { data: 'AAAA', format: 'mp3' } }, { inlineData: { mimeType: 'audio/mp3', data: 'AAAA' } }],
  [{ type: 'file', file: { filename: 'a.pdf', file_data: 'data:application/pdf;base64,AAAA' } }, { inlineData: { mimeType: 'application/pdf', data: 'AAAA' } }],
  [{ type: 'file', file: { filename: 'a.csv', file_data: 'AAAA' } }, { inlineData: { mimeType: 'text/csv', data: 'AAAA' } }],
])('the part %j goes along', (part, expected) => {
  expect(looking(part)).toEqual({ contents: [{ role: 'user', parts: [{ text: 'Look' }, expected] }], dropped: [] });
});

test.each([
  { type: 'file', file: { file_id: 'file-1' } },
  { type: 'image_url', image_url: { url: 'file:///a.png' } },
  { type: 'image_url', image_url: { url: 'data:,%' } },
  { type: 'unheard_of' },
])('the part %j cannot be given to Gemini and is listed as left out', (part) => {
  expect(looking(part)).toMatchObject({ contents: [{ parts: [{ text: 'Look' }] }], dropped: ['messages[0].content[1]'] });
});

test('calls and their results keep names, ids and order, and the results of one step are one turn', () => {
  const messages: ChatMessage[] = [
    user,
    { role: 'assistant', content: 'Looking.', tool_calls: [call('a', 'weather', '{"city":"Paris"}', 'S1'), call('b', 'now', '')] },
    { role: 'tool', tool_call_id: 'b', content: 'noon' },
    { role: 'tool', tool_call_id: 'a', content: '{"degrees":20}' },
    { role: 'user', content: 'And?' },
  ];
  expect(contents(messages, 'gemini-3-pro-preview').slice(1)).toEqual([
    {
      role: 'model',
      parts: [
        { text: 'Looking.' },
        { functionCall: { id: 'a', name: 'weather', args: { city: 'Paris' } }, thoughtSignature: 'S1' },
        { functionCall: { id: 'b', name: 'now', args: {} } },
      ],
    },
    {
      role: 'user',
      parts: [{ functionResponse: { id: 'b', name: 'now', response: { result: 'noon' } } }, { functionResponse: { id: 'a', name: 'weather', response: { degrees: 20 } } }],
    },
    { role: 'user', parts: [{ text: 'And?' }] },
  ]);
});

test.each([
  ['20', { result: '20' }],
  ['[1,2]', { result: '[1,2]' }],
  ['{"id":12345678901234567890}', { result: '{"id":12345678901234567890}' }],
  ['{"a":[{"b":0.5}]}', { a: [{ b: 0.5 }] }],
  [[{ type: 'text' as const, text: 'one' }, { type: 'text' as const, text: 'two' }], { result: 'one\ntwo' }],
  ['', { result: '' }],
])('the result %j arrives whole', (content, response) => {
  expect(contents([user, { role: 'tool', tool_call_id: 'x', content }])[1]?.parts).toEqual([{ functionResponse: { id: 'x', name: 'function', response } }]);
});

test.each([
  ['gemini-3-flash-preview', NO_SIGNATURE],
  ['gemini-flash-latest', NO_SIGNATURE],
  ['gemini-2.5-flash', undefined],
])('%s gets %j for the first call of a step that has no signature, and for no other', (model, signature) => {
  const turn = contents([user, { role: 'assistant', content: null, tool_calls: [call('a', 'f', '{}'), call('b', 'f', '{}')] }], model)[1];
  expect(turn?.parts.map((part) => part.thoughtSignature)).toEqual([signature, undefined]);
});

test("the signature of a text goes back with the text's last part", () => {
  const message: ChatMessage = { role: 'assistant', content: 'Three.', extra_content: { google: { thought_signature: 'S' } } };
  expect(contents([user, message])[1]?.parts).toEqual([{ text: 'Three.', thoughtSignature: 'S' }]);
});

test('calls written in other ways are understood: the older function_call, custom tools, arguments that are no JSON', () => {
  const messages: ChatMessage[] = [
    user,
    { role: 'assistant', content: null, function_call: { name: 'f', arguments: '{"a":1}' } },
    { role: 'function', name: 'f', content: 'ok' },
    { role: 'assistant', content: null, tool_calls: [{ id: 'c', type: 'custom', custom: { name: 'shell', input: 'ls' } }, call('d', 'g', 'not json'), { id: 'e' }] },
  ];
  expect(contents(messages).flatMap(({ parts }) => parts.slice(0)).map((part) => part.functionCall ?? part.functionResponse ?? part)).toEqual([
    { text: 'Hi' },
    { name: 'f', args: { a: 1 } },
    { name: 'f', response: { result: 'ok' } },
    { id: 'c', name: 'shell', args: { input: 'ls' } },
    { id: 'd', name: 'g', args: { arguments: 'not json' } },
  ]);
});

test('tools become declarations; what is no function is listed as left out', () => {
  const empty = { type: 'function', function: { name: 'now', parameters: { type: 'object', properties: {} } } };
  expect(translated({ tools: [weather, { type: 'web_search' }, empty] })).toMatchObject({
    tools: [{ functionDeclarations: [{ name: 'weather', description: 'Weather', parametersJsonSchema: weather.function.parameters }, { name: 'now' }] }],
    dropped: ['tools[1]'],
  });
  expect(translated({ tools: [empty] }).tools?.[0]?.functionDeclarations[0]).toEqual({ name: 'now' });
});

test.each([
  ['auto', { mode: 'AUTO' }],
  ['none', { mode: 'NONE' }],
  ['required', { mode: 'ANY' }],
  [{ type: 'function', function: { name: 'weather' } }, { mode: 'ANY', allowedFunctionNames: ['weather'] }],
  [{ type: 'allowed_tools', allowed_tools: { mode: 'required', tools: [{ type: 'function', function: { name: 'weather' } }] } }, { mode: 'ANY' }],
])('the choice %j is %j', (choice, config) => {
  expect(translated({ tools: [weather], tool_choice: choice }).toolConfig).toEqual({ functionCallingConfig: config });
});

test('only the tools that may be called are declared, and a choice without tools is none', () => {
  const now = { type: 'function', function: { name: 'now' } };
  const allowed = { type: 'allowed_tools', allowed_tools: { mode: 'auto', tools: [now] } };
  expect(translated({ tools: [weather, now], tool_choice: allowed }).tools).toEqual([{ functionDeclarations: [{ name: 'now' }] }]);
  expect(translated({ tool_choice: 'required' }).toolConfig).toBeUndefined();
});

test('settings get their names at Gemini, and neutral ones are not sent', () => {
  const settings = { n: 2, temperature: 0, top_p: 0.5, top_k: 40, max_tokens: 9, max_completion_tokens: 10, stop: ['a', ''], presence_penalty: 0.5, frequency_penalty: 0 };
  expect(translated({ ...settings, logprobs: true, top_logprobs: 3 }).generationConfig).toEqual({
    candidateCount: 2, temperature: 0, topP: 0.5, topK: 40, maxOutputTokens: 10, stopSequences: ['a'], presencePenalty: 0.5, responseLogprobs: true, logprobs: 3,
  });
  expect(translated({ n: 1, presence_penalty: 0, logprobs: false, stop: null, response_format: { type: 'text' }, modalities: ['text'] })).toEqual({ contents: expect.anything(), dropped: [] });
});

test("no more is asked for than the model can write, and a seed fits Gemini's 32 bits", () => {
  expect(translated({ max_tokens: 100_000, stop: 'x' }, 'gemini-2.5-flash', 65_536).generationConfig).toEqual({ maxOutputTokens: 65_536, stopSequences: ['x'] });
  expect([5, -1, 2 ** 31, 2 ** 32 + 5].map((seed) => translated({ seed }).generationConfig?.['seed'])).toEqual([5, -1, -(2 ** 31), 5]);
});

test('an answer in JSON is asked for with its schema', () => {
  const schema = { type: 'object', properties: { kind: { const: 'cat' } } };
  expect(translated({ response_format: { type: 'json_object' } }).generationConfig).toEqual({ responseMimeType: 'application/json' });
  expect(translated({ response_format: { type: 'json_schema', json_schema: { name: 'cat', strict: true, schema } } }).generationConfig).toEqual({
    responseMimeType: 'application/json', responseJsonSchema: { type: 'object', properties: { kind: { enum: ['cat'] } } },
  });
});

test('thinking, modalities and the service tier are told in Gemini words; what the model cannot be told is listed', () => {
  expect(translated({ reasoning_effort: 'low', modalities: ['text', 'image'], service_tier: 'flex' })).toMatchObject({
    generationConfig: { thinkingConfig: { thinkingBudget: 1024, includeThoughts: true }, responseModalities: ['TEXT', 'IMAGE'] }, serviceTier: 'flex', dropped: [],
  });
  const strange = { reasoning_effort: 'low', service_tier: 'scale', response_format: { type: 'grammar' }, extra_body: { other: 1 }, user: 'u' };
  expect(translated(strange, 'gemini-2.0-flash').dropped.sort()).toEqual(['extra_body', 'reasoning_effort', 'response_format', 'service_tier', 'user']);
  const own = { reasoning_effort: 'high', extra_body: { google: { thinking_config: { thinking_budget: 5 } } } };
  expect(translated(own, 'gemini-3-pro-preview').generationConfig).toEqual({ thinkingConfig: { thinkingBudget: 5 } });
});

const texts = fc.oneof(fc.constantFrom('', ' ', '{}', '{"a":1}', 'https://a.example/b.png', 'data:image/png;base64,AA', '\ud800'), fc.string());
const parts = fc.record({ type: fc.constantFrom('text', 'image_url', 'file', 'input_audio', 'refusal', 'x'), text: texts }, { requiredKeys: ['type', 'text'] })
  .chain((part) => fc.anything().map((other) => ({ ...part, refusal: other, image_url: other, file: other, input_audio: other })));
const calls = fc.oneof(fc.constant(call('a', 'f', '{}')), fc.dictionary(fc.constantFrom('id', 'function', 'custom', 'extra_content'), fc.anything()));
const messages = fc.record({
  role: fc.constantFrom('system' as const, 'developer' as const, 'user' as const, 'assistant' as const, 'tool' as const, 'function' as const),
  content: fc.oneof(texts, fc.array(parts, { minLength: 1, maxLength: 3 })),
  tool_calls: fc.option(fc.array(calls, { maxLength: 3 })),
  tool_call_id: fc.option(texts),
  name: fc.option(texts),
});
const bodies = fc.record({
  model: fc.constant('g'),
  messages: fc.array(messages, { minLength: 1, maxLength: 8 }),
  stop: fc.option(fc.oneof(texts, fc.array(texts, { maxLength: 6 }))),
  seed: fc.option(fc.oneof(fc.maxSafeInteger(), fc.constant(1e300))),
  tools: fc.option(fc.array(fc.record({ type: fc.constantFrom('function', 'custom'), function: fc.anything() }), { maxLength: 3 })),
  tool_choice: fc.option(fc.oneof(fc.constantFrom('auto', 'none', 'required'), fc.dictionary(fc.constantFrom('type', 'function', 'allowed_tools'), fc.anything()))),
  response_format: fc.option(fc.record({ type: fc.constantFrom('text', 'json_object', 'json_schema'), json_schema: fc.jsonValue() })),
  reasoning_effort: fc.anything(),
  extra_body: fc.anything(),
  modalities: fc.anything(),
  service_tier: fc.anything(),
});

test('whatever a valid request says, it is translated without a throw, the user begins, and only results stand beside another turn of the user', () => {
  fc.assert(fc.property(bodies, fc.constantFrom('gemini-3-pro-preview', 'gemini-2.5-pro', 'x'), (generated, model) => {
    const body = JSON.parse(JSON.stringify(generated, (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value))) as ChatBody;
    const turns = translated(body, model).contents;
    expect(turns[0]?.role).toBe('user');
    expect(turns.every((turn) => turn.parts.length > 0)).toBe(true);
    const brings = turns.map((turn) => `${turn.role} ${turn.parts.every((part) => part.functionResponse) ? 'results' : 'text'}`);
    expect(brings.some((one, i) => one === brings[i + 1])).toBe(false);
  }));
});
