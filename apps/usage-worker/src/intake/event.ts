import { idTimeMs, SERVICE_TIERS, type LateAttempt, type OpenOperation, type OperationRecord } from '@deja/contracts';
import { z } from 'zod';

/** The last moment that ISO 8601 writes with four digits of year. */
const LAST_MS = Date.UTC(9999, 11, 31);
const MAX_TOKENS = 2 ** 31 - 1;
/** A million dollars a token; more is a mistake of units. */
const MAX_RATE = 1e15;
const MAX_TEXT = 4096;
/** Of Postgres's smallint. */
const MAX_N = 32_767;
const DAY_MS = 86_400_000;

const count = z.number().int().min(0).max(MAX_TOKENS);
const rate = z.number().min(0).max(MAX_RATE);
const moment = z.number().min(0).max(LAST_MS);
/** Some of it is the client's: however long it is, the operation belongs in the ledger. */
const text = z.string().transform((value) => value.slice(0, MAX_TEXT));
const status = z.number().int().min(0).max(999);

// What is optional here, a gateway of an earlier version does not send.
const usage = z.object({
  promptTokens: count,
  cachedTokens: count,
  cacheWriteTokens: count,
  completionTokens: count,
  reasoningTokens: count,
  audioInputTokens: count.exactOptional(),
  imageInputTokens: count.exactOptional(),
  audioOutputTokens: count.exactOptional(),
  imageOutputTokens: count.exactOptional(),
  images: count.exactOptional(),
  audioSeconds: z.number().min(0).max(MAX_TOKENS).exactOptional(),
  characters: count.exactOptional(),
  serviceTier: z.enum(SERVICE_TIERS).exactOptional(),
});
const usageSource = z.enum(['upstream', 'estimated', 'cache', 'none']);

const contextRates = z.object({ abovePromptTokens: count, input: rate, cachedInput: rate, output: rate, cacheWrite: rate.exactOptional() });
const multiplier = z.number().min(0).max(1000).exactOptional();

const price = z.object({
  version: text,
  input: rate,
  cachedInput: rate,
  cacheWrite: rate,
  output: rate,
  longContext: contextRates.nullable(),
  tiers: z.array(contextRates).max(100).exactOptional(),
  reasoning: rate.exactOptional(),
  audioInput: z.union([rate, z.literal('text')]).exactOptional(),
  audioOutput: rate.exactOptional(),
  imageInput: rate.exactOptional(),
  imageOutput: rate.exactOptional(),
  perImage: rate.exactOptional(),
  perAudioMinute: rate.exactOptional(),
  perMillionCharacters: rate.exactOptional(),
  perRequest: rate.exactOptional(),
  serviceTiers: z.object({ batch: multiplier, flex: multiplier, priority: multiplier }).exactOptional(),
  tokenless: z.literal(true).exactOptional(),
});

const attempt = z.object({
  id: z.uuid().toLowerCase(),
  n: z.number().int().min(1).max(MAX_N),
  provider: text,
  deployment: text,
  credential: text.nullable(),
  model: text,
  status: status.nullable(),
  outcome: z.enum(['ok', 'error', 'cancelled']),
  errorCode: text.nullable(),
  hedge: z.boolean(),
  shadow: z.boolean(),
  usage: usage.nullable(),
  usageSource,
  price: price.nullable(),
  startedAtMs: moment,
  firstByteMs: z.number().nullable(),
  durationMs: z.number(),
});

/** What an opening and a settled record have in common. */
const request = {
  id: z.uuidv7().toLowerCase(),
  tenant: z.string().min(1).max(512),
  key: text.nullable(),
  user: text.nullable(),
  tags: z.record(text, text),
  endpoint: text,
  requestedModel: text,
  stream: z.boolean(),
  receivedAtMs: moment,
  traceId: text.nullable(),
};

const settled = z.object({
  kind: z.literal('settled'),
  ...request,
  model: text.nullable(),
  provider: text.nullable(),
  deployment: text.nullable(),
  credential: text.nullable(),
  status,
  // An operation that was settled is no orphan, whatever its record says.
  outcome: z.enum(['ok', 'error', 'cancelled', 'blocked']),
  errorCode: text.nullable(),
  cache: z.enum(['HIT-EXACT', 'HIT-SEMANTIC', 'MISS', 'BYPASS']).nullable(),
  cacheReason: text.nullable(),
  cacheEntry: text.nullable(),
  cacheSimilarity: z.number().nullable(),
  usage: usage.nullable(),
  usageSource,
  savedPrice: price.nullable(),
  // A gateway of an earlier version does not send it.
  savedMs: z.number().nullable().exactOptional(),
  firstByteMs: z.number().nullable(),
  durationMs: z.number(),
  traceparent: text.nullable(),
  attempts: z.array(attempt).max(1000),
  // A gateway of an earlier version does not send them.
  flags: z.array(text).max(256).default([]),
}) satisfies z.ZodType<OperationRecord>;

/** Less than a billion dollars. A gateway of an earlier version does not send it; what is no amount is unknown. */
const estimatedCost = z.string().regex(/^\d{1,18}$/).nullable().default(null).catch(null);
const open = z.object({ kind: z.literal('open'), ...request, estimatedPromptTokens: count, estimatedCostNanoUsd: estimatedCost }) satisfies z.ZodType<OpenOperation>;

const late = z.object({
  kind: z.literal('late_attempt'),
  operation: z.uuidv7().toLowerCase(),
  tenant: request.tenant,
  // Any other call is part of what its operation cost, and that is settled without it.
  attempt: attempt.extend({ n: z.number().int().min(0).max(MAX_N), shadow: z.literal(true) }),
}) satisfies z.ZodType<LateAttempt>;

const event = z.discriminatedUnion('kind', [settled, open, late]);

/** Reads one event at the edge. The reason names the field, and never repeats a value. */
export function readEvent(raw: unknown, nowMs: number): { event: OperationRecord | OpenOperation | LateAttempt } | { rejected: string } {
  const parsed = event.safeParse(raw);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    return { rejected: `${issue?.path.join('.') || 'event'}: ${issue?.message ?? 'not a usage event'}` };
  }
  // Ids name their partition: a clock that is far off must not make partitions in another century.
  const [field, id] = parsed.data.kind === 'late_attempt' ? ['operation', parsed.data.operation] : ['id', parsed.data.id];
  const atMs = idTimeMs(id);
  if (atMs > nowMs + DAY_MS) return { rejected: `${field}: its time lies more than a day in the future` };
  if (atMs < nowMs - 400 * DAY_MS) return { rejected: `${field}: its time lies more than 400 days in the past` };
  // Sums are by this moment: one that is far from the id's would be of a time that no row is of.
  if (parsed.data.kind !== 'late_attempt' && Math.abs(parsed.data.receivedAtMs - atMs) > DAY_MS) return { rejected: `receivedAtMs: more than a day from the id's time` };
  return { event: parsed.data };
}
