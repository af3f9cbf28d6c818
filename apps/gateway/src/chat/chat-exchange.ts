import type { Usage } from '@deja/contracts';
import type { Exchange, WholeReply } from '../attempt/exchange.ts';
import { AttemptFailure } from '../attempt/failure.ts';
import { openAiCallOf } from '../dialects/openai/call.ts';
import { anthropic } from '../dialects/anthropic/anthropic.ts';
import type { ChatDialect, TranslationContext } from '../dialects/dialect.ts';
import { gemini } from '../dialects/gemini/gemini.ts';
import { withCallTypes } from '../dialects/openai/tool-calls.ts';
import { replyUsage } from '../dialects/openai/usage.ts';
import { simulate } from '../dialects/simulated.ts';
import type { ExchangeContext } from '../pipeline/endpoint.ts';
import { parsedReply } from '../reply/parsed-reply.ts';
import { audioIds } from './audio-ids.ts';
import type { ChatQuestion } from './chat-question.ts';
import { OpenAiChunks, TranslatedChunks, type ChunkSource } from './chunk-source.ts';
import { asCompletion, isComplete, isStorable, usageOf, type ChatCompletion, type CompletionUsage } from './completion.ts';
import { GuardedChunks } from './guarded-chunks.ts';
import { guardedCompletion } from './guarded-completion.ts';
import { saidInCompletion } from './said.ts';
import { streamError } from './stream-error.ts';

/** How one candidate is asked for a chat completion, and how its answer is read as one. */
export interface ChatCall extends Pick<Exchange, 'url' | 'headers' | 'body' | 'dropped' | 'failure' | 'simulated'> {
  /** A whole reply; `bytes` are the provider's own where they may be sent on as they are. */
  completion(reply: Buffer): { completion: ChatCompletion; bytes: Buffer };
  /** The same without content rules, where there are any. */
  unguarded?: (reply: Buffer) => { completion: ChatCompletion };
  chunks(): ChunkSource;
  /** What a reply, or the chunks of a stream put together, say was used. */
  usageIn: (reply: Readonly<Record<string, unknown>>) => Usage | null;
}

/** The call in the words of the candidate's provider. Content rules are already in what it reads. */
export function chatCall(question: ChatQuestion, context: ExchangeContext): ChatCall {
  const call = unguardedCall(question, context);
  const { rules } = context;
  if (rules === null) return call;
  return {
    ...call,
    unguarded: (reply) => call.completion(reply),
    chunks: () => new GuardedChunks(call.chunks(), rules),
    completion: (reply) => {
      const { completion, bytes } = call.completion(reply);
      const treated = guardedCompletion(completion, rules);
      return treated === completion ? { completion, bytes } : { completion: treated, bytes: Buffer.from(JSON.stringify(treated)) };
    },
  };
}

function unguardedCall(question: ChatQuestion, context: ExchangeContext): ChatCall {
  const { deployment } = context.candidate;
  switch (deployment.kind) {
    case 'anthropic':
      return translatedCall(anthropic, question, context);
    case 'gemini':
      return translatedCall(gemini(deployment.apiVersion), question, context);
    case 'simulated':
      return { ...openAiCall(question, context), simulated: (signal) => simulate(question, context, signal) };
    case 'openai':
    case 'azure-openai':
      return openAiCall(question, context);
  }
}

function openAiCall({ json, stream, includeUsage }: ChatQuestion, { candidate }: ExchangeContext): ChatCall {
  const { server, ...call } = openAiCallOf(json, candidate, { endpoint: 'chat/completions', stream, includeUsage });
  return {
    ...call,
    completion: (bytes) => withCallTypes(completionIn(parsedReply(bytes)), bytes),
    chunks: () => new OpenAiChunks(),
    usageIn: (reply) => replyUsage(reply, server),
  };
}

/** Versions that a base URL may end in although the dialect's own paths begin with one. */
const VERSION_AT_END = /\/v\d+(?:beta|alpha)?\d*\/*$/;

function translatedCall(dialect: ChatDialect, { body, stream }: ChatQuestion, { candidate, maxOutputTokens, createdS }: ExchangeContext): ChatCall {
  const context: TranslationContext = { upstreamModel: candidate.upstreamModel, stream, maxOutputTokens, createdS };
  const { path, headers, body: text, dropped } = dialect.request(body, context);
  return {
    url: `${candidate.deployment.baseUrl.replace(VERSION_AT_END, '').replace(/\/+$/, '')}${path}`,
    headers,
    body: text,
    dropped,
    failure: dialect.failure,
    completion: (reply) => {
      const completion = dialect.reply(parsedReply(reply), body, context);
      return { completion, bytes: Buffer.from(JSON.stringify(completion)) };
    },
    chunks: () => new TranslatedChunks(dialect.stream(body, context)),
    usageIn: (reply) => usageOf(reply['usage'] as CompletionUsage | null),
  };
}

/** A whole chat reply for a client of chat completions. */
export function wholeChatReply(call: ChatCall, reply: Buffer): WholeReply {
  const read = readOrBlocked(call, reply);
  if ('blocked' in read) return read.blocked;
  const { completion, bytes } = read;
  return {
    body: bytes,
    storable: isStorable(completion),
    complete: isComplete(completion),
    usage: call.usageIn(completion),
    said: () => saidInCompletion(completion),
    text: spokenText(completion),
    storedIds: { response: null, parts: audioIds(completion.choices.map(({ message }) => message)) },
  };
}

/** The completion; or, where a content rule keeps it from the client, what is still to be known of it: the provider bills it all the same. */
export function readOrBlocked(call: ChatCall, reply: Buffer): ReturnType<ChatCall['completion']> | { blocked: WholeReply } {
  try {
    return call.completion(reply);
  } catch (error) {
    if (!(error instanceof AttemptFailure) || error.kind !== 'blocked') throw error;
    const { completion } = call.unguarded === undefined ? call.completion(reply) : call.unguarded(reply);
    const blocked = { body: Buffer.alloc(0), storable: false, complete: false, usage: call.usageIn(completion), said: () => saidInCompletion(completion), text: '', blockedBy: error.rule ?? 'content safety' };
    return { blocked };
  }
}

export const spokenText = (completion: ChatCompletion): string =>
  completion.choices.map(({ message }) => [message['content'], message['refusal']].filter((text) => typeof text === 'string').join('\n')).join('\n');

function completionIn(value: unknown): ChatCompletion {
  const completion = asCompletion(value);
  // Some servers put their complaint into a 200, as they would into a stream.
  if (completion === null) throw typeof value === 'object' && value !== null && 'error' in value ? streamError(value) : new AttemptFailure('malformed');
  return completion;
}
