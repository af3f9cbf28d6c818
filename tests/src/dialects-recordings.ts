import { raw, recordedEvents, recordedReply, recordedSse, recordedText, recordingNames, type Step } from '@deja/testing';
import type { Model } from './dialects-cluster.ts';

/** What an answer comes to, in whatever words it was given. Arguments are parsed, so that white space does not count. */
export interface Gist {
  text: string;
  calls: [name: string, args: unknown][];
  finish: string | null;
  /** As the client is told. */
  usage: Tokens;
}

type Tokens = [prompt: number, completion: number];

type Json = Record<string, any>;
type Dialect = 'anthropic' | 'gemini' | 'openai';

/** Which model replays a recorded chat; recordings of other endpoints are not here. */
const CHATS: [pattern: string, model: Model, dialect: Dialect][] = [
  ['anthropic/*', 'claude', 'anthropic'],
  ['google/google-{text,reasoning,tool-call}.*', 'gemini', 'gemini'],
  ['mistral/*', 'mistral', 'openai'],
  ['groq/groq-tool-call.*', 'groq', 'openai'],
  ['deepseek/*', 'deepseek', 'openai'],
  ['openai-compatible/xai-*', 'xai', 'openai'],
  ['openai/openai-text.*', 'gpt', 'openai'],
  ['openai/azure-model-router.*', 'azure-dated', 'openai'],
];

/** Recorded model responses, and who replays them. */
const RESPONSES: [pattern: string, model: Model][] = [
  ['azure/*', 'azure-v1'],
  ['openai/openai-{custom-tool,reasoning-encrypted-content}.*', 'gpt'],
];

/** Recordings that tests name by themselves. */
const NAMED = [
  'openai/openai-completion-text.*', 'openai/openai-embedding.json', 'openai/openai-image.json', 'openai/openai-error.*',
  'openai/reasoning-model-legacy-parameter-error.json', 'google/google-429-retry-info.json', 'groq/groq-transcription-text.json',
];
/** Recordings of APIs deja does not speak: Cohere's own and Gemini's Interactions. */
const OF_OTHER_APIS = ['cohere/*', 'google/structured-output.json'];

const isStream = (name: string): boolean => name.endsWith('.chunks.jsonl');

export interface Recording {
  name: string;
  model: Model;
  stream: boolean;
  step: Step;
  gist: Gist;
  /** Some providers leave reasoning tokens out of their completion tokens, but not out of the bill. */
  billed: Tokens;
}

/** Every recorded chat. */
export const recordedChats = (): Recording[] =>
  CHATS.flatMap(([pattern, model, dialect]) => recordingNames(pattern).map((name) => {
    const { total, ...gist } = SAID[dialect](name);
    const frames = dialect === 'anthropic' ? 'typed' : dialect;
    return { name, model, stream: isStream(name), step: replay(name, frames), gist, billed: [gist.usage[0], total - gist.usage[0]] };
  }));

/** Every recorded response. */
export const recordedResponses = (): Recording[] =>
  RESPONSES.flatMap(([pattern, model]) => recordingNames(pattern).map((name) => {
    const gist = gistOfResponse(recordedResponse(name));
    return { name, model, stream: isStream(name), step: replay(name, 'typed'), gist, billed: gist.usage };
  }));

/** Recordings that stand in none of these lists. */
export function forgottenRecordings(): string[] {
  const known = new Set([...CHATS.map(([pattern]) => pattern), ...RESPONSES.map(([pattern]) => pattern), ...NAMED, ...OF_OTHER_APIS].flatMap((pattern) => recordingNames(pattern)));
  return recordingNames().filter((name) => !known.has(name));
}

/** The recorded bytes, as the provider would send them. */
export const replay = (name: string, frames: 'openai' | 'typed' | 'gemini'): Step =>
  isStream(name) ? raw({ contentType: 'text/event-stream', body: recordedSse(name, frames) }) : raw({ contentType: 'application/json', body: recordedText(name) });

const eventsOf = (name: string): Json[] => recordedEvents(name).map((line) => JSON.parse(line) as Json);

type Said = Gist & { total: number };

/** What the recordings say, read in the plainest way there is, with the total of tokens. */
const SAID: Record<Dialect, (name: string) => Said> = {
  anthropic: (name) => ofMessage(isStream(name) ? wholeMessage(eventsOf(name)) : (recordedReply(name) as Json)),
  gemini: (name) => ofCandidate(isStream(name) ? wholeCandidate(eventsOf(name)) : (recordedReply(name) as Json)),
  openai: (name) => {
    const completion = isStream(name) ? wholeCompletion(eventsOf(name)) : (recordedReply(name) as Json);
    return { ...gistOfChat(completion), total: completion.usage.total_tokens };
  },
};

