import { recordedEvents, recordedReply, schemaProblems } from '@deja/testing';
import fc from 'fast-check';
import { AttemptFailure } from '../attempt/failure.ts';
import { CompletionAssembler } from '../chat/completion-stream.ts';
import { asCompletion, usageOf, type ChatCompletion } from '../chat/completion.ts';
import type { ChatChunk } from '../dialects/dialect.ts';
import { parseOrRefuse } from '../validate/refuse.ts';
import { ResponseEventWriter } from './chat-stream-to-response-events.ts';
import { responseOf } from './chat-to-response.ts';
import type { ResponseEvent } from './response-events.ts';
import type { ResponseObject, ResponseOrigin } from './response-object.ts';
import { responsesRequest, type ResponsesBody } from './responses-request.ts';
import { responseUsage, ResponseReader } from './response-stream.ts';

const origin: ResponseOrigin = { id: 'resp_0123456789abcdef', createdAtS: 1_700_000_000, nowS: () => 1_700_000_007 };
const request = (fields: Record<string, unknown> = {}): ResponsesBody => parseOrRefuse(responsesRequest, { model: 'm', input: 'Hi', ...fields });

function written(chunks: unknown[], body = request()): { events: ResponseEvent[]; response: ResponseObject } {
  const writer = new ResponseEventWriter(body, origin);
  const events = chunks.flatMap((chunk) => writer.push(chunk as ChatChunk));
  events.push(...writer.end());
  return { events, response: writer.response! };
}

function assembled(chunks: unknown[]): ChatCompletion {
  const assembler = new CompletionAssembler();
  for (const chunk of chunks) assembler.add(structuredClone(chunk));
  return assembler.completion();
}

function readBack(events: ResponseEvent[]): ResponseObject | null {
  const reader = new ResponseReader();
  const kinds = events.map((event) => reader.push(event).kind);
  expect(kinds.slice(0, -1)).not.toContain('end');
  expect(kinds.at(-1)).toBe('end');
  return reader.response;
}

const problems = (events: ResponseEvent[]): string[] => events.flatMap((event) => schemaProblems('ResponseStreamEvent', event));

const WHOLE = ['openai/openai-text.json', 'groq/groq-tool-call.json', 'mistral/mistral-text.json', 'mistral/mistral-tool-call.json', 'deepseek/deepseek-json.json', 'deepseek/deepseek-reasoning.json', 'openai-compatible/xai-text.json'];
const STREAMED = ['openai/openai-text.chunks.jsonl', 'groq/groq-tool-call.chunks.jsonl', 'mistral/mistral-text.chunks.jsonl', 'mistral/mistral-tool-call.chunks.jsonl', 'deepseek/deepseek-reasoning.chunks.jsonl', 'openai-compatible/xai-text.chunks.jsonl', 'openai/azure-model-router.1.chunks.jsonl'];

test.each(WHOLE)('a whole chat completion becomes a valid response with the same words, calls and usage: %s', (recording) => {
  const completion = asCompletion(recordedReply(recording))!;
  const response = responseOf(completion, request(), origin);
  expect(schemaProblems('Response', response)).toEqual([]);
  expect(response).toMatchObject({ id: origin.id, status: 'completed', model: completion.model, created_at: 1_700_000_000, completed_at: 1_700_000_007 });
  expect(responseUsage(response.usage)).toEqual(usageOf(completion.usage));
  const { message } = completion.choices[0]!;
  const parts = response.output.flatMap((item) => (item.type === 'message' ? (item['content'] as { text: string }[]) : []));
  expect(parts.map(({ text }) => text)).toEqual(message['content'] ? [message['content']] : []);
  const calls = (message['tool_calls'] ?? []) as { id: string; function: { name: string; arguments: string } }[];
  expect(response.output.filter(({ type }) => type === 'function_call')).toMatchObject(calls.map((call) => ({ call_id: call.id, name: call.function.name, arguments: call.function.arguments })));
  const reasoning = response.output.flatMap((item) => (item.type === 'reasoning' ? (item['summary'] as unknown[]) : []));
  expect(reasoning).toEqual(message['reasoning_content'] ? [{ type: 'summary_text', text: message['reasoning_content'] }] : []);
});

