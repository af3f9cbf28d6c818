import { recordedEvents, recordedReply, recordedSse, schemaProblems } from '@deja/testing';
import { SseParser } from '../dialects/sse.ts';
import { responseSse, type ResponseEvent } from './response-events.ts';
import { responseEvents } from './response-replay.ts';
import { asResponse, isCompleteResponse, isStorableResponse, responseUsage, ResponseReader } from './response-stream.ts';
import type { ResponseObject } from './response-object.ts';

const whole = (recording: string): ResponseObject => asResponse(recordedReply(recording)) as ResponseObject;

/** The streams of a recording; one file may hold several, one after the other. */
function recordedStreams(recording: string): ResponseEvent[][] {
  const streams: ResponseEvent[][] = [];
  for (const event of recordedEvents(recording).map((data) => JSON.parse(data) as ResponseEvent)) {
    if (event.type === 'response.created') streams.push([]);
    streams.at(-1)!.push(event);
  }
  return streams;
}

function read(events: Iterable<unknown>): { reader: ResponseReader; kinds: string[] } {
  const reader = new ResponseReader();
  return { reader, kinds: Array.from(events, (event) => reader.push(event).kind) };
}

const textOf = (response: ResponseObject): string =>
  response.output.flatMap((item) => (item.type === 'message' ? (item['content'] as { text: string }[]) : [])).map(({ text }) => text).join('');

const WHOLE = ['azure/azure-text.1.json', 'azure/azure-tool-call.1.json', 'openai/openai-custom-tool.1.json', 'openai/openai-reasoning-encrypted-content.1.json'];
const STREAMED = ['azure/azure-text.1.chunks.jsonl', 'azure/azure-tool-call.1.chunks.jsonl', 'openai/openai-custom-tool.1.chunks.jsonl', 'openai/openai-reasoning-encrypted-content.1.chunks.jsonl'];

test.each([
  ['azure/azure-text.1.json', { promptTokens: 11, completionTokens: 11, reasoningTokens: 0 }, true],
  ['azure/azure-tool-call.1.json', { promptTokens: 45, completionTokens: 24, reasoningTokens: 0 }, false],
  ['openai/openai-custom-tool.1.json', { promptTokens: 50, completionTokens: 20, reasoningTokens: 0 }, false],
  ['openai/openai-reasoning-encrypted-content.1.json', { promptTokens: 865, completionTokens: 163, reasoningTokens: 128 }, true],
])('a whole response tells its usage, and may be kept: %s', (recording, usage, complete) => {
  const response = whole(recording);
  expect(responseUsage(response.usage)).toEqual({ ...usage, cachedTokens: 0, cacheWriteTokens: 0 });
  expect(isStorableResponse(response)).toBe(true);
  expect(isCompleteResponse(response)).toBe(complete);
});

test('text is read from a stream as from a whole reply', () => {
  const [events] = recordedStreams('azure/azure-text.1.chunks.jsonl');
  const { reader, kinds } = read(events!);
  expect(kinds).toEqual(['preamble', 'preamble', 'preamble', 'preamble', 'content', 'content', 'content', 'content', 'end']);
  expect(textOf(reader.response!)).toBe('Hello');
  expect(reader.producedChars).toBe('Hello'.length);
  expect(reader.usage).toMatchObject({ promptTokens: 11, completionTokens: 11 });
});

test('tool calls are read from a stream as from a whole reply', () => {
  const [call] = recordedStreams('azure/azure-tool-call.1.chunks.jsonl');
  const { reader } = read(call!);
  expect(reader.response).toMatchObject({ status: 'completed', output: [{ type: 'function_call', name: 'weather', arguments: '{"location":"San Francisco"}', call_id: 'call_H5DxLSFnsGhiROnUiDHmgyc8' }] });
  expect(reader.producedChars).toBe('{"location":"San Francisco"}'.length);
  const [custom] = recordedStreams('openai/openai-custom-tool.1.chunks.jsonl');
  expect(read(custom!).reader.response).toMatchObject({ output: [{ type: 'custom_tool_call', input: 'SELECT * FROM users WHERE age > 25' }], usage: { total_tokens: 70 } });
});

