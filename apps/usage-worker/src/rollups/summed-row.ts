import type { Summed } from './rollup-writer.ts';

/** Columns of `usage.operations` that sums are made of. */
export const SUMMED_COLUMNS = [
  'tenant', 'key', 'user', 'tags', 'endpoint', 'requested_model', 'model', 'provider', 'cache', 'cache_reason', 'price_version', 'outcome', 'prompt_tokens', 'cached_tokens', 'cache_write_tokens',
  'completion_tokens', 'reasoning_tokens', 'usage_source', 'cost_nano_usd', 'saved_nano_usd', 'saved_ms', 'duration_ms', 'received_at',
] as const satisfies readonly (keyof Summed)[];

/** SUMMED_COLUMNS as the driver reads them. */
export type SummedRead = Omit<Summed, 'cost_nano_usd' | 'saved_nano_usd' | 'received_at'> & { cost_nano_usd: string | null; saved_nano_usd: string | null; received_at: Date };

/** Of a row that stands in the ledger, what `addToRollups` needs. */
export const summedOf = (read: SummedRead): Summed => ({
  ...read,
  cost_nano_usd: read.cost_nano_usd === null ? null : BigInt(read.cost_nano_usd),
  saved_nano_usd: read.saved_nano_usd === null ? null : BigInt(read.saved_nano_usd),
  received_at: read.received_at.toISOString(),
});