test.each(STREAMED)('a streamed chat completion becomes valid events that read back to what the whole one becomes: %s', (recording) => {
  const chunks = recordedEvents(recording).filter((data) => data.startsWith('{')).map((data) => JSON.parse(data) as unknown);
  const { events, response } = written(chunks);
  expect(problems(events)).toEqual([]);
  expect(events.map(({ sequence_number: n }) => n)).toEqual(events.map((_, index) => index));
  expect(readBack(events)).toEqual(response);
  const whole = responseOf(assembled(chunks), request(), origin);
  expect(response.output).toEqual(whole.output);
  expect(response.output.length).toBeGreaterThan(0);
  expect({ ...response, model: '' }).toEqual({ ...whole, model: '' });
});

test('events come in OpenAI’s order', () => {
  const delta = (fields: object, finish: string | null = null): object => ({ id: 'c', choices: [{ index: 0, delta: fields, finish_reason: finish }] });
  const { events } = written([
    delta({ role: 'assistant', content: '' }),
    delta({ reasoning_content: 'Hm' }),
    delta({ content: 'Let me' }),
    delta({ content: ' look.' }),
    delta({ tool_calls: [{ index: 0, id: 'a', type: 'function', function: { name: 'f', arguments: '' } }] }),
    delta({ tool_calls: [{ index: 0, function: { arguments: '{}' } }] }),
    delta({ tool_calls: [{ index: 1, id: 'b', type: 'function', function: { name: 'g', arguments: '{}' } }] }),
    delta({}, 'tool_calls'),
    { id: 'c', choices: [], usage: { prompt_tokens: 1, completion_tokens: 2, total_tokens: 3 } },
  ]);
  expect(events.map(({ type }) => type.replace('response.', ''))).toEqual([
    'created', 'in_progress',
    'output_item.added', 'reasoning_summary_part.added', 'reasoning_summary_text.delta', 'reasoning_summary_text.done', 'reasoning_summary_part.done', 'output_item.done',
    'output_item.added', 'content_part.added', 'output_text.delta', 'output_text.delta', 'output_text.done', 'content_part.done', 'output_item.done',
    'output_item.added', 'function_call_arguments.delta', 'function_call_arguments.done', 'output_item.done',
    'output_item.added', 'function_call_arguments.delta', 'function_call_arguments.done', 'output_item.done',
    'completed',
  ]);
  expect(problems(events)).toEqual([]);
});

test.each([
  ['stop', 'completed', null],
  ['tool_calls', 'completed', null],
  ['length', 'incomplete', { reason: 'max_output_tokens' }],
  ['content_filter', 'incomplete', { reason: 'content_filter' }],
  [null, 'incomplete', null],
])('an answer that ended with %s is %s, whole and streamed', (finish, status, details) => {
  const whole = responseOf({ choices: [{ index: 0, message: { role: 'assistant', content: 'Hi' }, finish_reason: finish }] }, request(), origin);
  const { events, response } = written([{ choices: [{ index: 0, delta: { content: 'Hi' }, finish_reason: finish }] }]);
  expect(whole).toMatchObject({ status, incomplete_details: details, output: [{ type: 'message', status }] });
  expect(response).toEqual(whole);
  expect(events.at(-1)!.type).toBe(`response.${status}`);
  expect(problems(events)).toEqual([]);
});

test('what was asked for is repeated in the response', () => {
  const asked = {
    instructions: 'Be brief.', max_output_tokens: 50, temperature: 0.2, top_p: 0.5, parallel_tool_calls: false, user: 'u', safety_identifier: 's', metadata: { a: 'b' }, tool_choice: 'required',
    reasoning: { effort: 'low', summary: 'auto' }, text: { format: { type: 'json_object' }, verbosity: 'low' }, truncation: 'auto', top_logprobs: 1, prompt_cache_key: 'k', service_tier: 'flex',
  };
  const response = responseOf({ choices: [] }, request({ ...asked, store: true, tools: [{ type: 'function', name: 'f' }, { type: 'custom', name: 'g' }] }), origin);
  expect(response).toMatchObject({ ...asked, store: false, model: 'm', tools: [{ type: 'function', name: 'f', parameters: null, strict: false }, { type: 'custom', name: 'g' }] });
  expect(schemaProblems('Response', response)).toEqual([]);
});

