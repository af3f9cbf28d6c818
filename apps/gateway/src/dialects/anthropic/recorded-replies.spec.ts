import { recordedEvents, recordedReply, recordedSse, recordingNames, schemaProblems } from '@deja/testing';
import fc from 'fast-check';
import type { ChatBody } from '../../chat/chat-request.ts';
import type { ChatCompletion } from '../../chat/completion.ts';
import { CompletionAssembler } from '../../chat/completion-stream.ts';
import type { ChatChunk, TranslationContext } from '../dialect.ts';
import { SseParser } from '../sse.ts';
import { anthropic } from './anthropic.ts';
import type { JsonObject } from './messages-api.ts';

const BODY: ChatBody = { model: 'm', messages: [{ role: 'user', content: 'hi' }] };
/** A list of anything cannot be enforced by `output_config.format`: this asks for the JSON tool. */
const JSON_SCHEMA = { type: 'object', properties: { elements: { type: 'array', items: {} } } };
const JSON_BODY: ChatBody = { ...BODY, response_format: { type: 'json_schema', json_schema: { name: 'weather', schema: JSON_SCHEMA } } };

const context = (stream: boolean): TranslationContext => ({ upstreamModel: 'claude-haiku-4-5', stream, maxOutputTokens: null, createdS: 1_700_000_000 });
const bodyOf = (name: string): ChatBody => (name.includes('json-tool') ? JSON_BODY : BODY);

/** What an answer comes to. JSON text is parsed, so that white space does not count. */
interface Gist {
  content: unknown;
  finish: string;
  /** Prompt, completion, reasoning tokens. */
  tokens: [number, number, number];
  /** Name and arguments. */
  calls?: [string, unknown][];
  refusal?: unknown;
  reasoning?: unknown;
}

const begins = (words: string): unknown => expect.stringMatching(new RegExp(`^${words}`));

/** What each recording says, read by eye. */
const EXPECTED: Record<string, Gist> = {
  'anthropic-claude-opus-5-reasoning-high.1.json': {
    content: begins('## Step 1: Set up the problem\n\nWe want all values'),
    finish: 'stop',
    tokens: [51, 1699, 139],
    reasoning: begins('I need to find all roots'),
  },
  'anthropic-clear-thinking.1.chunks.jsonl': {
    content: '925 ÷ 5 = 185',
    finish: 'stop',
    tokens: [69, 53, 0],
    reasoning: 'The previous result was 925. Now I need to divide that by 5.\n\n925 ÷ 5 = 185',
  },
  'anthropic-clear-thinking.1.json': { content: '925 ÷ 5 = 185', finish: 'stop', tokens: [69, 33, 0], reasoning: '925 divided by 5 = 185' },
  'anthropic-json-tool.1.chunks.jsonl': { content: { elements: [{ location: 'San Francisco', temperature: 58, condition: 'sunny' }] }, finish: 'stop', tokens: [849, 47, 0] },
  'anthropic-json-tool.1.json': {
    content: {
      elements: [
        { location: 'San Francisco', temperature: -5, condition: 'snowy' },
        { location: 'London', temperature: 0, condition: 'snowy' },
        { location: 'Paris', temperature: 23, condition: 'cloudy' },
        { location: 'Berlin', temperature: -9, condition: 'snowy' },
      ],
    },
    finish: 'stop',
    tokens: [1151, 87, 0],
  },
  'anthropic-message-delta-input-tokens.chunks.jsonl': { content: 'pong', finish: 'stop', tokens: [61, 2, 0] },
  'anthropic-refusal.chunks.jsonl': { content: null, finish: 'content_filter', tokens: [18, 5, 0], refusal: begins('This request triggered restrictions') },
  'anthropic-refusal.json': { content: null, finish: 'content_filter', tokens: [18, 5, 0], refusal: begins('This request triggered restrictions') },
  'anthropic-text.chunks.jsonl': {
    content: "Hello! I'm doing well, thank you for asking. How are you doing today? Is there anything I can help you with?",
    finish: 'stop',
    tokens: [12, 30, 0],
  },
  'anthropic-text.json': {
    content: "Hello! I'm doing well, thanks for asking. How are you doing today? Is there anything I can help you with?",
    finish: 'stop',
    tokens: [12, 29, 0],
  },
  'anthropic-tool-no-args.chunks.jsonl': { content: "I'll update the issue list for you.", finish: 'tool_calls', tokens: [565, 48, 0], calls: [['updateIssueList', {}]] },
  'anthropic-tool-no-args.json': { content: begins('<thinking>\nThe updateIssueList tool'), finish: 'tool_calls', tokens: [602, 93, 0], calls: [['updateIssueList', {}]] },
};

const gistOf = (name: string): Gist => ({ calls: [], refusal: null, reasoning: null, ...EXPECTED[fileName(name)]! });

function gist(completion: ChatCompletion): Gist {
  const { message, finish_reason: finish } = completion.choices[0]!;
  const { usage } = completion;
  const calls = (message['tool_calls'] ?? []) as { id: string; type: string; function: { name: string; arguments: string } }[];
  const content = (message['content'] ?? '') as string;
  return {
    content: content.startsWith('{') ? (JSON.parse(content) as unknown) : content || null,
    finish: finish ?? 'none',
    tokens: [usage!.prompt_tokens!, usage!.completion_tokens!, usage!.completion_tokens_details!.reasoning_tokens!],
    calls: calls.map((call) => [call.function.name, JSON.parse(call.function.arguments)]),
    refusal: message['refusal'] ?? null,
    reasoning: message['reasoning_content'] ?? null,
  };
}