test('reasoning is read along with the call that follows it, stream after stream', () => {
  const streams = recordedStreams('openai/openai-reasoning-encrypted-content.1.chunks.jsonl');
  const outputs = streams.map((events) => read(events).reader.response!.output.map(({ type }) => type));
  expect(outputs).toEqual([['reasoning', 'function_call'], ['function_call'], ['function_call'], ['message']]);
  expect(textOf(read(streams[3]!).reader.response!)).toBe('The final result is **570**.');
});

test('the bytes of a stream are read however they are cut', () => {
  const bytes = recordedSse('azure/azure-text.1.chunks.jsonl', 'typed');
  for (const size of [1, 7, 4096]) {
    const parser = new SseParser();
    const events = [];
    for (let at = 0; at < bytes.length; at += size) events.push(...parser.push(bytes.subarray(at, at + size)));
    expect(events.map(({ event }) => event)).toContain('response.output_text.delta');
    expect(textOf(read(events.map(({ data }) => JSON.parse(data))).reader.response!)).toBe('Hello');
  }
});

test('a failed response is an error that says why, and is no answer', () => {
  const [events] = recordedStreams('openai/openai-error.1.chunks.jsonl');
  const { reader, kinds } = read(events!);
  expect(kinds).toEqual(['preamble', 'preamble', 'error', 'error']);
  expect(reader.failure).toMatchObject({ kind: 'quota', providerError: { type: 'insufficient_quota', code: 'insufficient_quota', message: expect.stringContaining('exceeded your current quota') } });
  expect(isStorableResponse(reader.response!)).toBe(false);
});

test.each([
  [{ type: 'error', code: 'rate_limit_exceeded', message: 'Slow down.', param: null, sequence_number: 3 }, 'rate'],
  [{ type: 'error', code: 'server_error', message: 'Sorry.', param: null, sequence_number: 3 }, 'overloaded'],
  [{ type: 'response.failed', response: { id: 'resp_1', object: 'response', output: [], status: 'failed', error: { code: 'invalid_image', message: 'No image.' } } }, 'caller'],
  [{ error: { message: 'Bad gateway', type: 'api_error' } }, 'overloaded'],
  [{ type: 'response.completed' }, 'overloaded'],
  [null, 'overloaded'],
  ['[DONE]', 'overloaded'],
  [{}, 'overloaded'],
])('an error event, or what is no event, is a failure of its kind: %j', (event, kind) => {
  const { reader, kinds } = read([event]);
  expect(kinds).toEqual(['error']);
  expect(reader.failure?.kind).toBe(kind);
});

test('work that a provider has begun by itself is content: nobody takes over after it', () => {
  const item = { id: 'ws_1', type: 'web_search_call', status: 'in_progress' };
  expect(read([{ type: 'response.output_item.added', output_index: 0, item }, { type: 'response.web_search_call.searching', item_id: 'ws_1', output_index: 0 }]).kinds).toEqual(['content', 'content']);
});

test('output that the last event leaves out is what the items said', () => {
  const [events] = recordedStreams('azure/azure-text.1.chunks.jsonl');
  const bare = events!.map((event) => (event.type === 'response.completed' ? { ...event, response: { ...(event['response'] as object), output: [] } } : event));
  expect(textOf(read(bare).reader.response!)).toBe('Hello');
});

test.each(WHOLE)('a kept response is replayed as a stream that reads back to it: %s', (recording) => {
  const response = whole(recording);
  const { reader, kinds } = read(responseEvents(response));
  expect(reader.response).toEqual(response);
  expect(kinds.at(-1)).toBe('end');
});

test.each(STREAMED)('the replay of a stream tells the events of the stream, in its order: %s', (recording) => {
  for (const events of recordedStreams(recording)) {
    const replayed = [...responseEvents(read(events).reader.response!)];
    const steps = (list: ResponseEvent[]): string[] => list.map(({ type }) => type).filter((type, at, all) => type !== all[at - 1]);
    // That recording leaves out the event with which an input ends.
    expect(steps(replayed).filter((type) => type !== 'response.custom_tool_call_input.done')).toEqual(steps(events));
    expect(replayed.map(({ sequence_number: n }) => n)).toEqual(replayed.map((_, index) => index));
    // OpenAI encrypts its reasoning anew for each event.
    const items = (list: ResponseEvent[]): unknown[] => list.filter(({ type }) => type === 'response.output_item.done').map(({ item }) => ({ ...(item as object), encrypted_content: 'any' }));
    expect(items(replayed)).toEqual(items(events));
  }
});

