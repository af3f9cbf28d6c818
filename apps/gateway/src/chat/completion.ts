import type { Usage } from '@deja/contracts';

/** The parts of a chat completion deja reads; the rest passes through. */
export interface ChatCompletion {
  id?: string;
  object?: string;
  created?: number;
  model?: string;
  choices: CompletionChoice[];
  usage?: CompletionUsage | null;
  [field: string]: unknown;
}

export interface CompletionChoice {
  index: number;
  message: Record<string, unknown>;
  finish_reason: string | null;
  [field: string]: unknown;
}

export interface CompletionUsage {
  prompt_tokens?: number;
  completion_tokens?: number;
  total_tokens?: number;
  prompt_tokens_details?: { cached_tokens?: number | null; cache_creation_tokens?: number | null } | null;
  completion_tokens_details?: { reasoning_tokens?: number | null } | null;
}

/** No answer has more tokens than this; a provider that says so is not believed, and the bill says "estimated". */
const MOST_TOKENS = 1_000_000_000;

const isCount = (value: unknown): value is number => typeof value === 'number' && value >= 0 && value <= MOST_TOKENS;
const tokens = (value: unknown): number => (isCount(value) ? Math.round(value) : 0);

/** OpenAI's `usage` object as deja counts it; null when there is none worth believing. */
export function usageOf(usage: CompletionUsage | null | undefined): Usage | null {
  if (!usage || !isCount(usage.prompt_tokens) || !isCount(usage.completion_tokens ?? 0)) return null;
  const promptTokens = tokens(usage.prompt_tokens);
  const cachedTokens = Math.min(tokens(usage.prompt_tokens_details?.cached_tokens), promptTokens);
  return {
    promptTokens,
    cachedTokens,
    cacheWriteTokens: Math.min(tokens(usage.prompt_tokens_details?.cache_creation_tokens), promptTokens - cachedTokens),
    completionTokens: tokens(usage.completion_tokens),
    reasoningTokens: Math.min(tokens(usage.completion_tokens_details?.reasoning_tokens), tokens(usage.completion_tokens)),
  };
}

/** A whole reply that looks like one: an object with at least one choice. */
export function asCompletion(value: unknown): ChatCompletion | null {
  if (typeof value !== 'object' || value === null) return null;
  const { choices } = value as { choices?: unknown };
  if (!Array.isArray(choices) || choices.length === 0) return null;
  return choices.every((choice: unknown) => isChoice(choice, 'message') && isObject(choice['message'])) ? (value as ChatCompletion) : null;
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value);
const isAbsentOr = (value: unknown, holds: (value: unknown) => boolean): boolean => value === undefined || value === null || holds(value);

/** Whether all that is read of a choice, or of a piece of one in a stream, is what it should be. */
export const isChoice = (choice: unknown, member: 'message' | 'delta'): choice is Record<string, unknown> =>
  isObject(choice) && isAbsentOr(choice['index'], Number.isSafeInteger) && isAbsentOr(choice['finish_reason'], (finish) => typeof finish === 'string') && isAbsentOr(choice[member], isMessage);

const isMessage = (value: unknown): boolean => isObject(value) && isAbsentOr(value['tool_calls'], (calls) => Array.isArray(calls) && calls.every(isObject));

/** Whether an answer may be kept for the next one who asks: complete, not filtered, not refused. */
export function isStorable(completion: ChatCompletion): boolean {
  return completion.choices.every((choice) => {
    const finish = choice.finish_reason;
    return finish !== null && finish !== undefined && finish !== 'content_filter' && !choice.message['refusal'];
  });
}

/** Whether every choice ended by itself: an answer cut by length is good for the same question only. */
export const isComplete = (completion: ChatCompletion): boolean => completion.choices.every((choice) => choice.finish_reason === 'stop');
