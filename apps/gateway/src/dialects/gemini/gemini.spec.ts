import { recordedEvents, recordedReply, recordedSse, recordingNames, schemaProblems } from '@deja/testing';
import fc from 'fast-check';
import { CompletionAssembler } from '../../chat/completion-stream.ts';
import type { ChatBody } from '../../chat/chat-request.ts';
import type { ChatCompletion } from '../../chat/completion.ts';
import type { ChatChunk, TranslationContext } from '../dialect.ts';
import { SseParser } from '../sse.ts';
import { gemini } from './gemini.ts';

const dialect = gemini(null);
const body: ChatBody = { model: 'g', messages: [{ role: 'user', content: 'How many r are in strawberry?' }] };
const context: TranslationContext = { upstreamModel: 'gemini-3-pro-preview', stream: false, maxOutputTokens: null, createdS: 1_764_000_000 };

interface Expected {
  id: string;
  text: string | null;
  call?: { id: string; name: string; arguments: object };
  /** How the signature of the call, or of the text, begins. */
  signature: string;
  finish: string;
  tokens: [prompt: number, completion: number, reasoning: number, total: number];
}

const expected: Record<string, Expected> = {
  'google/google-text.json': {
    id: 'chatcmpl-Un6LacrVMcjUxs0PmJfWoQc', text: "There are **3** r's in strawberry.\n\nHere is the breakdown: st**r**awbe**rr**y.",
    signature: 'EtoFCtcF', finish: 'stop', tokens: [9, 272, 244, 281],
  },
  'google/google-text.chunks.jsonl': {
    id: 'chatcmpl-bH6LaZW8Fp_3nsEPqtaSwQ4', text: 'There are **3** "r"s in strawberry.\n\nst**r**awbe**rr**y',
    signature: 'EqsFCqgF', finish: 'stop', tokens: [9, 208, 185, 217],
  },
  'google/google-reasoning.json': {
    id: 'chatcmpl-YH6LaZT7ENmPxN8P-r2J8Aw', text: 'There are **3** "r"s in strawberry.\n\nHere is the breakdown: st**r**awbe**rr**y.',
    signature: 'EvsFCvgF', finish: 'stop', tokens: [9, 311, 282, 320],
  },
  'google/google-reasoning.chunks.jsonl': {
    id: 'chatcmpl-dX6LadKVC7SZ28oPr9yJoQs', text: 'There are **3** "r"s in strawberry.\n\nHere is the breakdown: st**r**awbe**rr**y.',
    signature: 'Eo0HCooH', finish: 'stop', tokens: [9, 285, 256, 294],
  },
  'google/google-tool-call.json': {
    id: 'chatcmpl-m36LaZGyCLz1xs0PtNSB-QU', text: null, call: { id: 'call_m36LaZGyCLz1xs0PtNSB-QU_0_0', name: 'weather', arguments: { location: 'San Francisco' } },
    signature: 'EskgCsYg', finish: 'tool_calls', tokens: [29, 908, 893, 937],
  },
  'google/google-tool-call.chunks.jsonl': {
    id: 'chatcmpl-b36LacjwM668nsEP2tbsgQQ', text: null, call: { id: 'call_b36LacjwM668nsEP2tbsgQQ_0_0', name: 'weather', arguments: { location: 'San Francisco' } },
    signature: 'EqUCCqIC', finish: 'tool_calls', tokens: [29, 60, 45, 89],
  },
};

interface Message {
  content: string | null;
  tool_calls?: { id: string; type: string; function: { name: string; arguments: string }; extra_content?: unknown }[];
  extra_content?: unknown;
}

function expectCompletion(completion: ChatCompletion, { id, text, call, signature, finish, tokens }: Expected): void {
  const [choice] = completion.choices;
  const message = choice?.message as unknown as Message;
  const signed = { google: { thought_signature: expect.stringMatching(new RegExp(`^${signature}`)) } };
  expect(completion).toMatchObject({ id, object: 'chat.completion', created: 1_764_000_000, model: 'gemini-3-pro-preview' });
  expect(completion.choices).toHaveLength(1);
  expect(message.content).toBe(text);
  const calls = message.tool_calls?.map(({ id: callId, function: called }) => ({ id: callId, name: called.name, arguments: JSON.parse(called.arguments) as unknown }));
  expect(calls).toEqual(call && [call]);
  expect(call ? message.tool_calls?.[0]?.extra_content : message.extra_content).toEqual(signed);
  expect(choice?.finish_reason).toBe(finish);
  const [prompt, made, reasoning, total] = tokens;
  expect(completion.usage).toEqual({
    prompt_tokens: prompt, completion_tokens: made, total_tokens: total, prompt_tokens_details: { cached_tokens: 0 }, completion_tokens_details: { reasoning_tokens: reasoning },
  });
}

