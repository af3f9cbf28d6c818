import type { Usage } from '@deja/contracts';
import type { OtherUsage } from '../schema/tables.ts';

const COLUMNS = {
  audioInputTokens: 'audio_input_tokens', imageInputTokens: 'image_input_tokens', audioOutputTokens: 'audio_output_tokens', imageOutputTokens: 'image_output_tokens',
  images: 'images', audioSeconds: 'audio_seconds', characters: 'characters', serviceTier: 'service_tier',
} as const satisfies Partial<Record<keyof Usage, keyof OtherUsage>>;
const NAMES = Object.entries(COLUMNS);

/** What the ledger keeps of a usage besides its tokens of text; null where that is nothing. */
export function otherUsageOf(usage: Usage): OtherUsage | null {
  const said = NAMES.flatMap(([name, column]) => (usage[name as keyof typeof COLUMNS] ? [[column, usage[name as keyof typeof COLUMNS]]] : []));
  return said.length === 0 ? null : (Object.fromEntries(said) as OtherUsage);
}

/** Columns of a row that say what was used. */
export interface UsageColumns {
  prompt_tokens: number | null;
  cached_tokens: number | null;
  cache_write_tokens: number | null;
  completion_tokens: number | null;
  reasoning_tokens: number | null;
  other_usage: OtherUsage | null;
}

/** The usage that a row was made of; null where none was known. */
export function usageIn(row: UsageColumns): Usage | null {
  const { prompt_tokens: promptTokens, completion_tokens: completionTokens, other_usage: others } = row;
  if (promptTokens === null || completionTokens === null) return null;
  const said = NAMES.flatMap(([name, column]) => (others?.[column] === undefined ? [] : [[name, others[column]]]));
  return {
    promptTokens,
    cachedTokens: row.cached_tokens ?? 0,
    cacheWriteTokens: row.cache_write_tokens ?? 0,
    completionTokens,
    reasoningTokens: row.reasoning_tokens ?? 0,
    ...(Object.fromEntries(said) as Partial<Usage>),
  };
}
