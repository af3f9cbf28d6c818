import { z } from 'zod';
import { modelName, moment, tenantId, wireMoment } from './fields.ts';
import { operation } from './operation.ts';

const count = z.int();
const entry = z.uuid();
const tag = z.string().regex(/^[^=,]{1,64}=[^=,]{1,64}$/, 'write a tag as k=v');

const invalidation = z.strictObject({
  tenant: tenantId.optional(),
  model: modelName.optional(),
  entry: entry.optional(),
  tag: tag.optional(),
  older_than_s: z.int().min(0).max(31_536_000).optional(),
  /** Answers to questions like this one, by the embedder. */
  similar_to: z.string().min(1).max(4096).optional(),
  /** How like, as a cosine. */
  min_similarity: z.number().min(0.3).max(1).default(0.8),
  dry_run: z.boolean().default(false),
});

const share = z.number();

/** What caching did between two moments, as the ledger has it. */
const savings = z.object({
  from: wireMoment,
  to: wireMoment,
  /** Hits and misses. */
  requests: count,
  hits_exact: count,
  hits_semantic: count,
  hit_rate: share,
  saved_usd: z.string(),
  saved_seconds: z.number(),
  /** Why requests were not answered from the cache, most frequent first. */
  reasons: z.array(z.object({ cache: z.enum(['MISS', 'BYPASS']), reason: z.string().nullable(), requests: count })),
});

/** How often semantic answers turned out wrong, by audits and feedback; old ones count less. */
const wrongRate = z.object({ tenant: z.string(), model: z.string(), observations: z.number(), wrong: z.number(), rate: share, /** Of the 95 % interval. */ low: share, high: share, /** Semantic answers are stopped. */ stopped: z.boolean() });

export const CACHE = [
  operation({
    id: 'cacheStats',
    method: 'GET',
    path: 'cache/stats',
    summary: 'What the caches hold, what they saved, why they missed, and how often semantic answers were wrong',
    owner: 'gateway',
    query: z.strictObject({ tenant: tenantId.optional(), from: moment.optional(), to: moment.optional() }),
    reply: z.object({ object: z.literal('cache_stats'), tenant: z.string().nullable(), exact_entries: count, semantic_entries: count, bytes: count, /** The count stopped at so many keys: there are more. */ partial: z.boolean(), /** null: the ledger does not answer. */ savings: savings.nullable(), /** null: the semantic-cache does not answer. */ wrong_rates: z.array(wrongRate).nullable() }),
    tenantScoped: true,
  }),
  operation({
    id: 'invalidateCache',
    method: 'POST',
    path: 'cache/invalidate',
    summary: 'Have cached answers served no more; all conditions must hold, and without any it is everything',
    owner: 'gateway',
    body: invalidation,
    reply: z.object({ object: z.literal('cache_invalidation'), /** Answers that it takes away, as far as they were counted. */ entries: count, partial: z.boolean(), dry_run: z.boolean(), /** With `similar_to`: the questions whose answers are meant. */ matches: z.array(z.object({ tenant: z.string(), entry, text: z.string(), similarity: z.number() })).optional() }),
    tenantScoped: true,
  }),
  operation({
    id: 'cacheFeedback',
    method: 'POST',
    path: 'cache/feedback',
    summary: 'Say whether a cached answer was the right one; a wrong one is served no more',
    owner: 'gateway',
    body: z.strictObject({ entry, correct: z.boolean(), tenant: tenantId.optional() }),
    reply: z.object({ object: z.literal('cache_feedback'), entry, correct: z.boolean(), invalidated: z.boolean() }),
    tenantScoped: true,
  }),
] as const;
