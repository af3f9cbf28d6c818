import fc from 'fast-check';
import { jsonText, mutated, RawJson, type Mutation } from './raw-json.ts';

/** Texts that break what is careless with text. */
const oddText = fc.oneof(
  fc.constantFrom('', ' ', '\0', 'a\0b', '\ud800', 'x\udfffy', '\u{1f600}', 'é', '\u202e', '\r\n', '%00', '../..', '${env:HOME}', '{{x}}', '__proto__', 'constructor', 'toString', 'hasOwnProperty', 'null', '-1', 'data:,', 'data:image/png;base64,', 'data:image/png;base64,AAAA', 'https://', '4111 1111 1111 1111', 'me@example.com', 'sk-proj-0123456789abcdefghijklmnop'),
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.nat(60_000).map((length) => 'x'.repeat(length)),
  fc.nat(4000).map((length) => 'ab '.repeat(length)),
);

const oddNumber = fc.constantFrom('1e999', '-1e999', '1E-400', '-0', '0', '-1', '0.5', '1.5', '9'.repeat(400), '9007199254740993', '1e21', '4294967296', '-2147483649', '1e308', '0.1e-7', '128', '2049');
const deep = fc.nat(400).map((depth) => new RawJson(`${'['.repeat(depth + 1)}${']'.repeat(depth + 1)}`));
const deepObject = fc.nat(200).map((depth) => new RawJson(`${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`));

/** A value of any kind, most of them of the wrong one wherever they go. */
export const oddValue: fc.Arbitrary<unknown> = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom<unknown>(null, true, false, 0, 1, -1, {}, [], [[]], [null], [{}], { type: 'text' }, { type: null }, { '': '' }, { length: 5 }, { toString: 1 }) },
  { weight: 4, arbitrary: oddText },
  { weight: 3, arbitrary: oddNumber.map((text) => new RawJson(text)) },
  { weight: 1, arbitrary: fc.constantFrom(new RawJson('{"__proto__":{"x":1},"constructor":{"prototype":{}}}'), new RawJson('{"a":1,"a":2,"a":[]}'), new RawJson('"\\ud800\\u0000"'), new RawJson('{"\\ud800":1,"\\u0000":2}')) },
  { weight: 1, arbitrary: deep },
  { weight: 1, arbitrary: deepObject },
  { weight: 2, arbitrary: fc.jsonValue({ maxDepth: 4 }) },
);

const FIELDS = ['model', 'messages', 'role', 'content', 'type', 'text', 'image_url', 'url', 'input', 'instructions', 'prompt', 'suffix', 'stream', 'stream_options', 'include_usage', 'tools', 'tool_choice', 'function', 'functions', 'name', 'parameters', 'arguments', 'tool_calls', 'tool_call_id', 'call_id', 'id', 'output', 'response_format', 'json_schema', 'schema', 'strict', 'format', 'reasoning', 'effort', 'reasoning_effort', 'verbosity', 'max_tokens', 'max_completion_tokens', 'max_output_tokens', 'n', 'stop', 'temperature', 'top_p', 'seed', 'logit_bias', 'logprobs', 'top_logprobs', 'user', 'safety_identifier', 'metadata', 'store', 'modalities', 'audio', 'input_audio', 'data', 'file', 'file_id', 'file_data', 'file_ids', 'filename', 'previous_response_id', 'conversation', 'background', 'include', 'truncation', 'prediction', 'web_search_options', 'parallel_tool_calls', 'service_tier', 'encoding_format', 'dimensions', 'voice', 'size', 'summary', 'refusal', 'annotations', 'cache_control', 'detail', 'input_file_id', 'endpoint', 'completion_window', '__proto__', 'constructor', 'toJSON', 'toString', 'length', '', '\0', 'then'];
export const fieldName = fc.oneof({ weight: 9, arbitrary: fc.constantFrom(...FIELDS) }, { weight: 1, arbitrary: fc.string({ maxLength: 8 }) });

export const mutation: fc.Arbitrary<Mutation> = fc.record({
  place: fc.nat(200),
  how: fc.constantFrom<Mutation['how']>('replace', 'replace', 'replace', 'delete', 'add', 'wrap', 'repeat', 'rename', 'twice'),
  name: fieldName,
  value: oddValue,
});