test('a refusal is a refusal, whole and streamed', () => {
  const message = { role: 'assistant', content: null, refusal: 'I cannot.' };
  const whole = responseOf({ choices: [{ index: 0, message, finish_reason: 'stop' }] }, request(), origin);
  const { events, response } = written(['I ', 'cannot.'].map((refusal) => ({ choices: [{ index: 0, delta: { refusal }, finish_reason: null }] })).concat([{ choices: [{ index: 0, delta: {} as { refusal: string }, finish_reason: 'stop' as unknown as null }] }]));
  expect(whole.output).toMatchObject([{ type: 'message', content: [{ type: 'refusal', refusal: 'I cannot.' }] }]);
  expect(response).toEqual(whole);
  expect(problems(events)).toEqual([]);
});

test('a custom tool is called with its text, whole and streamed, also by a model that forgets the form', () => {
  const body = request({ tools: [{ type: 'custom', name: 'sql' }] });
  for (const [args, input] of [['{"input":"SELECT \\"a\\""}', 'SELECT "a"'], ['SELECT 1', 'SELECT 1']] as const) {
    const calls = [{ id: 'c1', type: 'function', function: { name: 'sql', arguments: args } }];
    const whole = responseOf({ choices: [{ index: 0, message: { role: 'assistant', tool_calls: calls }, finish_reason: 'tool_calls' }] }, body, origin);
    const { events, response } = written([
      { choices: [{ index: 0, delta: { tool_calls: [{ index: 0, id: 'c1', function: { name: 'sql', arguments: args.slice(0, 5) } }] }, finish_reason: null }] },
      { choices: [{ index: 0, delta: { tool_calls: [{ index: 0, function: { arguments: args.slice(5) } }] }, finish_reason: 'tool_calls' }] },
    ], body);
    expect(whole.output).toMatchObject([{ type: 'custom_tool_call', call_id: 'c1', name: 'sql', input }]);
    expect(response).toEqual(whole);
    expect(problems(events)).toEqual([]);
    expect(events.map(({ type }) => type)).toContain('response.custom_tool_call_input.done');
  }
});

test('log probabilities go along with their text', () => {
  const logprobs = { content: [{ token: 'Hi', logprob: -0.1, bytes: [72, 105], top_logprobs: [{ token: 'Hi', logprob: -0.1, bytes: null }] }] };
  const whole = responseOf({ choices: [{ index: 0, message: { role: 'assistant', content: 'Hi' }, finish_reason: 'stop', logprobs }] }, request(), origin);
  const { events, response } = written([{ choices: [{ index: 0, delta: { content: 'Hi' }, finish_reason: 'stop', logprobs }] }]);
  expect(whole.output).toMatchObject([{ content: [{ logprobs: [{ token: 'Hi', top_logprobs: [{ bytes: [] }] }] }] }]);
  expect(response).toEqual(whole);
  expect(problems(events)).toEqual([]);
});

test('thinking that stands inside the content is reasoning', () => {
  const content = [{ type: 'thinking', thinking: [{ type: 'text', text: 'Hm.' }] }, { type: 'text', text: 'Hi' }];
  const { output } = responseOf({ choices: [{ index: 0, message: { role: 'assistant', content }, finish_reason: 'stop' }] }, request(), origin);
  expect(output).toMatchObject([{ type: 'reasoning', summary: [{ text: 'Hm.' }] }, { type: 'message', content: [{ text: 'Hi' }] }]);
});

test('an empty stream is an incomplete response, not a crash', () => {
  const { events } = written([]);
  expect(events.map(({ type }) => type)).toEqual(['response.created', 'response.in_progress', 'response.incomplete']);
});