const MESSAGE_ENDS: Json = { end_turn: 'stop', tool_use: 'tool_calls', refusal: 'content_filter', max_tokens: 'length' };

function ofMessage({ content, stop_reason, usage }: Json): Said {
  const prompt = usage.input_tokens + (usage.cache_read_input_tokens ?? 0) + (usage.cache_creation_input_tokens ?? 0);
  const blocks = content as Json[];
  return {
    text: blocks.filter((block) => block.type === 'text').map((block) => block.text).join(''),
    calls: blocks.filter((block) => block.type === 'tool_use').map((block) => [block.name, block.input]),
    finish: MESSAGE_ENDS[stop_reason],
    usage: [prompt, usage.output_tokens],
    total: prompt + usage.output_tokens,
  };
}

function wholeMessage(events: Json[]): Json {
  const message: Json = { content: [] };
  for (const event of events) {
    if (event.type === 'message_start') message.usage = event.message.usage;
    if (event.type === 'content_block_start') message.content.push({ ...event.content_block, written: '' });
    if (event.type === 'content_block_delta') {
      const block = message.content[event.index];
      block.text += event.delta.text ?? '';
      block.written += event.delta.partial_json ?? '';
    }
    if (event.type === 'message_delta') Object.assign(message, { stop_reason: event.delta.stop_reason, usage: { ...message.usage, ...event.usage } });
  }
  for (const block of message.content) if (block.written !== '') block.input = JSON.parse(block.written);
  return message;
}

function ofCandidate({ candidates: [candidate], usageMetadata: counted }: Json): Said {
  const parts = candidate.content.parts as Json[];
  const calls = parts.filter((part) => part.functionCall).map(({ functionCall }): [string, unknown] => [functionCall.name, functionCall.args]);
  const { promptTokenCount: prompt, totalTokenCount: total } = counted;
  return {
    text: parts.filter((part) => !part.thought).map((part) => part.text ?? '').join(''),
    calls,
    finish: calls.length > 0 ? 'tool_calls' : candidate.finishReason.toLowerCase(),
    usage: [prompt, total - prompt],
    total,
  };
}

function wholeCandidate(events: Json[]): Json {
  const parts = events.flatMap((event) => event.candidates[0].content.parts);
  return { candidates: [{ content: { parts }, finishReason: events.at(-1)!.candidates[0].finishReason }], usageMetadata: events.at(-1)!.usageMetadata };
}

function wholeCompletion(events: Json[]): Json {
  const deltas = events.flatMap((event) => event.choices[0] ?? []) as Json[];
  const content = deltas.map(({ delta }) => delta.content ?? '').join('');
  // Recorded calls came whole, each in one piece.
  const tool_calls = deltas.flatMap(({ delta }) => delta.tool_calls ?? []);
  const usage = events.findLast((event) => event.usage)?.usage;
  return { choices: [{ message: { content, tool_calls }, finish_reason: deltas.findLast((choice) => choice.finish_reason)?.finish_reason }], usage };
}

/** The gist of a chat completion, as an SDK gives it. */
export function gistOfChat({ choices, usage }: Json): Gist {
  const { message, finish_reason } = choices[0];
  const calls = ((message.tool_calls ?? []) as Json[]).map(({ function: called }): [string, unknown] => [called.name, JSON.parse(called.arguments)]);
  return { text: message.content ?? '', calls, finish: finish_reason, usage: [usage.prompt_tokens, usage.completion_tokens] };
}

/** The first that a recording brings to its end: one holds the responses of two turns. */
const recordedResponse = (name: string): Json => (isStream(name) ? eventsOf(name).find((event) => event.type === 'response.completed')!.response : (recordedReply(name) as Json));

/** The gist of a response; its status is how it finished. */
export function gistOfResponse({ output, status, usage }: Json): Gist {
  const items = output as Json[];
  return {
    text: items.filter((item) => item.type === 'message').flatMap((item) => item.content).map((part) => part.text ?? '').join(''),
    calls: items.filter((item) => /^(function|custom_tool)_call$/.test(item.type)).map((item) => [item.name, item.type === 'function_call' ? JSON.parse(item.arguments) : item.input]),
    finish: status,
    usage: [usage.input_tokens, usage.output_tokens],
  };
}
