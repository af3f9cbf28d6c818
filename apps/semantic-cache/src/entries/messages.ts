import { DejaError, type Invalidation, type SemanticCacheEvents, type SemanticCacheRpc } from '@deja/contracts';
import { z } from 'zod';

/** Far above what is eligible (docs/caching.md); a bound on work and memory, not a policy. */
const MAX_TEXT_CHARS = 4096;

const partition = {
  tenant: z.string().min(1).max(128),
  scope: z.string().min(1).max(512),
  fingerprint: z.string().regex(/^[A-Za-z0-9_-]{16,128}$/),
};
const text = z.string().min(1).max(MAX_TEXT_CHARS);
/** The last millisecond a Date can hold: later ones would overflow in Redis. */
const timeMs = z.int().min(0).max(8_640_000_000_000_000);

const lookupMessage = z.object({ ...partition, text });
const entryId = z.string().regex(/^[\x21-\x7e]{1,128}$/);
const name = z.string().max(1024);
/** What invalidations ask of an answer; more tags than a request and a key may have are not ours. */
const made = z.object({ createdAtMs: timeMs, model: name, asked: name.exactOptional(), tags: z.record(name, name).refine((tags) => Object.keys(tags).length <= 64).exactOptional() });
const storeMessage = z.object({ ...partition, text, entry: entryId, expiresAtMs: timeMs, made: made.exactOptional() });
const invalidation = z.object({ id: entryId, tenant: partition.tenant.nullable(), model: name.nullable(), tag: name.nullable(), entry: entryId.nullable(), beforeMs: z.int(), madeAtMs: timeMs });

export type LookupMessage = SemanticCacheRpc['lookup']['request'];
export type StoreMessage = SemanticCacheEvents['store'];

/** Throws `invalid_value` with the path of the offending field; never repeats its value, which is a customer's. */
export const parseLookup = (data: unknown): LookupMessage => parsed(lookupMessage, data);

/** As `parseLookup`. */
export const parseStore = (data: unknown): StoreMessage => parsed(storeMessage, data);

/** As `parseLookup`. */
export const parseInvalidation = (data: unknown): Invalidation => parsed(invalidation, data);

function parsed<T>(schema: z.ZodType<T>, data: unknown): T {
  const result = schema.safeParse(data);
  if (result.success) return result.data;
  const param = result.error.issues[0]?.path.join('.') ?? '';
  throw new DejaError('invalid_value', `The message to the semantic cache has no valid '${param}'.`, { param });
}
