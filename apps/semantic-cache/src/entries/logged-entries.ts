import { includes, InvalidationSet, type Invalidation, type SemanticPartition } from '@deja/contracts';
import type { StaticEmbedder } from '@deja/similarity';
import { EmbeddedIndex } from '../index/embedded/embedded-index.ts';
import { cachedAnswer, type Candidate, type IndexEntry } from '../index/entry.ts';
import type { Entries, NamedSearch, TenantBounds } from './entries.ts';
import { INVALIDATION_LIFE_MS, type EntryLog, type LogRecord } from './entry-log.ts';
import { readVector, writeVector, type NamedVector } from './given-vector.ts';
import type { StoreMessage } from './messages.ts';

export interface LoggedEntriesParts {
  log: EntryLog;
  /** Vectors of its own are made anew by every replica; those of others travel in the log. */
  builtIn: { name: string; embed: (text: string) => ReturnType<StaticEmbedder['embed']> };
  bounds: TenantBounds & { maxEntries: number };
  now: () => number;
  /** An entry made room for others. */
  onEvicted: (entry: IndexEntry) => void;
}

/** Vectors that were made a moment ago, and are wanted again when the log brings their entries. */
const MOST_RECENT = 1000;

/** Entries in memory, one index for each embedder. They are filled by following the log, never directly: every replica is alike. */
export class LoggedEntries implements Entries {
  private readonly parts: LoggedEntriesParts;
  private readonly indexes = new Map<string, EmbeddedIndex>();
  private bounds: LoggedEntriesParts['bounds'];
  /** Those of the last hour: an entry may come later than what covers it. */
  private invalidations = new InvalidationSet([]);
  /** By entry: of vectors that this replica made itself and has not learnt yet. */
  private readonly recent = new Map<string, { text: string; vector: NamedVector }>();

  constructor(parts: LoggedEntriesParts) {
    this.parts = parts;
    this.bounds = parts.bounds;
  }

  get size(): number {
    let size = 0;
    for (const index of this.indexes.values()) size += index.size;
    return size;
  }

  async store(entry: StoreMessage, vector: NamedVector): Promise<void> {
    if (this.invalidations.covers(cachedAnswer(entry))) return;
    const { vector: given, ...record } = entry;
    const isOwn = vector.embedder === this.parts.builtIn.name;
    if (isOwn && given === undefined) this.remember(entry, vector);
    await this.parts.log.append(isOwn ? record : { ...record, vector: writeVector(vector) });
  }

  async invalidate(invalidation: Invalidation): Promise<void> {
    await this.parts.log.appendInvalidation(invalidation);
  }

  search(partition: SemanticPartition, { vector, ...search }: NamedSearch): Candidate[] {
    return this.indexes.get(indexName(vector))?.search(partition, { ...search, vector: vector.values }) ?? [];
  }

  searchAll(tenant: string | null, { vector, ...search }: NamedSearch): Candidate[] {
    return this.indexes.get(indexName(vector))?.searchAll(tenant, { ...search, vector: vector.values }) ?? [];
  }

  limit(bounds: TenantBounds): void {
    this.bounds = { ...this.bounds, ...bounds };
    for (const index of this.indexes.values()) index.limit(this.bounds);
  }

  async sweep(nowMs: number): Promise<void> {
    for (const [name, index] of this.indexes) {
      index.sweep(nowMs);
      if (index.size === 0) this.indexes.delete(name);
    }
    await this.parts.log.trimExpired(nowMs);
  }

  /** Takes what the log says into the indexes. */
  learn(records: readonly LogRecord[]): void {
    const nowMs = this.parts.now();
    this.forget(records.flatMap((record) => ('invalidation' in record ? [record.invalidation] : [])), nowMs);
    for (const record of records) {
      if (!('entry' in record)) continue;
      const { vector: given, ...entry } = record.entry;
      if (entry.expiresAtMs <= nowMs || this.invalidations.covers(cachedAnswer(entry))) continue;
      const vector = given === undefined ? this.ownVector(entry) : readVector(given);
      if (vector !== null) this.indexOf(vector).add(entry, vector.values);
    }
  }

  /** Redis was emptied: what was read of the log is void. */
  reset(): void {
    this.indexes.clear();
    this.invalidations = new InvalidationSet([]);
  }

  private remember({ entry, text }: StoreMessage, vector: NamedVector): void {
    const [oldest] = this.recent.keys();
    if (oldest !== undefined && this.recent.size >= MOST_RECENT) this.recent.delete(oldest);
    this.recent.set(entry, { text, vector });
  }

  private ownVector({ entry, text }: Pick<StoreMessage, 'entry' | 'text'>): NamedVector | null {
    const made = this.recent.get(entry);
    this.recent.delete(entry);
    if (made?.text === text) return made.vector;
    const { vector } = this.parts.builtIn.embed(text);
    return vector && { embedder: this.parts.builtIn.name, values: vector };
  }

  private indexOf(vector: NamedVector): EmbeddedIndex {
    const name = indexName(vector);
    let index = this.indexes.get(name);
    if (index === undefined) {
      index = new EmbeddedIndex({ dimensions: vector.values.length, ...this.bounds, onEvicted: this.parts.onEvicted });
      this.indexes.set(name, index);
    }
    return index;
  }

  private forget(added: readonly Invalidation[], nowMs: number): void {
    if (added.length === 0) return;
    for (const index of this.indexes.values()) for (const rule of added) index.invalidate(rule);
    const known = this.invalidations.all.filter((one) => nowMs - one.madeAtMs < INVALIDATION_LIFE_MS && !added.some((other) => includes(other, one)));
    this.invalidations = new InvalidationSet([...known, ...added]);
  }
}

const indexName = ({ embedder, values }: NamedVector): string => `${embedder} ${values.length}`;