test('a call that goes on after the next has begun and it was complete is malformed', () => {
  const call = (index: number, name: string | null, args: string): object => ({ choices: [{ index: 0, delta: { tool_calls: [{ index, ...(name && { id: name }), function: { ...(name && { name }), arguments: args } }] }, finish_reason: null }] });
  expect(() => written([call(0, 'f', '{}'), call(1, 'g', ''), call(0, null, '{"a":1}')])).toThrow(AttemptFailure);
});

test.each([{ tool_calls: [null] }, { tool_calls: [{ function: null }] }, { content: [null, { type: 'thinking', thinking: [null] }] }, { content: 7, tool_calls: null, reasoning: {} }])(
  'what makes no sense in a message is passed over, whole and streamed: %j',
  (message) => {
    const logprobs = { content: [null, { token: 'x', logprob: -1, top_logprobs: [null] }] };
    expect(responseOf({ choices: [{ index: 0, message, finish_reason: 'stop', logprobs }] }, request(), origin).status).toBe('completed');
    expect(problems(written([{ choices: [null] }, { choices: [{ index: 0, delta: message, finish_reason: 'stop', logprobs }] }]).events)).toEqual([]);
  },
);

/** Pieces of one list after another's, but each list in its own order. */
function mixed<T>(lists: T[][], picks: number[]): T[] {
  const rest = lists.map((list) => [...list]);
  const out: T[] = [];
  for (let turn = 0; rest.some((list) => list.length > 0); turn++) {
    const open = rest.filter((list) => list.length > 0);
    out.push(open[(picks[turn % picks.length] ?? 0) % open.length]!.shift()!);
  }
  return out;
}

const cut = (text: string, cuts: number[]): string[] => {
  const places = [...new Set(cuts.map((place) => place % (text.length + 1)))].sort((a, b) => a - b);
  return [0, ...places].map((from, index) => text.slice(from, places[index] ?? text.length)).filter((piece) => piece !== '');
};

const anyCuts = fc.array(fc.nat(200), { minLength: 1, maxLength: 6 });
const anyCall = fc.record({ id: fc.string({ minLength: 1, maxLength: 6 }), name: fc.constantFrom('f', 'g', 'sql'), args: fc.dictionary(fc.string({ maxLength: 5 }), fc.string({ maxLength: 5 }), { maxKeys: 3 }), cuts: anyCuts });

test('however an answer is cut into chunks, and its calls are mixed, the stream says what the whole says', () => {
  const body = request({ tools: [{ type: 'custom', name: 'sql' }] });
  fc.assert(
    fc.property(
      fc.record({ reasoning: fc.string(), text: fc.string(), refusal: fc.string({ maxLength: 5 }), cuts: anyCuts, calls: fc.array(anyCall, { maxLength: 3 }), picks: fc.array(fc.nat(5), { minLength: 1 }), finish: fc.constantFrom('stop', 'length', 'content_filter') }),
      ({ reasoning, text, refusal, cuts, calls, picks, finish }) => {
        const fragments = mixed(
          calls.map(({ id, name, args, cuts: places }, index) => [{ index, id, type: 'function', function: { name, arguments: '' } }, ...cut(JSON.stringify(args), places).map((piece) => ({ index, function: { arguments: piece } }))] as object[]),
          picks,
        );
        const deltas = [
          { role: 'assistant', content: '' },
          ...cut(reasoning, cuts).map((piece) => ({ reasoning_content: piece })),
          ...cut(text, cuts).map((piece) => ({ content: piece })),
          ...cut(refusal, cuts).map((piece) => ({ refusal: piece })),
          ...fragments.map((fragment) => ({ tool_calls: [fragment] })),
        ];
        const chunks = [...deltas.map((delta) => ({ id: 'c', choices: [{ index: 0, delta, finish_reason: null as string | null }] })), { id: 'c', choices: [{ index: 0, delta: {}, finish_reason: finish }] }];
        const { events, response } = written(chunks, body);
        expect(response).toEqual(responseOf(assembled(chunks), body, origin));
        expect(readBack(events)).toEqual(response);
        expect(problems(events)).toEqual([]);
      },
    ),
  );
});
