import type { AttemptRecord, CacheOutcome, OpenOperation, OperationRecord, Outcome, Price, Usage, UsageSource } from '@deja/contracts';

/** Everything known of an operation when it ends. */
export interface OperationFacts {
  open: OpenOperation;
  traceparent: string | null;
  status: number;
  outcome: Outcome;
  errorCode: string | null;
  cache: CacheOutcome | null;
  cacheReason: string | null;
  hit: { entry: string; similarity: number | null; model: string; provider: string; deployment: string; usage: Usage | null; price: Price | null; /** How long the original call took. */ tookMs: number | null } | null;
  /** The public model that served (empty where none has a part in the answer, null where nobody answered), and the attempts in order; the last one served unless all failed. */
  servedModel: string | null;
  attempts: AttemptRecord[];
  /** Rules of content safety that prompt or answer met. */
  flags: string[];
  firstByteMs: number | null;
  durationMs: number;
}

/** The usage event of an operation. Pure. An answer from the cache has the original's numbers, and nothing was bought. */
export function settledRecord(facts: OperationFacts): OperationRecord {
  const { open, hit } = facts;
  const served = facts.servedModel === null ? null : (facts.attempts.findLast((a) => !a.shadow && (a.usage !== null || a.outcome !== 'error')) ?? null);
  const { usage, source } = hit ? { usage: hit.usage, source: 'cache' as const } : usageOf(facts.attempts);
  return {
    kind: 'settled',
    id: open.id,
    tenant: open.tenant,
    key: open.key,
    user: open.user,
    tags: open.tags,
    endpoint: open.endpoint,
    requestedModel: open.requestedModel,
    model: hit?.model ?? (facts.servedModel || null),
    provider: hit?.provider ?? served?.provider ?? null,
    deployment: hit?.deployment ?? served?.deployment ?? null,
    credential: hit ? null : (served?.credential ?? null),
    status: facts.status,
    outcome: facts.outcome,
    errorCode: facts.errorCode,
    cache: facts.cache,
    cacheReason: facts.cacheReason,
    cacheEntry: hit?.entry ?? null,
    cacheSimilarity: hit?.similarity ?? null,
    stream: open.stream,
    usage,
    usageSource: source,
    savedPrice: hit?.price ?? null,
    savedMs: hit?.tookMs == null ? null : Math.max(0, Math.round(hit.tookMs - facts.durationMs)),
    receivedAtMs: open.receivedAtMs,
    firstByteMs: facts.firstByteMs,
    durationMs: facts.durationMs,
    traceId: open.traceId,
    traceparent: facts.traceparent,
    attempts: facts.attempts,
    flags: facts.flags,
  };
}

/** What all attempts of an operation used together; estimated as soon as one of them is. */
export function usageOf(attempts: readonly AttemptRecord[]): { usage: Usage | null; source: UsageSource } {
  const counted = attempts.filter((a) => a.usage !== null && !a.shadow);
  if (counted.length === 0) return { usage: null, source: 'none' };
  const usage = sumOf(counted.flatMap((a) => a.usage ?? []));
  return { usage, source: counted.some((a) => a.usageSource === 'estimated') ? 'estimated' : 'upstream' };
}

const COUNTS = ['promptTokens', 'cachedTokens', 'cacheWriteTokens', 'completionTokens', 'reasoningTokens'] as const;
const OTHER_COUNTS = ['audioInputTokens', 'imageInputTokens', 'audioOutputTokens', 'imageOutputTokens', 'images', 'audioSeconds', 'characters'] as const;

/** All of them together; the tier only where it is everyone's. */
function sumOf(usages: readonly Usage[]): Usage {
  const sum: Usage = { promptTokens: 0, cachedTokens: 0, cacheWriteTokens: 0, completionTokens: 0, reasoningTokens: 0 };
  for (const usage of usages) {
    for (const name of COUNTS) sum[name] += usage[name];
    for (const name of OTHER_COUNTS) if (usage[name] !== undefined) sum[name] = (sum[name] ?? 0) + usage[name];
  }
  const [first] = usages;
  const isOne = first?.serviceTier !== undefined && usages.every(({ serviceTier }) => serviceTier === first.serviceTier);
  return { ...sum, ...(isOne && { serviceTier: first.serviceTier }) };
}

/** Tokens to be charged against limits in place of the reservation: none for an answer from the cache or for no answer, nor for a batch, whose tokens providers count apart. */
export function chargedTokens(record: OperationRecord): number {
  return record.usage === null || record.usageSource === 'cache' || record.usage.serviceTier === 'batch' ? 0 : record.usage.promptTokens + record.usage.completionTokens;
}
