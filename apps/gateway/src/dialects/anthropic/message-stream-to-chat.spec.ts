import type { AttemptFailure } from '../../attempt/failure.ts';
import type { ChatBody } from '../../chat/chat-request.ts';
import { CompletionAssembler } from '../../chat/completion-stream.ts';
import type { ChatChunk } from '../dialect.ts';
import { anthropic } from './anthropic.ts';

const BODY: ChatBody = { model: 'm', messages: [{ role: 'user', content: 'hi' }] };
const OPEN_SCHEMA = { type: 'json_schema', json_schema: { name: 'x', schema: { type: 'object' } } };
const context = { upstreamModel: 'claude-sonnet-4-5', stream: true, maxOutputTokens: null, createdS: 1 };

const start = (usage: object = { input_tokens: 5, output_tokens: 1 }): object => ({ type: 'message_start', message: { id: 'msg_1', model: 'claude-sonnet-4-5', content: [], usage } });
const block = (index: number, content_block: object): object => ({ type: 'content_block_start', index, content_block });
const delta = (index: number, piece: object): object => ({ type: 'content_block_delta', index, delta: piece });
const stop = (index: number): object => ({ type: 'content_block_stop', index });
const end = (stop_reason: string, usage: object = { output_tokens: 9 }): object[] => [{ type: 'message_delta', delta: { stop_reason }, usage }, { type: 'message_stop' }];
const text = (index: number, words: string): object[] => [block(index, { type: 'text', text: '' }), delta(index, { type: 'text_delta', text: words }), stop(index)];
const call = (index: number, id: string, pieces: string[], name = 'f'): object[] => [
  block(index, { type: 'tool_use', id, name, input: {} }),
  ...pieces.map((json) => delta(index, { type: 'input_json_delta', partial_json: json })),
  stop(index),
];

function chunksOf(events: object[], body: ChatBody = BODY): ChatChunk[] {
  const translator = anthropic.stream(body, context);
  return events.flatMap((event) => translator.push({ event: null, data: JSON.stringify(event) }));
}

function answer(events: object[], body: ChatBody = BODY): { message: Record<string, unknown>; finish_reason: string | null; usage: unknown } {
  const assembler = new CompletionAssembler();
  for (const chunk of chunksOf(events, body)) assembler.add(chunk);
  const { choices, usage } = assembler.completion();
  return { message: choices[0]!.message, finish_reason: choices[0]!.finish_reason, usage };
}

function failureOf(work: () => unknown): AttemptFailure {
  try {
    work();
  } catch (failure) {
    return failure as AttemptFailure;
  }
  throw new Error('it did not fail');
}

test('parallel calls keep their order, their ids and their arguments, numbered as OpenAI does', () => {
  const events = [start(), ...text(0, 'Both.'), ...call(1, 'a', ['{"x":', '1}']), ...call(2, 'b', [''], 'g'), ...end('tool_use')];
  const calls = chunksOf(events).flatMap((chunk) => (chunk.choices[0]?.delta['tool_calls'] ?? []) as unknown[]);
  expect(calls).toEqual([
    { index: 0, id: 'a', type: 'function', function: { name: 'f', arguments: '' } },
    { index: 0, function: { arguments: '{"x":' } },
    { index: 0, function: { arguments: '1}' } },
    { index: 1, id: 'b', type: 'function', function: { name: 'g', arguments: '' } },
    { index: 1, function: { arguments: '{}' } },
  ]);
  expect(answer(events)).toMatchObject({ message: { content: 'Both.' }, finish_reason: 'tool_calls' });
});

test('an answer that begins with a call has no content, one that begins with text has', () => {
  expect(chunksOf([start(), ...call(0, 'a', [])])[0]?.choices[0]?.delta).toEqual({ role: 'assistant', content: null, refusal: null });
  expect(chunksOf([start(), ...text(0, 'a')])[0]?.choices[0]?.delta).toEqual({ role: 'assistant', content: '', refusal: null });
});

test('arguments that come whole with the start of a call are not lost', () => {
  const { message } = answer([start(), block(0, { type: 'tool_use', id: 'a', name: 'f', input: { x: 1 } }), stop(0), ...end('tool_use')]);
  expect(message['tool_calls']).toMatchObject([{ function: { arguments: '{"x":1}' } }]);
});

test('a client that asked with functions is answered with function_call', () => {
  const body = { ...BODY, functions: [{ name: 'f' }] };
  expect(answer([start(), ...call(0, 'a', ['{"x":1}']), ...end('tool_use')], body)).toMatchObject({ message: { function_call: { name: 'f', arguments: '{"x":1}' } }, finish_reason: 'function_call' });
});

