import type { CompletionUsage } from '../../chat/completion.ts';
import { fieldOf, isObject, type JsonObject } from './messages-api.ts';

/** OpenAI's usage, and how many of the prompt's tokens were written to Anthropic's cache, which cost more than others. */
export interface MessageUsage extends CompletionUsage {
  prompt_tokens_details: { cached_tokens: number; cache_creation_tokens: number };
}

/**
 * Anthropic's usage in OpenAI's words. Anthropic counts apart what was read from and written to its cache ("Prompt
 * caching"); OpenAI's prompt tokens are all of them. Null when there is no count to translate.
 */
export function messageUsage(usage: unknown): MessageUsage | null {
  if (!isObject(usage) || typeof usage['input_tokens'] !== 'number') return null;
  const tokens = (name: string): number => (typeof usage[name] === 'number' ? usage[name] : 0);
  const cachedTokens = tokens('cache_read_input_tokens');
  const cacheCreationTokens = tokens('cache_creation_input_tokens');
  const promptTokens = tokens('input_tokens') + cachedTokens + cacheCreationTokens;
  const completionTokens = tokens('output_tokens');
  const thought = fieldOf(usage['output_tokens_details'], 'thinking_tokens');
  return {
    prompt_tokens: promptTokens,
    completion_tokens: completionTokens,
    total_tokens: promptTokens + completionTokens,
    prompt_tokens_details: { cached_tokens: cachedTokens, cache_creation_tokens: cacheCreationTokens },
    completion_tokens_details: { reasoning_tokens: typeof thought === 'number' ? thought : 0 },
  };
}

/** What a later event of a stream says replaces what an earlier one said, number by number. */
export function laterUsage(earlier: JsonObject, later: unknown): JsonObject {
  if (!isObject(later)) return earlier;
  return { ...earlier, ...Object.fromEntries(Object.entries(later).filter(([, value]) => value !== null)) };
}