/** Models of every kind of provider, names that are none, and names that only look like ones. */
const chatModel = fc.oneof({ weight: 8, arbitrary: fc.constantFrom('known', 'claude', 'thinker', 'gem', 'az', 'mist', 'gpt-4o', 'o3') }, { weight: 2, arbitrary: fc.constantFrom('größe-8', 'модель', 'a\u0000b', '\ud800', '..', '.', '%2e%2e', 'a/b', 'constructor', '__proto__', 'toString', 'no-such-model', '*', ' ', 'x'.repeat(256), 'ft:gpt-4o:me::x', 'line\nbreak') });

const schema = fc.constantFrom<unknown>(
  { type: 'object', properties: { city: { type: 'string' } }, required: ['city'], additionalProperties: false },
  { type: 'object', properties: { a: { $ref: '#/$defs/a' } }, $defs: { a: { anyOf: [{ type: 'null' }, { $ref: '#/$defs/a' }] } } },
  { type: ['string', 'null'], enum: ['a', null] },
  {},
  { allOf: [{ type: 'object' }], oneOf: [], not: {} },
);
const functionTool = schema.map((parameters) => ({ type: 'function', function: { name: 'get_weather', description: 'Weather', parameters, strict: true } }));
const toolCall = { id: 'call_1', type: 'function', function: { name: 'get_weather', arguments: '{"city":"Paris"}' } };
const PNG = 'data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';

const message = fc.constantFrom<object>(
  { role: 'user', content: 'What is the capital of France?' },
  { role: 'user', content: [{ type: 'text', text: 'Look' }, { type: 'image_url', image_url: { url: PNG, detail: 'low' } }] },
  { role: 'user', content: [{ type: 'image_url', image_url: { url: 'https://example.com/a.png' } }] },
  { role: 'user', content: [{ type: 'input_audio', input_audio: { data: 'AAAA', format: 'wav' } }, { type: 'file', file: { filename: 'a.pdf', file_data: 'data:application/pdf;base64,JVBERi0=' } }] },
  { role: 'user', content: [{ type: 'file', file: { file_id: 'file-nobodys' } }], name: 'me' },
  { role: 'system', content: 'Be brief.' },
  { role: 'developer', content: [{ type: 'text', text: 'Be exact.', cache_control: { type: 'ephemeral' } }] },
  { role: 'assistant', content: 'Paris.' },
  { role: 'assistant', content: null, tool_calls: [toolCall, { ...toolCall, id: 'call_2' }] },
  { role: 'assistant', content: [{ type: 'refusal', refusal: 'No.' }], refusal: null },
  { role: 'assistant', content: null, function_call: { name: 'f', arguments: '{}' } },
  { role: 'tool', tool_call_id: 'call_1', content: '21 degrees' },
  { role: 'tool', tool_call_id: 'call_2', content: [{ type: 'text', text: 'rain' }] },
  { role: 'function', name: 'f', content: 'done' },
);

const MOST_OPTIONAL = 4;

/** A few of these fields: with all of them no provider would take a body. */
const optional = (fields: Record<string, fc.Arbitrary<unknown>>): fc.Arbitrary<Record<string, unknown>> =>
  fc.tuple(fc.record(fields), fc.uniqueArray(fc.constantFrom(...Object.keys(fields)), { maxLength: MOST_OPTIONAL })).map(([all, names]) => Object.fromEntries(names.map((name) => [name, all[name]])));
const withOptional = (required: Record<string, fc.Arbitrary<unknown>>, more: Record<string, fc.Arbitrary<unknown>>): fc.Arbitrary<object> => fc.tuple(fc.record(required), optional(more)).map(([a, b]) => ({ ...a, ...b }));