test('when the answer comes through the JSON tool, it is the content, and text beside it is not', () => {
  const body = { ...BODY, response_format: OPEN_SCHEMA };
  expect(answer([start(), ...text(0, 'Sure:'), ...call(1, 'a', ['{"x":', '1}'], 'json'), ...end('tool_use')], body)).toMatchObject({ message: { content: '{"x":1}' }, finish_reason: 'stop' });
  expect(answer([start(), ...call(0, 'a', ['{"x":'], 'json'), ...end('max_tokens')], body)).toMatchObject({ message: { content: '{"x":' }, finish_reason: 'length' });
});

test('when the JSON tool is never called, what was said instead is the answer', () => {
  const body = { ...BODY, response_format: OPEN_SCHEMA };
  expect(answer([start(), ...text(0, 'No.'), ...end('end_turn')], body)).toMatchObject({ message: { content: 'No.' }, finish_reason: 'stop' });
});

test('thoughts are reasoning_content while they come and thinking_blocks once complete, hidden ones too', () => {
  const events = [
    start(),
    block(0, { type: 'thinking', thinking: '', signature: '' }),
    delta(0, { type: 'thinking_delta', thinking: 'Let me ' }),
    delta(0, { type: 'thinking_delta', thinking: 'see.' }),
    delta(0, { type: 'signature_delta', signature: 'sig' }),
    stop(0),
    block(1, { type: 'redacted_thinking', data: 'zzz' }),
    stop(1),
    ...text(2, 'Yes.'),
    ...end('end_turn'),
  ];
  expect(answer(events).message).toMatchObject({
    content: 'Yes.',
    reasoning_content: 'Let me see.',
    thinking_blocks: [{ type: 'thinking', thinking: 'Let me see.', signature: 'sig' }, { type: 'redacted_thinking', data: 'zzz' }],
  });
});

test('pings, blocks, deltas and events nobody knows yet say nothing and break nothing', () => {
  const unknown = [{ type: 'ping' }, block(7, { type: 'hologram', text: 'no' }), delta(7, { type: 'text_delta', text: 'no' }), delta(9, { type: 'text_delta', text: 'no' }), stop(7), { type: 'news' }];
  expect(chunksOf([start(), ...unknown])).toEqual([]);
  expect(answer([start(), ...text(0, 'yes'), delta(0, { type: 'citations_delta' }), ...unknown, ...end('end_turn')]).message['content']).toBe('yes');
});

test.each([
  ['end_turn', 'stop'],
  ['stop_sequence', 'stop'],
  ['pause_turn', 'stop'],
  ['max_tokens', 'length'],
  ['model_context_window_exceeded', 'length'],
  ['refusal', 'content_filter'],
])('%s ends as %s', (reason, finish) => {
  expect(answer([start(), ...text(0, 'a'), ...end(reason)])).toMatchObject({ message: { content: 'a' }, finish_reason: finish });
});

test('the prompt counts what was read from the cache and what was written to it, and later numbers win', () => {
  const first = { input_tokens: 5, cache_read_input_tokens: 100, cache_creation_input_tokens: 40, output_tokens: 1 };
  const last = { input_tokens: 7, cache_read_input_tokens: null, output_tokens: 9, output_tokens_details: { thinking_tokens: 4 } };
  expect(answer([start(first), ...text(0, 'a'), ...end('end_turn', last)]).usage).toEqual({
    prompt_tokens: 147,
    completion_tokens: 9,
    total_tokens: 156,
    prompt_tokens_details: { cached_tokens: 100, cache_creation_tokens: 40 },
    completion_tokens_details: { reasoning_tokens: 4 },
  });
});

test.each([
  ['overloaded_error', 'overloaded'],
  ['rate_limit_error', 'rate'],
  ['api_error', 'overloaded'],
  ['timeout_error', 'timeout'],
  ['authentication_error', 'auth'],
  ['billing_error', 'quota'],
  ['invalid_request_error', 'caller'],
  ['an_error_of_tomorrow', 'overloaded'],
])('%s in a stream fails as %s', (type, kind) => {
  expect(failureOf(() => chunksOf([start(), { type: 'error', error: { type, message: 'No.' } }])).kind).toBe(kind);
});

test.each(['nonsense', '[DONE]', '"text"', '[]', 'null'])('%s is no event of Anthropic', (data) => {
  expect(failureOf(() => anthropic.stream(BODY, context).push({ event: null, data })).kind).toBe('malformed');
});

test('a stream is complete at message_stop and not before', () => {
  const translator = anthropic.stream(BODY, context);
  const events = [start(), ...text(0, 'a'), ...end('end_turn')].map((event) => ({ event: null, data: JSON.stringify(event) }));
  for (const event of events.slice(0, -1)) translator.push(event);
  expect(translator.ended).toBe(false);
  expect(failureOf(() => translator.finish()).kind).toBe('network');
  translator.push(events.at(-1)!);
  expect(translator.ended).toBe(true);
  expect(translator.finish()).toEqual([]);
});
