import type { Usage } from '@deja/contracts';
import { atTier, usageOf, type CompletionUsage } from '../../chat/completion.ts';
import type { CompatibleServer } from './compatible-servers.ts';

/** What compatible servers add to OpenAI's `usage`. */
interface ServerUsage extends CompletionUsage {
  prompt_tokens_details?: {
    cached_tokens?: number | null;
    audio_tokens?: number | null;
    image_tokens?: number | null;
    /** Tokens written to a prompt cache, as deja's own translation of Anthropic says it. */
    cache_creation_tokens?: number | null;
    /** The same at OpenRouter (Usage Accounting). */
    cache_write_tokens?: number | null;
  } | null;
  /** DeepSeek (Create Chat Completion). */
  prompt_cache_hit_tokens?: number;
  /** Some models at Together AI. */
  cached_tokens?: number;
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;
const count = (value: unknown): number => (typeof value === 'number' && value > 0 ? value : 0);

/** The usage of one whole reply, or of the chunks of one stream put together. Groq's streams may have it in `x_groq` only (GroqDocs: API Reference). */
export function replyUsage(reply: Readonly<Record<string, unknown>>, server: CompatibleServer): Usage | null {
  const groq = reply['x_groq'];
  return atTier(openAiUsage(reply['usage'] ?? (isObject(groq) ? groq['usage'] : null), server), reply['service_tier']);
}

/** A server's `usage` object as deja counts it; null when there is none worth believing. Prices a provider states in it are not read: the bill has its own. */
export function openAiUsage(usage: unknown, server: CompatibleServer): Usage | null {
  if (!isObject(usage)) return null;
  const said: ServerUsage = usage;
  const { prompt_tokens_details: details } = said;
  const apart = server.reasoningTokensApart ? reasoningApart(said) : 0;
  const counted = usageOf({
    ...said,
    ...(apart > 0 && { completion_tokens: count(said.completion_tokens) + apart }),
    prompt_tokens_details: {
      cached_tokens: details?.cached_tokens ?? said.prompt_cache_hit_tokens ?? said.cached_tokens ?? null,
      audio_tokens: details?.audio_tokens ?? null,
      image_tokens: details?.image_tokens ?? null,
    },
  });
  if (counted === null) return null;
  const written = Math.round(count(details?.cache_creation_tokens ?? details?.cache_write_tokens));
  return { ...counted, cacheWriteTokens: Math.min(written, counted.promptTokens - counted.cachedTokens) };
}

/** Reasoning tokens that `completion_tokens` leave out; `total_tokens` tell when they do not. */
function reasoningApart(usage: ServerUsage): number {
  const included = usage.total_tokens === count(usage.prompt_tokens) + count(usage.completion_tokens);
  return included ? 0 : count(usage.completion_tokens_details?.reasoning_tokens);
}
