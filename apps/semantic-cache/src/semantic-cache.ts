import { includes, InvalidationSet, type Invalidation, type SemanticCacheRpc } from '@deja/contracts';
import { normaliseText } from '@deja/cache-key';
import type { Embedding, OutOfDepth, StaticEmbedder } from '@deja/similarity';
import { INVALIDATION_LIFE_MS, type EntryLog, type LogRecord } from './entries/entry-log.ts';
import type { LookupMessage, StoreMessage } from './entries/messages.ts';
import type { EmbeddedIndex } from './index/embedded/embedded-index.ts';
import { cachedAnswer, type IndexEntry } from './index/entry.ts';
import { verdict } from './verify/verdict.ts';

/** How many neighbours are verified, and how near they must be. Measured: docs/caching.md. */
const CANDIDATES = 10;
const FLOOR = 0.5;

export type LookupReply = SemanticCacheRpc['lookup']['reply'];
export type MissReason = OutOfDepth | 'too_late' | 'no_candidate' | 'not_verified';
export type StoreOutcome = 'stored' | 'expired' | 'invalidated' | OutOfDepth;

/** Until when an answer is of use, as the caller said. */
export interface Urgency {
  signal: AbortSignal;
  /** Unix ms; null for none. */
  deadlineMs: number | null;
}

/** What this app does. The index is filled by following the log, never directly: every replica is alike. */
export class SemanticCache {
  private readonly embedder: StaticEmbedder;
  private readonly index: EmbeddedIndex;
  private readonly log: EntryLog;
  private readonly now: () => number;
  /** Those of the last hour: an entry may come later than what covers it. */
  private invalidations = new InvalidationSet([]);

  constructor(parts: { embedder: StaticEmbedder; index: EmbeddedIndex; log: EntryLog; now: () => number }) {
    this.embedder = parts.embedder;
    this.index = parts.index;
    this.log = parts.log;
    this.now = parts.now;
  }

  /** Embed, search, verify. A miss is an answer, not an error. */
  lookup(request: LookupMessage, urgency: Urgency): LookupReply {
    const nowMs = this.now();
    if (urgency.signal.aborted || (urgency.deadlineMs !== null && nowMs >= urgency.deadlineMs)) return miss('too_late');
    const { vector, outOfDepth } = this.embed(request.text);
    if (vector === null) return miss(outOfDepth);
    const candidates = this.index.search(request, { vector, limit: CANDIDATES, floor: FLOOR, nowMs });
    if (candidates.length === 0) return miss('no_candidate');
    for (const { entry, similarity } of candidates) {
      const { accepted, explanation } = verdict(request.text, entry.text);
      if (accepted && belongsTo(entry, request, nowMs)) {
        return { outcome: 'hit', entry: entry.entry, similarity: Math.round(similarity * 1e4) / 1e4, explanation };
      }
    }
    return miss('not_verified');
  }

  /** Makes an answer findable for all replicas. Rejects when Redis does not take it. */
  async store(message: StoreMessage): Promise<StoreOutcome> {
    const nowMs = this.now();
    if (message.expiresAtMs <= nowMs) return 'expired';
    if (this.invalidations.covers(cachedAnswer(message))) return 'invalidated';
    const { outOfDepth } = this.embed(message.text);
    if (outOfDepth !== null) return outOfDepth;
    await this.log.append(message, nowMs);
    return 'stored';
  }

  /** Has all replicas forget what was taken back, so that it does not stand before what may be served. Rejects when Redis does not take it. */
  async invalidate(invalidation: Invalidation): Promise<void> {
    await this.log.appendInvalidation(invalidation);
  }

  /** Takes what the log says into the index. */
  learn(records: readonly LogRecord[]): void {
    const nowMs = this.now();
    this.forget(records.flatMap((record) => ('invalidation' in record ? [record.invalidation] : [])), nowMs);
    for (const record of records) {
      if (!('entry' in record)) continue;
      const { entry } = record;
      if (entry.expiresAtMs <= nowMs || this.invalidations.covers(cachedAnswer(entry))) continue;
      const { vector } = this.embed(entry.text);
      if (vector !== null) this.index.add(entry, vector);
    }
  }

  /** Redis was emptied: what was read of the log is void. */
  reset(): void {
    this.index.clear();
    this.invalidations = new InvalidationSet([]);
  }

  private forget(added: readonly Invalidation[], nowMs: number): void {
    if (added.length === 0) return;
    const fresh = new InvalidationSet(added);
    this.index.deleteWhere((entry) => fresh.covers(cachedAnswer(entry)));
    const known = this.invalidations.all.filter((one) => nowMs - one.madeAtMs < INVALIDATION_LIFE_MS && !added.some((other) => includes(other, one)));
    this.invalidations = new InvalidationSet([...known, ...added]);
  }

  /** Equal normalised texts must have equal vectors, or the search could pass over what the verdict would accept. */
  private embed(text: string): Embedding {
    return this.embedder.embed(normaliseText(text));
  }
}

const miss = (reason: MissReason): LookupReply => ({ outcome: 'miss', reason });

/** The index filters by all of these already; an answer that crosses a tenant is worth checking twice. */
function belongsTo(entry: IndexEntry, request: LookupMessage, nowMs: number): boolean {
  return entry.tenant === request.tenant && entry.scope === request.scope && entry.fingerprint === request.fingerprint && entry.expiresAtMs > nowMs;
}
