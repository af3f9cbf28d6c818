import { createHash } from 'node:crypto';
import { countedModel, type AnswerFacts, type SemanticPartition } from '@deja/contracts';
import type { IndexEntry } from '../entry.ts';

/** What stands beside a vector in Qdrant. The filters know these names; `SCHEMA_VERSION` goes up when one changes its meaning. */
export interface PointPayload extends Record<string, unknown> {
  tenant: string;
  scope: string;
  fingerprint: string;
  entry: string;
  /** Name of the embedder that made the vector. */
  embedder: string;
  text: string;
  /** Hash of the partition and the text: equal for entries of which only the newest is to stay. */
  words: string;
  /** Unix ms. */
  expires_at: number;
  /** Unix ms; 0 where it is not known, so that every invalidation by age covers it. */
  created_at: number;
  /** Unix µs by the clock of the replica that wrote it. Decides between answers of one millisecond. */
  added_at: number;
  /** The model that answered, '' where it is not known, and the one that was asked for, as invalidations name them. */
  models: string[];
  /** `k=v` */
  tags: string[];
  /** Of `AnswerFacts`, as they were; absent where the facts are not known. */
  model?: string;
  asked?: string;
  /** Whether the answer had tags at all. */
  tagged?: true;
  bytes?: number;
}

/** A point's id is that of the answer within its tenant, so that the same answer is never there twice. A UUID of version 8 (RFC 9562), by SHA-256. */
export function pointId({ tenant, entry }: Pick<IndexEntry, 'tenant' | 'entry'>): string {
  const bytes = createHash('sha256').update(JSON.stringify([tenant, entry])).digest().subarray(0, 16);
  bytes[6] = 0x80 | (bytes.readUInt8(6) & 0x0f);
  bytes[8] = 0x80 | (bytes.readUInt8(8) & 0x3f);
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
}

const wordsHash = ({ tenant, scope, fingerprint, text }: IndexEntry): string =>
  createHash('sha256').update(JSON.stringify([tenant, scope, fingerprint, text])).digest('base64url');

export function payloadOf(entry: IndexEntry, embedder: string, addedAtMicros: number): PointPayload {
  const { tenant, scope, fingerprint, made, bytes } = entry;
  const { model, asked } = made ?? {};
  return {
    tenant,
    scope,
    fingerprint,
    entry: entry.entry,
    embedder,
    text: entry.text,
    words: wordsHash(entry),
    expires_at: entry.expiresAtMs,
    created_at: made?.createdAtMs ?? 0,
    added_at: addedAtMicros,
    models: [countedModel(model ?? ''), ...(asked === undefined ? [] : [asked])],
    tags: Object.entries(made?.tags ?? {}).map(([name, value]) => `${name}=${value}`),
    ...(model === undefined ? {} : { model }),
    ...(asked === undefined ? {} : { asked }),
    ...(made?.tags === undefined ? {} : { tagged: true }),
    ...(bytes === undefined ? {} : { bytes }),
  };
}

/** What a payload says, or null where it is none of ours. */
export function entryOf(payload: unknown): { entry: IndexEntry; embedder: string; words: string } | null {
  if (typeof payload !== 'object' || payload === null) return null;
  const { tenant, scope, fingerprint, entry, embedder, text, words, expires_at: expiresAtMs, bytes } = payload as Partial<PointPayload>;
  if (typeof tenant !== 'string' || typeof scope !== 'string' || typeof fingerprint !== 'string' || typeof entry !== 'string') return null;
  if (typeof embedder !== 'string' || typeof text !== 'string' || typeof words !== 'string' || typeof expiresAtMs !== 'number') return null;
  const made = factsOf(payload as Partial<PointPayload>);
  return {
    entry: { tenant, scope, fingerprint, entry, text, expiresAtMs, ...(made === null ? {} : { made }), ...(typeof bytes === 'number' ? { bytes } : {}) },
    embedder,
    words,
  };
}

function factsOf({ created_at: createdAtMs, model, asked, tags, tagged }: Partial<PointPayload>): AnswerFacts | null {
  if (typeof createdAtMs !== 'number' || typeof model !== 'string') return null;
  return { createdAtMs, model, ...(typeof asked === 'string' ? { asked } : {}), ...(tagged === true && Array.isArray(tags) ? { tags: tagsOf(tags) } : {}) };
}

/** A name never holds `=`. fromEntries defines the members, so that one named `__proto__` is one as well. */
const tagsOf = (pairs: unknown[]): Record<string, string> =>
  Object.fromEntries(pairs.filter((pair) => typeof pair === 'string').map((pair) => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)]));

/** Why a found point may not be served. */
export type ForeignReason = 'unreadable' | 'embedder' | 'tenant' | 'scope' | 'fingerprint' | 'expired';

/** What is asked of a point besides being near; null stands for any. */
export interface Wanted {
  embedder: string;
  tenant: string | null;
  partition: SemanticPartition | null;
  nowMs: number;
}

/** The filters have said all of this already. It is asked again, because what is not what it should be there is filtered without an error. */
export function foreignness(found: ReturnType<typeof entryOf>, { embedder, tenant, partition, nowMs }: Wanted): ForeignReason | null {
  if (found === null) return 'unreadable';
  const { entry } = found;
  if (found.embedder !== embedder) return 'embedder';
  if (tenant !== null && entry.tenant !== tenant) return 'tenant';
  if (partition !== null && entry.scope !== partition.scope) return 'scope';
  if (partition !== null && entry.fingerprint !== partition.fingerprint) return 'fingerprint';
  return entry.expiresAtMs > nowMs ? null : 'expired';
}