test('every event of a replay is valid by OpenAI’s description, where the response is', () => {
  for (const recording of WHOLE) {
    const { user: _user, ...response } = whole(recording);
    response.usage!.input_tokens_details = { cached_tokens: 0, cache_write_tokens: 0 };
    expect(schemaProblems('Response', response)).toEqual([]);
    expect([...responseEvents(response)].flatMap((event) => schemaProblems('ResponseStreamEvent', event))).toEqual([]);
  }
});

test('a replay tells annotations, refusals, raw reasoning and items it does not know', () => {
  const citation = { type: 'url_citation', url: 'https://example.com/', title: 'Example', start_index: 0, end_index: 2 };
  const response = {
    ...whole('azure/azure-text.1.json'),
    output: [
      { type: 'web_search_call', id: 'ws_1', status: 'completed', action: { type: 'search', query: 'x' } },
      { type: 'reasoning', id: 'rs_1', summary: [], content: [{ type: 'reasoning_text', text: 'Hm.' }] },
      { type: 'message', id: 'msg_1', role: 'assistant', status: 'completed', content: [{ type: 'output_text', text: 'Hi', annotations: [citation], logprobs: [] }, { type: 'refusal', refusal: 'No.' }] },
    ],
  };
  const events = [...responseEvents(response)];
  expect(events.map(({ type }) => type).slice(2, -1)).toEqual([
    'response.output_item.added', 'response.output_item.done',
    'response.output_item.added', 'response.content_part.added', 'response.reasoning_text.delta', 'response.reasoning_text.done', 'response.content_part.done', 'response.output_item.done',
    'response.output_item.added',
    'response.content_part.added', 'response.output_text.delta', 'response.output_text.annotation.added', 'response.output_text.done', 'response.content_part.done',
    'response.content_part.added', 'response.refusal.delta', 'response.refusal.done', 'response.content_part.done',
    'response.output_item.done',
  ]);
  expect(read(events).reader.response).toEqual(response);
  expect(isStorableResponse(response)).toBe(false);
});

test('a long text is replayed in pieces that never split a character', () => {
  const response = whole('azure/azure-text.1.json');
  const text = `a${'😀'.repeat(300)}`;
  response.output[0]!['content'] = [{ type: 'output_text', text, annotations: [], logprobs: [] }];
  const deltas = [...responseEvents(response)].filter(({ type }) => type === 'response.output_text.delta').map(({ delta }) => delta as string);
  expect(deltas.length).toBeGreaterThan(1);
  expect(deltas.every((delta) => delta.isWellFormed())).toBe(true);
  expect(deltas.join('')).toBe(text);
});

test.each([
  ['completed', {}, true, true],
  ['incomplete', { incomplete_details: { reason: 'max_output_tokens' } }, true, false],
  ['incomplete', { incomplete_details: { reason: 'content_filter' } }, false, false],
  ['failed', { error: { code: 'server_error', message: 'Sorry.' } }, false, false],
  ['in_progress', {}, false, false],
  ['queued', {}, false, false],
])('a response that is %s (%j) may be kept: %s; for similar questions too: %s', (status, fields, storable, complete) => {
  const response = { ...whole('azure/azure-text.1.json'), ...fields, status };
  expect(isStorableResponse(response)).toBe(storable);
  expect(isCompleteResponse(response)).toBe(complete);
});

test('tokens written to the prompt cache are counted, never more than the prompt has', () => {
  const usage = { input_tokens: 100, input_tokens_details: { cached_tokens: 40, cache_write_tokens: 500 }, output_tokens: 5, total_tokens: 105 };
  expect(responseUsage(usage)).toEqual({ promptTokens: 100, cachedTokens: 40, cacheWriteTokens: 60, completionTokens: 5, reasoningTokens: 0 });
  expect(responseUsage({ ...usage, input_tokens: -1 })).toBeNull();
  expect(responseUsage(null)).toBeNull();
});

test('an event on the wire is named, and its text can forge none', () => {
  const [event] = responseEvents(whole('azure/azure-text.1.json'));
  const parsed = new SseParser().push(Buffer.from(responseSse(event!)));
  expect(parsed).toEqual([{ event: 'response.created', data: JSON.stringify(event) }]);
});

test.each([null, [], 'x', { object: 'response' }, { id: 'a', object: 'response', output: [null] }, { id: 'a', object: 'chat.completion', output: [] }])('what is no response is told from one: %j', (value) => {
  expect(asResponse(value)).toBeNull();
});