const recordings = recordingNames('anthropic/*');
const streams = recordings.filter((name) => name.endsWith('.jsonl'));
const fileName = (path: string): string => path.replace('anthropic/', '');

function translated(name: string, chunks: readonly Uint8Array[]): ChatChunk[] {
  const parser = new SseParser();
  const translator = anthropic.stream(bodyOf(name), context(true));
  const out = chunks.flatMap((bytes) => parser.push(bytes).flatMap((event) => translator.push(event)));
  return [...out, ...translator.finish()]; // which fails unless the stream was complete
}

function assembled(chunks: readonly ChatChunk[]): ChatCompletion {
  const assembler = new CompletionAssembler();
  for (const chunk of chunks) assembler.add(structuredClone(chunk));
  return assembler.completion();
}

interface RecordedEvent {
  type: string;
  index: number;
  message: JsonObject;
  content_block: JsonObject;
  delta: Record<string, string>;
  usage: JsonObject;
}

/** The message that a recorded stream adds up to, put together a second time, by the rules of Anthropic's documentation. */
function wholeOf(name: string): JsonObject {
  const message: JsonObject = {};
  const content: JsonObject[] = [];
  const grow = (block: JsonObject, { type: _type, ...pieces }: Record<string, string>): void => {
    for (const [field, piece] of Object.entries(pieces)) block[field] = `${(block[field] as string | undefined) ?? ''}${piece}`;
  };
  for (const text of recordedEvents(name)) {
    const event = JSON.parse(text) as RecordedEvent;
    if (event.type === 'message_start') Object.assign(message, event.message);
    if (event.type === 'content_block_start') content[event.index] = event.content_block;
    if (event.type === 'content_block_delta') grow(content[event.index]!, event.delta);
    if (event.type === 'message_delta') Object.assign(message, event.delta, { usage: { ...(message['usage'] as JsonObject), ...event.usage } });
  }
  return { ...message, content: content.map(({ partial_json: json, ...block }) => (json ? { ...block, input: JSON.parse(json as string) as unknown } : block)) };
}

test('every recording is looked at', () => {
  expect(recordings.map(fileName)).toEqual(Object.keys(EXPECTED).sort());
});

describe.each(recordings.filter((name) => name.endsWith('.json')))('%s', (name) => {
  const completion = anthropic.reply(recordedReply(name), bodyOf(name), context(false));

  test('the whole reply says what Anthropic said, with its tokens and its reason to end', () => expect(gist(completion)).toEqual(gistOf(name)));

  test('the whole reply is a chat completion by the schema OpenAI publishes', () => expect(schemaProblems('CreateChatCompletionResponse', completion)).toEqual([]));
});

describe.each(streams)('%s', (name) => {
  const chunks = translated(name, [recordedSse(name, 'typed')]);

  test('the stream adds up to what Anthropic said, with its tokens and its reason to end', () => expect(gist(assembled(chunks))).toEqual(gistOf(name)));

  test('every chunk is one by the schema OpenAI publishes, and only the last has usage and no choices', () => {
    for (const chunk of chunks) expect(schemaProblems('CreateChatCompletionStreamResponse', chunk)).toEqual([]);
    expect(chunks.map((chunk) => [chunk.choices.length, Boolean(chunk.usage)])).toEqual([...chunks.slice(1).map(() => [1, false]), [0, true]]);
    expect(chunks[0]?.choices[0]?.delta['role']).toBe('assistant');
  });

  test('the stream means the same as the whole reply would', () => {
    const whole = anthropic.reply(wholeOf(name), bodyOf(name), context(false));
    const streamed = assembled(chunks);
    expect(gist(streamed)).toEqual(gist(whole));
    expect(streamed.choices[0]!.message['thinking_blocks']).toEqual(whole.choices[0]!.message['thinking_blocks']);
    expect(streamed.choices[0]!.message['tool_calls']).toEqual(whole.choices[0]!.message['tool_calls']);
    expect({ ...streamed, choices: [] }).toEqual({ ...whole, choices: [] });
  });

  test('however the network cuts the bytes, the chunks are the same', () => {
    const bytes = recordedSse(name, 'typed');
    fc.assert(
      fc.property(fc.uniqueArray(fc.nat(bytes.length), { maxLength: 40 }), (cuts) => {
        const edges = [0, ...cuts.sort((a, b) => a - b), bytes.length];
        expect(translated(name, edges.slice(1).map((end, i) => bytes.subarray(edges[i], end)))).toEqual(chunks);
      }),
      { numRuns: 50 },
    );
  });
});

test.each([
  ['whole', anthropic.reply(recordedReply('anthropic/anthropic-clear-thinking.1.json'), BODY, context(false))],
  ['streamed', assembled(translated('anthropic/anthropic-clear-thinking.1.chunks.jsonl', [recordedSse('anthropic/anthropic-clear-thinking.1.chunks.jsonl', 'typed')]))],
])('a thought keeps its signature, so that it can be sent back: %s', (_how, { choices }) => {
  const { message } = choices[0]!;
  expect(message['thinking_blocks']).toEqual([{ type: 'thinking', thinking: message['reasoning_content'], signature: expect.stringMatching(/^E\w/) }]);
  const call = anthropic.request({ ...BODY, messages: [...BODY.messages, message as never, { role: 'user', content: 'on' }] }, context(false));
  const { messages } = JSON.parse(call.body) as { messages: { content: unknown[] }[] };
  expect(messages[1]!.content).toEqual([...(message['thinking_blocks'] as unknown[]), { type: 'text', text: '925 ÷ 5 = 185' }]);
});
