import type { Price, SemanticCacheEvents, Usage } from '@deja/contracts';

/** What is known of a cached answer besides its text. */
export interface EntryMeta {
  v: 1;
  id: string;
  createdAtMs: number;
  /** Public model, provider and deployment that gave the answer. */
  model: string;
  provider: string;
  deployment: string;
  /** The original numbers; null when the provider gave none. */
  usage: Usage | null;
  /** Price of the original call: what a hit saves. */
  price: Price | null;
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
  similar: { key: string; ttlS: number; event: SemanticCacheEvents['store'] } | null;
}

const LINE_FEED = 10;

/** One Redis value: a line of meta data, then the reply. A hit sends the reply's bytes without parsing them. */
export function encodeEntry(entry: CacheEntry): Buffer {
  return Buffer.concat([Buffer.from(`${JSON.stringify(entry.meta)}\n`), entry.body]);
}

/** null for anything that is not an entry of this version: an unreadable entry is a miss. */
export function decodeEntry(value: Buffer): CacheEntry | null {
  const end = value.indexOf(LINE_FEED);
  if (end < 0) return null;
  try {
    const meta = JSON.parse(value.toString('utf8', 0, end)) as EntryMeta;
    return meta.v === 1 ? { meta, body: value.subarray(end + 1) } : null;
  } catch {
    return null; // not ours, or of another version: a miss
  }
}