function chunksOf(bytes: Buffer, cuts: number[] = []): ChatChunk[] {
  const parser = new SseParser();
  const stream = dialect.stream(body, { ...context, stream: true });
  const places = [...new Set([0, ...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length])].sort((a, b) => a - b);
  const chunks = places.slice(1).flatMap((end, i) => parser.push(bytes.subarray(places[i], end)).flatMap((event) => stream.push(event)));
  return [...chunks, ...stream.finish()];
}

function assembled(chunks: ChatChunk[]): ChatCompletion {
  const assembler = new CompletionAssembler();
  for (const chunk of chunks) assembler.add(chunk);
  return assembler.completion();
}

/** What both forms say; a whole reply writes out what is absent. */
function meaning(completion: ChatCompletion): unknown {
  const choices = completion.choices.map(({ logprobs = null, message, ...choice }) => ({ ...choice, logprobs, message: { refusal: null, ...message } }));
  return { ...completion, choices };
}

const streams = recordingNames('google/*.chunks.jsonl');
const wholes = recordingNames('google/*.json').filter((name) => Object.hasOwn(expected, name));

test('every recording is either translated or an answer that is none', () => {
  expect([...Object.keys(expected), 'google/google-429-retry-info.json', 'google/structured-output.json'].sort()).toEqual(recordingNames('google/*'));
});

test.each(wholes)('%s: text, calls, finish reason, usage and signature come out right', (name) => {
  const completion = dialect.reply(recordedReply(name), body, context);
  expectCompletion(completion, expected[name]!);
  expect(schemaProblems('CreateChatCompletionResponse', completion)).toEqual([]);
});

test.each(streams)('%s: text, calls, finish reason, usage and signature come out right, the usage last', (name) => {
  const chunks = chunksOf(recordedSse(name, 'gemini'));
  expectCompletion(assembled(chunks), expected[name]!);
  expect(chunks.at(-1)).toMatchObject({ choices: [], usage: {} });
  expect(chunks.flatMap((chunk) => schemaProblems('CreateChatCompletionStreamResponse', chunk))).toEqual([]);
});

test.each(wholes)('%s says the same when it comes as the one event of a stream', (name) => {
  const chunks = chunksOf(Buffer.from(`data: ${JSON.stringify(recordedReply(name))}\n\n`));
  expect(meaning(assembled(chunks))).toEqual(meaning(dialect.reply(recordedReply(name), body, context)));
});

test.each(streams)('%s says the same when its parts come as one whole reply', (name) => {
  const events = recordedEvents(name).map((event) => JSON.parse(event) as { candidates: { content: { parts: unknown[] } }[] });
  const last = events.at(-1)!;
  const parts = events.flatMap((event) => event.candidates[0]!.content.parts);
  const whole = { ...last, candidates: [{ ...last.candidates[0], content: { role: 'model', parts } }] };
  expect(meaning(dialect.reply(whole, body, context))).toEqual(meaning(assembled(chunksOf(recordedSse(name, 'gemini')))));
});

test.each(streams)('%s gives the same chunks however its bytes are cut', (name) => {
  const bytes = recordedSse(name, 'gemini');
  const once = chunksOf(bytes);
  fc.assert(fc.property(fc.array(fc.nat({ max: bytes.length }), { maxLength: 30 }), (cuts) => expect(chunksOf(bytes, cuts)).toEqual(once)), { numRuns: 60 });
});

test.each(streams)('%s is not complete before the event that says why it ended', (name) => {
  const stream = dialect.stream(body, { ...context, stream: true });
  for (const data of recordedEvents(name).slice(0, -1)) stream.push({ event: null, data });
  expect(stream.ended).toBe(false);
  expect(() => stream.finish()).toThrow(expect.objectContaining({ kind: 'network' }));
});

test('a reply of another Google API is no answer', () => {
  expect(() => dialect.reply(recordedReply('google/structured-output.json'), body, context)).toThrow(expect.objectContaining({ kind: 'malformed' }));
  const stream = dialect.stream(body, { ...context, stream: true });
  expect(() => stream.push({ event: null, data: JSON.stringify(recordedReply('google/structured-output.json')) })).toThrow(expect.objectContaining({ kind: 'malformed' }));
});

test('the key travels in a header, never in the URL', () => {
  expect(dialect.credentialHeaders('AIza-key')).toEqual({ 'x-goog-api-key': 'AIza-key' });
  expect(dialect.request(body, context).path).toBe('/v1beta/models/gemini-3-pro-preview:generateContent');
});

test.each([
  ['gemini-2.5-flash', null, true, '/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse'],
  ['models/gemini-2.5-flash', 'v1', false, '/v1/models/gemini-2.5-flash:generateContent'],
  ['tunedModels/mine', null, false, '/v1beta/tunedModels/mine:generateContent'],
  ['../../x?key=1#\ud800', null, false, '/v1beta/models/..%2F..%2Fx%3Fkey%3D1%23%EF%BF%BD:generateContent'],
])('model %j at version %j has its own path', (upstreamModel, version, stream, path) => {
  expect(gemini(version).request(body, { ...context, upstreamModel, stream }).path).toBe(path);
});