const chatBody = withOptional(
  { model: chatModel, messages: fc.array(message, { minLength: 1, maxLength: 5 }) },
  {
    stream: fc.boolean(),
    stream_options: fc.constantFrom({ include_usage: true }, { include_usage: false }, null),
    max_tokens: fc.constantFrom(1, 100, null),
    max_completion_tokens: fc.constantFrom(1, 100, null),
    temperature: fc.constantFrom(0, 1, 2),
    n: fc.constantFrom(1, 2, null),
    stop: fc.constantFrom('x', ['a', 'b'], null),
    tools: fc.array(functionTool, { maxLength: 2 }),
    tool_choice: fc.constantFrom<unknown>('auto', 'none', 'required', { type: 'function', function: { name: 'get_weather' } }),
    parallel_tool_calls: fc.boolean(),
    response_format: fc.oneof(fc.constantFrom<unknown>({ type: 'text' }, { type: 'json_object' }), schema.map((inner) => ({ type: 'json_schema', json_schema: { name: 'a', schema: inner, strict: true } }))),
    reasoning_effort: fc.constantFrom('minimal', 'low', 'high', 'none'),
    logprobs: fc.boolean(),
    top_logprobs: fc.constantFrom(0, 3),
    logit_bias: fc.constantFrom({ '50256': -100 }),
    seed: fc.constantFrom(1, new RawJson('9007199254740993')),
    user: fc.constantFrom('u-1', 'u\u0000\ud800', ''),
    metadata: fc.constantFrom({ a: 'b' }),
    modalities: fc.constantFrom(['text'], ['text', 'audio']),
    prediction: fc.constantFrom({ type: 'content', content: 'x' }),
    functions: fc.constantFrom([{ name: 'f', parameters: {} }]),
  },
);

const item = fc.constantFrom<object>(
  { role: 'user', content: 'Hi' },
  { type: 'message', role: 'user', content: [{ type: 'input_text', text: 'Hi' }, { type: 'input_image', image_url: PNG, detail: 'auto' }] },
  { type: 'message', role: 'assistant', content: [{ type: 'output_text', text: 'Hello', annotations: [] }] },
  { type: 'function_call', call_id: 'call_1', name: 'get_weather', arguments: '{}' },
  { type: 'function_call_output', call_id: 'call_1', output: 'rain' },
  { type: 'reasoning', id: 'rs_1', summary: [{ type: 'summary_text', text: 'so' }], encrypted_content: 'x' },
  { type: 'item_reference', id: 'msg_1' },
  { role: 'user', content: [{ type: 'input_file', file_id: 'file-nobodys' }] },
  { type: 'custom_tool_call', call_id: 'c', name: 'n', input: 'i' },
  { type: 'computer_call_output', call_id: 'c', output: { type: 'x' } },
);
const responsesBody = withOptional(
  { model: chatModel, input: fc.oneof(fc.constantFrom('Hi', ''), fc.array(item, { minLength: 1, maxLength: 4 })) },
  {
    stream: fc.boolean(),
    instructions: fc.constantFrom('Be brief.', null),
    max_output_tokens: fc.constantFrom(16, null),
    tools: fc.array(fc.oneof(schema.map((parameters) => ({ type: 'function', name: 'get_weather', parameters, strict: false })), fc.constantFrom<object>({ type: 'web_search' }, { type: 'custom', name: 'c' }, { type: 'mcp', server_url: 'https://example.com' })), { maxLength: 2 }),
    tool_choice: fc.constantFrom<unknown>('auto', 'required', { type: 'function', name: 'get_weather' }),
    text: fc.constantFrom<unknown>({ format: { type: 'text' } }, { format: { type: 'json_schema', name: 'a', schema: {} } }, { verbosity: 'low' }, null),
    reasoning: fc.constantFrom<unknown>({ effort: 'low', summary: 'auto' }, null, {}),
    previous_response_id: fc.constantFrom('resp_nobodys', null, null, null),
    conversation: fc.constantFrom<unknown>(null, null, null, { id: 'conv_1' }),
    store: fc.boolean(),
    background: fc.boolean(),
    metadata: fc.constantFrom({ a: 'b' }),
    truncation: fc.constantFrom('auto'),
    include: fc.constantFrom(['reasoning.encrypted_content']),
    user: fc.constantFrom('u-2'),
  },
);

