import { DejaError, MAX_COMPARED_CHARS, type Invalidation, type SemanticCacheEvents, type SemanticCacheRpc } from '@deja/contracts';
import { VERDICT_KINDS } from '@deja/similarity';
import { z } from 'zod';

/** Far above what is eligible (docs/caching.md); a bound on work and memory, not a policy. */
const MAX_TEXT_CHARS = 4096;
/** Of the base64 of 4,096 dimensions. */
const MAX_VECTOR_CHARS = 22_000;
const MOST_SIMILAR = 1000;

const tenant = z.string().min(1).max(128);
const partition = {
  tenant,
  scope: z.string().min(1).max(512),
  fingerprint: z.string().regex(/^[A-Za-z0-9_-]{16,128}$/),
};
const text = z.string().min(1).max(MAX_TEXT_CHARS);
/** The last millisecond a Date can hold: later ones would overflow in Redis. */
const timeMs = z.int().min(0).max(8_640_000_000_000_000);
const entryId = z.string().regex(/^[\x21-\x7e]{1,128}$/);
const name = z.string().max(1024);
const share = z.number().min(0).max(1);
const similarity = z.number().min(-1.01).max(1.01);
const kind = z.enum(VERDICT_KINDS);
const vector = z.object({ embedder: z.string().min(1).max(512), values: z.string().max(MAX_VECTOR_CHARS) });
const policy = z.object({ verification: z.enum(['strict', 'balanced']), maxWrongRate: share, auditShare: share, judged: z.boolean() });

/** What invalidations ask of an answer; more tags than a request and a key may have are not ours. */
const made = z.object({ createdAtMs: timeMs, model: name, asked: name.exactOptional(), tags: z.record(name, name).refine((tags) => Object.keys(tags).length <= 64).exactOptional() });

const lookupMessage = z.object({ ...partition, text, model: name, policy, vector: vector.exactOptional() });
const storeMessage = z.object({ ...partition, text, entry: entryId, expiresAtMs: timeMs, made: made.exactOptional(), bytes: z.int().min(0).exactOptional(), vector: vector.exactOptional() });
const invalidation = z.object({ id: entryId, tenant: tenant.nullable(), model: name.nullable(), tag: name.nullable(), entry: entryId.nullable(), beforeMs: z.int(), madeAtMs: timeMs });
const answer = z.string().max(MAX_COMPARED_CHARS);
const auditMessage = z.object({ tenant, model: name, entry: entryId, kind, similarity, refused: z.boolean(), same: z.boolean().nullable(), answers: z.object({ kept: answer, fresh: answer }).nullable() });
const feedbackMessage = z.object({ tenant, model: name, entry: entryId, correct: z.boolean() });
const judgedMessage = z.object({ ...partition, text, entry: entryId, same: z.boolean() });
const wrongRatesMessage = z.object({ tenant: tenant.nullable() });
const similarMessage = z.object({ tenant: tenant.nullable(), text, minSimilarity: z.number().min(0).max(1), limit: z.int().min(1).max(MOST_SIMILAR) });

export type LookupMessage = SemanticCacheRpc['lookup']['request'];
export type StoreMessage = SemanticCacheEvents['store'];
export type AuditMessage = SemanticCacheEvents['audit'];
export type FeedbackMessage = SemanticCacheEvents['feedback'];
export type JudgedMessage = SemanticCacheEvents['judged'];
export type WrongRatesMessage = SemanticCacheRpc['wrong_rates']['request'];
export type SimilarMessage = SemanticCacheRpc['similar']['request'];

/** Each throws `invalid_value` with the path of the offending field; none repeats its value, which is a customer's. */
export const parseLookup = (data: unknown): LookupMessage => parsed(lookupMessage, data);
export const parseStore = (data: unknown): StoreMessage => parsed(storeMessage, data);
export const parseInvalidation = (data: unknown): Invalidation => parsed(invalidation, data);
export const parseAudit = (data: unknown): AuditMessage => parsed(auditMessage, data);
export const parseFeedback = (data: unknown): FeedbackMessage => parsed(feedbackMessage, data);
export const parseJudged = (data: unknown): JudgedMessage => parsed(judgedMessage, data);
export const parseWrongRates = (data: unknown): WrongRatesMessage => parsed(wrongRatesMessage, data);
export const parseSimilar = (data: unknown): SimilarMessage => parsed(similarMessage, data);

function parsed<T>(schema: z.ZodType<T>, data: unknown): T {
  const result = schema.safeParse(data);
  if (result.success) return result.data;
  const param = result.error.issues[0]?.path.join('.') ?? '';
  throw new DejaError('invalid_value', `The message to the semantic cache has no valid '${param}'.`, { param });
}
