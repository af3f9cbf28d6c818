import { SERVICE_TIERS, type Usage } from '@deja/contracts';

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
  prompt_tokens_details?: { cached_tokens?: number | null; cache_creation_tokens?: number | null; audio_tokens?: number | null; image_tokens?: number | null } | null;
  completion_tokens_details?: { reasoning_tokens?: number | null; audio_tokens?: number | null; image_tokens?: number | null } | null;
}

/** No answer has more tokens than this; a provider that says so is not believed, and the bill says "estimated". */
const MOST_TOKENS = 1_000_000_000;

const isCount = (value: unknown): value is number => typeof value === 'number' && value >= 0 && value <= MOST_TOKENS;
const tokens = (value: unknown): number => (isCount(value) ? Math.round(value) : 0);

/** OpenAI's `usage` object as deja counts it; null when there is none worth believing. */
export function usageOf(usage: CompletionUsage | null | undefined): Usage | null {
  if (!usage || !isCount(usage.prompt_tokens) || !isCount(usage.completion_tokens ?? 0)) return null;
  const promptTokens = tokens(usage.prompt_tokens);
  const completionTokens = tokens(usage.completion_tokens);
  const { prompt_tokens_details: prompt, completion_tokens_details: completion } = usage;
  const cachedTokens = Math.min(tokens(prompt?.cached_tokens), promptTokens);
  return {
    promptTokens,
    cachedTokens,
    cacheWriteTokens: Math.min(tokens(prompt?.cache_creation_tokens), promptTokens - cachedTokens),
    completionTokens,
    reasoningTokens: Math.min(tokens(completion?.reasoning_tokens), completionTokens),
    ...nonTextTokens({ promptTokens, completionTokens, audioIn: prompt?.audio_tokens, imageIn: prompt?.image_tokens, audioOut: completion?.audio_tokens, imageOut: completion?.image_tokens }),
  };
}

/** Sounds and pictures among the tokens of a prompt and an answer, as a provider says; no more of them than there are tokens, and nothing of what there is none of. */
export function nonTextTokens(said: { promptTokens: number; completionTokens: number; audioIn: unknown; imageIn: unknown; audioOut: unknown; imageOut: unknown }): Partial<Usage> {
  const audioInputTokens = Math.min(tokens(said.audioIn), said.promptTokens);
  const imageInputTokens = Math.min(tokens(said.imageIn), said.promptTokens - audioInputTokens);
  const audioOutputTokens = Math.min(tokens(said.audioOut), said.completionTokens);
  const imageOutputTokens = Math.min(tokens(said.imageOut), said.completionTokens - audioOutputTokens);
  return {
    ...(audioInputTokens > 0 && { audioInputTokens }),
    ...(imageInputTokens > 0 && { imageInputTokens }),
    ...(audioOutputTokens > 0 && { audioOutputTokens }),
    ...(imageOutputTokens > 0 && { imageOutputTokens }),
  };
}

/** A usage with the tier at which a reply says that it was served, where that has a price of its own (OpenAI's API reference: the tier that was asked for may be another). */
export function atTier(usage: Usage | null, served: unknown): Usage | null {
  const serviceTier = SERVICE_TIERS.find((tier) => tier === served);
  return usage === null || serviceTier === undefined ? usage : { ...usage, serviceTier };
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
