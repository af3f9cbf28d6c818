import type { AttemptRecord, LateAttempt, OpenOperation, OperationRecord, Usage } from '@deja/contracts';
import { costNanoUsd, knownCostNanoUsd } from '@deja/pricing';
import type { AttemptRow, OperationRow } from '../schema/tables.ts';
import { otherUsageOf } from './other-usage.ts';

/** The rows of one operation. */
export interface LedgerRows {
  operation: OperationRow;
  attempts: AttemptRow[];
  /** What budgets count of it, nano-USD: all that is known of its cost. */
  spentNanoUsd: bigint;
}

/** A settled operation, priced at what was quoted when its calls were made. */
export function settledRows(record: OperationRecord): LedgerRows {
  const attempts = record.attempts.map((attempt) => attemptRow(record.id, attempt));
  // A shadow call is bought for comparison; its row has its cost, but it is no part of what this request cost.
  const billed = record.attempts.map((attempt, i) => ({ attempt, row: attempts[i] })).filter(({ attempt }) => !attempt.shadow);
  const hit = record.cache === 'HIT-EXACT' || record.cache === 'HIT-SEMANTIC';
  return {
    operation: {
      ...requestColumns(record),
      model: record.model,
      provider: record.provider,
      deployment: record.deployment,
      credential: record.credential,
      status: record.status,
      outcome: record.outcome,
      error_code: record.errorCode,
      cache: record.cache,
      cache_reason: record.cacheReason,
      cache_entry: record.cacheEntry,
      cache_similarity: record.cacheSimilarity,
      ...tokenColumns(record.usage),
      usage_source: record.usageSource,
      price_version: billed.findLast(({ row }) => row?.price_version != null)?.row?.price_version ?? (hit ? (record.savedPrice?.version ?? null) : null),
      cost_nano_usd: sum(billed.map(({ row }) => row?.cost_nano_usd ?? null)),
      saved_nano_usd: hit ? savedNanoUsd(record) : 0n,
      saved_ms: hit ? (record.savedMs ?? null) : null,
      first_byte_ms: record.firstByteMs,
      duration_ms: record.durationMs,
      safety_flags: record.flags,
    },
    attempts,
    spentNanoUsd: knownCostNanoUsd(record.attempts),
  };
}

/**
 * An operation whose gateway died before it was settled: nobody knows what it cost. Its prompt was counted and priced when it
 * was accepted, which is the least that it cost if it reached a provider.
 */
export function orphanedRows(open: OpenOperation): LedgerRows {
  const estimated = open.estimatedCostNanoUsd == null ? null : BigInt(open.estimatedCostNanoUsd);
  return {
    operation: {
      ...requestColumns(open),
      model: null,
      provider: null,
      deployment: null,
      credential: null,
      status: null,
      outcome: 'orphaned',
      error_code: null,
      cache: null,
      cache_reason: null,
      cache_entry: null,
      cache_similarity: null,
      ...tokenColumns(null),
      prompt_tokens: open.estimatedPromptTokens,
      usage_source: 'estimated',
      price_version: null,
      cost_nano_usd: estimated,
      saved_nano_usd: null,
      saved_ms: null,
      first_byte_ms: null,
      duration_ms: null,
      safety_flags: [],
    },
    attempts: [],
    spentNanoUsd: estimated ?? 0n,
  };
}

/** The row of a shadow that came by itself, priced as any other call. Its operation's row is not touched: it does not bear this cost. */
export const lateRow = ({ operation, attempt }: LateAttempt): AttemptRow => attemptRow(operation, attempt);

type RequestColumns = 'id' | 'tenant' | 'key' | 'user' | 'tags' | 'endpoint' | 'requested_model' | 'stream' | 'received_at' | 'trace_id';

function requestColumns(of: OperationRecord | OpenOperation): Pick<OperationRow, RequestColumns> {
  return {
    id: of.id,
    tenant: of.tenant,
    key: of.key,
    user: of.user,
    tags: of.tags,
    endpoint: of.endpoint,
    requested_model: of.requestedModel,
    stream: of.stream,
    received_at: new Date(of.receivedAtMs).toISOString(),
    trace_id: of.traceId,
  };
}

function attemptRow(operationId: string, attempt: AttemptRecord): AttemptRow {
  return {
    operation_id: operationId,
    id: attempt.id,
    n: attempt.n,
    provider: attempt.provider,
    deployment: attempt.deployment,
    credential: attempt.credential,
    model: attempt.model,
    status: attempt.status,
    outcome: attempt.outcome,
    error_code: attempt.errorCode,
    hedge: attempt.hedge,
    shadow: attempt.shadow,
    ...tokenColumns(attempt.usage),
    usage_source: attempt.usageSource,
    price_version: attempt.price?.version ?? null,
    cost_nano_usd: attemptCost(attempt),
    started_at: new Date(attempt.startedAtMs).toISOString(),
    first_byte_ms: attempt.firstByteMs,
    duration_ms: attempt.durationMs,
  };
}

/** A call that failed without any usage bought nothing; one that went well without telling its usage cost nobody knows what. */
function attemptCost(attempt: AttemptRecord): bigint | null {
  if (attempt.usage === null) return attempt.outcome === 'ok' ? null : 0n;
  return costNanoUsd(attempt.usage, attempt.price);
}

const savedNanoUsd = (record: OperationRecord): bigint | null => (record.usage === null ? null : costNanoUsd(record.usage, record.savedPrice));

/** Unknown as soon as one part is. */
function sum(costs: (bigint | null)[]): bigint | null {
  let total = 0n;
  for (const cost of costs) {
    if (cost === null) return null;
    total += cost;
  }
  return total;
}

function tokenColumns(usage: Usage | null): Pick<AttemptRow, 'prompt_tokens' | 'cached_tokens' | 'cache_write_tokens' | 'completion_tokens' | 'reasoning_tokens' | 'other_usage'> {
  return {
    prompt_tokens: usage?.promptTokens ?? null,
    cached_tokens: usage?.cachedTokens ?? null,
    cache_write_tokens: usage?.cacheWriteTokens ?? null,
    completion_tokens: usage?.completionTokens ?? null,
    reasoning_tokens: usage?.reasoningTokens ?? null,
    other_usage: usage && otherUsageOf(usage),
  };
}
