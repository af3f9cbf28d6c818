import type { Price, ProviderKind, Usage } from '@deja/contracts';
import { costNanoUsd, priceOf } from '@deja/pricing';
import { isObject } from './json.ts';

/** What an answer cost to make, and so what it saves not to make it again. null: nobody said. */
export interface Worth {
  /** Of prompt and answer. */
  tokens: number | null;
  costNanoUsd: bigint | null;
  durationMs: number | null;
}

export interface LoggedAnswer {
  worth: Worth;
  /** For which questions it would be kept: none (it failed, was filtered or refused), the same ones (it was cut, or calls tools), or similar ones, too. */
  keptFor: 'none' | 'same' | 'similar';
}

/** Providers' names before a model's, as in `anthropic/claude-sonnet-4`; others speak OpenAI's language. */
const KINDS: Readonly<Record<string, ProviderKind>> = { anthropic: 'anthropic', google: 'gemini', gemini: 'gemini', azure: 'azure-openai' };
/** Whose models have a name without a provider's before it. */
const VENDORS: readonly ProviderKind[] = ['openai', 'anthropic', 'gemini'];

/** Past requests would be made again at the latest prices. */
const LATEST_MS = Infinity;

/**
 * What a line of the log says about the answer. `response`: OpenAI's completion, or `{status_code, body}` as its batch files have it; absent: nothing
 * is known, and it is taken for an answer like any other. Its cost is `cost_usd` (number or decimal text), else its usage at the shipped prices.
 */
export function loggedAnswer(line: Readonly<Record<string, unknown>>, model: string): LoggedAnswer {
  const { response } = line;
  const inBatch = isObject(response) && isObject(response['body']);
  const completion = inBatch ? response['body'] : response;
  const failed = isObject(response) && (Number(response['status_code'] ?? 200) >= 400 || isGiven(response['error']));
  const usage = isObject(completion) ? usageOf(completion['usage']) : null;
  const served = isObject(completion) && typeof completion['model'] === 'string' ? completion['model'] : null;
  return {
    worth: {
      tokens: usage === null ? null : usage.promptTokens + usage.completionTokens,
      costNanoUsd: nanoUsdOf(line['cost_usd']) ?? (usage === null ? null : costNanoUsd(usage, (served === null ? null : listPrice(served)) ?? listPrice(model))),
      durationMs: count(line['duration_ms']),
    },
    keptFor: failed ? 'none' : keptFor(completion),
  };
}

/** A shipped price by a model's name alone, with or without its provider before it; null where no list has it. */
export function listPrice(model: string): Price | null {
  const slash = model.indexOf('/');
  const prefix = model.slice(0, Math.max(0, slash)).toLowerCase();
  const ask = (provider: string, kind: ProviderKind, upstreamModel: string): Price | null => priceOf({ provider, kind, upstreamModel, overrides: {}, atMs: LATEST_MS });
  if (prefix !== '') return ask(prefix, KINDS[prefix] ?? 'openai', model.slice(slash + 1));
  for (const kind of VENDORS) {
    const price = ask(kind, kind, model);
    if (price !== null) return price;
  }
  return null;
}

/** Where a log leaves out how an answer ended, it is taken to have ended well. */
function keptFor(completion: unknown): LoggedAnswer['keptFor'] {
  const choices = isObject(completion) && Array.isArray(completion['choices']) ? completion['choices'].filter(isObject) : [];
  const ends = choices.map((choice) => choice['finish_reason']);
  const refused = choices.some(({ message }) => isObject(message) && isGiven(message['refusal']) && message['refusal'] !== '');
  if (refused || ends.some((end) => end === null || end === 'content_filter')) return 'none';
  return ends.every((end) => end === undefined || end === 'stop') ? 'similar' : 'same';
}

/** OpenAI's `usage`; null where it counts nothing. */
function usageOf(usage: unknown): Usage | null {
  if (!isObject(usage)) return null;
  const [promptTokens, completionTokens] = [count(usage['prompt_tokens']), count(usage['completion_tokens'])];
  if (promptTokens === null && completionTokens === null) return null;
  const detail = (of: string, name: string): number => (isObject(usage[of]) ? (count(usage[of][name]) ?? 0) : 0);
  return {
    promptTokens: promptTokens ?? 0,
    cachedTokens: detail('prompt_tokens_details', 'cached_tokens'),
    cacheWriteTokens: detail('prompt_tokens_details', 'cache_creation_tokens'),
    completionTokens: completionTokens ?? 0,
    reasoningTokens: detail('completion_tokens_details', 'reasoning_tokens'),
  };
}

function nanoUsdOf(usd: unknown): bigint | null {
  const amount = typeof usd === 'string' && usd.trim() !== '' ? Number(usd) : usd;
  return typeof amount === 'number' && amount >= 0 && amount < 1e6 ? BigInt(Math.round(amount * 1e9)) : null;
}

const count = (value: unknown): number | null => (typeof value === 'number' && Number.isFinite(value) && value >= 0 ? value : null);
const isGiven = (value: unknown): boolean => value !== undefined && value !== null;