const completionsBody = withOptional(
  { model: chatModel, prompt: fc.constantFrom<unknown>('Say', ['a', 'b'], [1, 2, 3], [[1], [2, 3]]) },
  { stream: fc.boolean(), max_tokens: fc.constantFrom(0, 5), n: fc.constantFrom(1, 2), logprobs: fc.constantFrom(0, 2), echo: fc.boolean(), suffix: fc.constantFrom('x'), best_of: fc.constantFrom(2), stream_options: fc.constantFrom({ include_usage: true }) },
);
const embeddingsBody = withOptional(
  { model: fc.constantFrom('emb', 'gememb', 'known', 'claude', 'größe'), input: fc.constantFrom<unknown>('text', ['a', 'b', 'c'], [1, 2], [[1], [2]], ['a', 'a']) },
  { encoding_format: fc.constantFrom('float', 'base64'), dimensions: fc.constantFrom(2, 256), user: fc.constantFrom('u') },
);
const moderationsBody = withOptional({ input: fc.constantFrom<unknown>('text', ['a', 'b'], [{ type: 'text', text: 'x' }]) }, { model: fc.constantFrom('omni-moderation-latest', 'known') });
const imagesBody = withOptional({ model: fc.constantFrom('img', 'known', 'claude'), prompt: fc.constantFrom('A dot') }, { n: fc.constantFrom(1), size: fc.constantFrom('1024x1024'), stream: fc.boolean() });
const speechBody = withOptional({ model: fc.constantFrom('tts', 'known', 'gem'), input: fc.constantFrom('Hello'), voice: fc.constantFrom('alloy') }, { stream_format: fc.constantFrom('sse', 'audio'), response_format: fc.constantFrom('mp3') });
const batchBody = fc.record({ input_file_id: fc.constantFrom('file-nobodys'), endpoint: fc.constantFrom('/v1/chat/completions'), completion_window: fc.constantFrom('24h') });

/** Bodies as they should be, by the path of their endpoint below `/v1/`. */
export const VALID_BODIES: Readonly<Record<string, fc.Arbitrary<object>>> = {
  'chat/completions': chatBody,
  responses: responsesBody,
  completions: completionsBody,
  embeddings: embeddingsBody,
  moderations: moderationsBody,
  'images/generations': imagesBody,
  'audio/speech': speechBody,
  batches: batchBody,
};

/** How a text is broken after all. */
const broken = fc.record({ how: fc.constantFrom('cut', 'bytes', 'bom', 'tail', 'spaces', 'comma'), at: fc.nat(100_000), bytes: fc.uint8Array({ minLength: 1, maxLength: 6 }) });

function brokenBytes(bytes: Buffer, { how, at, bytes: odd }: { how: string; at: number; bytes: Uint8Array }): Buffer {
  const cut = bytes.length === 0 ? 0 : at % bytes.length;
  switch (how) {
    case 'cut': return bytes.subarray(0, cut);
    case 'bytes': return Buffer.concat([bytes.subarray(0, cut), odd, bytes.subarray(cut + odd.length)]);
    case 'bom': return Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), bytes]);
    case 'tail': return Buffer.concat([bytes, odd]);
    case 'spaces': return Buffer.concat([Buffer.from(' \n\t'), bytes, Buffer.from('\r\n')]);
    default: return Buffer.from(bytes.toString('latin1').replace(',', ',,'), 'latin1');
  }
}

/** A JSON body for this endpoint: as it should be, changed in up to three places, or broken. */
export function jsonBody(path: string): fc.Arbitrary<Buffer> {
  const valid = VALID_BODIES[path] ?? chatBody;
  const mutations = fc.oneof({ weight: 3, arbitrary: fc.constant([]) }, { weight: 5, arbitrary: fc.array(mutation, { minLength: 1, maxLength: 1 }) }, { weight: 1, arbitrary: fc.array(mutation, { minLength: 2, maxLength: 3 }) });
  const changed = fc.tuple(valid, mutations).map(([body, changes]) => Buffer.from(jsonText(changes.reduce(mutated, body))));
  return fc.oneof(
    { weight: 12, arbitrary: changed },
    { weight: 2, arbitrary: fc.tuple(changed, broken).map(([bytes, how]) => brokenBytes(bytes, how)) },
    { weight: 1, arbitrary: fc.oneof(fc.json().map((text) => Buffer.from(text)), fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes)), oddValue.map((value) => Buffer.from(jsonText(value)))) },
  );
}
