import type { OperationRow } from '../schema/tables.ts';
import { bucketOf } from './latency-buckets.ts';

/** What sums count of an operation. */
export type Counted = Pick<
  OperationRow,
  | 'outcome' | 'prompt_tokens' | 'cached_tokens' | 'cache_write_tokens' | 'completion_tokens' | 'reasoning_tokens' | 'usage_source' | 'cost_nano_usd' | 'saved_nano_usd' | 'saved_ms' | 'duration_ms'
>;

/** Spelled as the columns are, and in their order. */
export interface Figures {
  requests: number;
  errors: number;
  cancelled: number;
  blocked: number;
  orphaned: number;
  prompt_tokens: number;
  cached_tokens: number;
  cache_write_tokens: number;
  completion_tokens: number;
  reasoning_tokens: number;
  cost_nano_usd: bigint;
  saved_nano_usd: bigint;
  saved_ms: number;
  unpriced_requests: number;
}

/** Figures added up; durations by bucket. */
export interface Sum {
  figures: Figures;
  buckets: Map<number, number>;
}

/** No cache saves more in one request: what is beyond it is not a time, and must not spoil a sum. */
const MOST_SAVED_MS = 1e12;

export const nothing = (): Sum => ({
  figures: {
    requests: 0, errors: 0, cancelled: 0, blocked: 0, orphaned: 0, prompt_tokens: 0, cached_tokens: 0, cache_write_tokens: 0, completion_tokens: 0, reasoning_tokens: 0,
    cost_nano_usd: 0n, saved_nano_usd: 0n, saved_ms: 0, unpriced_requests: 0,
  },
  buckets: new Map(),
});

export const FIGURES = Object.keys(nothing().figures) as readonly (keyof Figures)[];

/** What one operation is in sums: `usage.operation_sums` says the same in SQL. Tokens are those that were bought, which a hit's are not. */
export function figuresOf(operation: Counted): { figures: Figures; bucket: number | null } {
  const { outcome, cost_nano_usd: cost } = operation;
  const bought = operation.usage_source !== 'cache';
  return {
    figures: {
      requests: 1,
      errors: Number(outcome === 'error'),
      cancelled: Number(outcome === 'cancelled'),
      blocked: Number(outcome === 'blocked'),
      orphaned: Number(outcome === 'orphaned'),
      prompt_tokens: bought ? (operation.prompt_tokens ?? 0) : 0,
      cached_tokens: bought ? (operation.cached_tokens ?? 0) : 0,
      cache_write_tokens: bought ? (operation.cache_write_tokens ?? 0) : 0,
      completion_tokens: bought ? (operation.completion_tokens ?? 0) : 0,
      reasoning_tokens: bought ? (operation.reasoning_tokens ?? 0) : 0,
      cost_nano_usd: cost ?? 0n,
      saved_nano_usd: operation.saved_nano_usd ?? 0n,
      saved_ms: Math.floor(Math.max(Math.min(operation.saved_ms ?? 0, MOST_SAVED_MS), -MOST_SAVED_MS) + 0.5),
      unpriced_requests: Number(cost === null),
    },
    bucket: operation.duration_ms === null ? null : bucketOf(operation.duration_ms),
  };
}

/** Adds one operation to a sum, or takes it off. */
export function add(sum: Sum, { figures, bucket }: ReturnType<typeof figuresOf>, sign: 1 | -1): void {
  const into = sum.figures;
  into.requests += sign * figures.requests;
  into.errors += sign * figures.errors;
  into.cancelled += sign * figures.cancelled;
  into.blocked += sign * figures.blocked;
  into.orphaned += sign * figures.orphaned;
  into.prompt_tokens += sign * figures.prompt_tokens;
  into.cached_tokens += sign * figures.cached_tokens;
  into.cache_write_tokens += sign * figures.cache_write_tokens;
  into.completion_tokens += sign * figures.completion_tokens;
  into.reasoning_tokens += sign * figures.reasoning_tokens;
  into.cost_nano_usd += sign === 1 ? figures.cost_nano_usd : -figures.cost_nano_usd;
  into.saved_nano_usd += sign === 1 ? figures.saved_nano_usd : -figures.saved_nano_usd;
  into.saved_ms += sign * figures.saved_ms;
  into.unpriced_requests += sign * figures.unpriced_requests;
  if (bucket !== null) sum.buckets.set(bucket, (sum.buckets.get(bucket) ?? 0) + sign);
}

/** Whether adding it changes nothing. */
export const isNothing = ({ figures, buckets }: Sum): boolean => FIGURES.every((name) => !figures[name]) && [...buckets.values()].every((count) => count === 0);
