import type { AnswerFacts, CachedAnswer, GivenVector, Price, SemanticCacheEvents, Usage } from '@deja/contracts';

/** Says what the vector of a text is; null where it cannot be had. Never rejects. */
export type BuyVector = () => Promise<GivenVector | null>;

/** What is known of a cached answer besides its text. */
export interface EntryMeta extends AnswerFacts {
  v: 1;
  id: string;
  /** Provider and deployment that gave the answer. */
  provider: string;
  deployment: string;
  /** The original numbers; null when the provider gave none. */
  usage: Usage | null;
  /** Price of the original call: what a hit saves. */
  price: Price | null;
  /** How long the original call took, in ms; an entry of a version before has not said. */
  tookMs?: number;
  /** Content rules the answer was held to; absent where there were none. */
  rules?: string;
}

export interface CacheEntry {
  meta: EntryMeta;
  /** The whole reply as JSON text, byte for byte where the provider gave it whole. */
  body: Buffer;
}

/** An answer that may be kept, ready to be written. */
export interface KeptAnswer {
  value: Buffer;
  exact: { key: string; ttlS: number } | null;
  /** Where it may serve similar questions. */
  similar: { key: string; ttlS: number; event: SemanticCacheEvents['store']; vector?: BuyVector } | null;
}

const LINE_FEED = 10;

/** One Redis value: a line of meta data, then the reply. A hit sends the reply's bytes without parsing them. */
export function encodeEntry(entry: CacheEntry): Buffer {
  return Buffer.concat([Buffer.from(`${JSON.stringify(entry.meta)}\n`), entry.body]);
}

/** null for anything that is not an entry of this version: an unreadable entry is a miss. */
export function decodeEntry(value: Buffer): CacheEntry | null {
  const meta = decodeMeta(value);
  return meta && { meta, body: value.subarray(value.indexOf(LINE_FEED) + 1) };
}

/** What is known of an entry, from its beginning; null where that is no entry of this version, or not all of the line. */
export function decodeMeta(head: Buffer): EntryMeta | null {
  const end = head.indexOf(LINE_FEED);
  if (end < 0) return null;
  try {
    const meta = JSON.parse(head.toString('utf8', 0, end)) as EntryMeta;
    return meta.v === 1 ? meta : null;
  } catch {
    return null; // not ours, or of another version: a miss
  }
}

/** The part of it that invalidations go by. */
export const factsOf = ({ createdAtMs, model, asked, tags }: EntryMeta): AnswerFacts => ({ createdAtMs, model, ...(asked !== undefined && { asked }), ...(tags !== undefined && { tags }) });

export const cachedAnswer = (tenant: string, meta: EntryMeta): CachedAnswer => ({ tenant, entry: meta.id, ...factsOf(meta) });
