import { z } from 'zod';
import { modelName, tenantId } from './fields.ts';
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
  dry_run: z.boolean().default(false),
});

export const CACHE = [
  operation({
    id: 'cacheStats',
    method: 'GET',
    path: 'cache/stats',
    summary: 'What the caches hold',
    owner: 'gateway',
    query: z.strictObject({ tenant: tenantId.optional() }),
    reply: z.object({ object: z.literal('cache_stats'), tenant: z.string().nullable(), exact_entries: count, semantic_entries: count, bytes: count, /** The count stopped at so many keys: there are more. */ partial: z.boolean() }),
    tenantScoped: true,
  }),
  operation({
    id: 'invalidateCache',
    method: 'POST',
    path: 'cache/invalidate',
    summary: 'Have cached answers served no more; all conditions must hold, and without any it is everything',
    owner: 'gateway',
    body: invalidation,
    reply: z.object({ object: z.literal('cache_invalidation'), /** Answers that it takes away, as far as they were counted. */ entries: count, partial: z.boolean(), dry_run: z.boolean() }),
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
