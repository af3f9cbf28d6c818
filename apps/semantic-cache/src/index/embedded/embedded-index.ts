import { covers, type Invalidation, type SemanticPartition } from '@deja/contracts';
import { Nearest, VectorMemory } from '@deja/similarity';
import { cachedAnswer, type Candidate, type IndexEntry, type Search, type VectorIndex } from '../entry.ts';
import { Largest } from './largest.ts';
import { TenantEntries, type Kept } from './tenant-entries.ts';

/** Whole numbers, from 0. */
export interface IndexBounds {
  /** The oldest entries of a tenant make room for its newest; other tenants' never do. */
  maxEntriesPerTenant: number;
  /** Bound for all tenants together: when it is passed, the tenant with the most entries gives way. */
  maxEntries: number;
  /** Of a tenant's answers (`IndexEntry.bytes`). An answer that is larger by itself is not kept: it would cost the tenant all others. */
  maxBytesPerTenant: number;
}

export interface EmbeddedIndexOptions extends IndexBounds {
  dimensions: number;
  /** Told of each entry that has to go, or cannot come, for want of room: nobody needs its answer for a semantic hit any more. Not of what was replaced, deleted or swept. */
  onEvicted?: (entry: IndexEntry) => void;
}

/**
 * All semantic entries, in the memory of this process. A search sees one partition (tenant, scope, fingerprint) and
 * nothing else, and is exact for vectors in steps of int8; deletion is immediate; expired entries are never found, whether swept yet or not.
 */
export class EmbeddedIndex implements VectorIndex {
  private readonly dimensions: number;
  private readonly onEvicted: (entry: IndexEntry) => void;
  private memory: VectorMemory;
  private bounds: IndexBounds;
  private tenants = new Map<string, TenantEntries>();
  private largest = new Largest<TenantEntries>();
  private count = 0;

  constructor({ dimensions, onEvicted = () => undefined, ...bounds }: EmbeddedIndexOptions) {
    this.dimensions = dimensions;
    this.onEvicted = onEvicted;
    this.memory = new VectorMemory(dimensions);
    this.bounds = this.possible(bounds);
  }

  /** Entries. */
  get size(): number {
    return this.count;
  }

  /** What the vectors take of the machine's memory. It grows with need; freed room is used again. */
  get vectorBytes(): number {
    return this.memory.bytes;
  }

  /** Other bounds, from now on: what is too much goes at once. */
  limit(bounds: IndexBounds): void {
    this.bounds = this.possible(bounds);
    for (const tenant of this.tenants.values()) this.makeRoomIn(tenant);
    this.makeRoom();
  }

  /**
   * False when it was not taken: its id was there already, its vector has no direction, or its answer alone is more than the tenant may keep. Throws a
   * RangeError for a vector of other dimensions.
   */
  add(entry: IndexEntry, vector: Float32Array): boolean {
    const quantised = this.memory.quantised(vector);
    if (quantised === null || this.tenants.get(entry.tenant)?.get(entry.entry)) return false;
    if ((entry.bytes ?? 0) > this.bounds.maxBytesPerTenant) {
      this.onEvicted(entry);
      return false;
    }
    const tenant = this.tenants.get(entry.tenant) ?? new TenantEntries(this.memory);
    this.resize(entry.tenant, tenant, () => tenant.add(entry, quantised));
    this.makeRoomIn(tenant);
    this.makeRoom();
    return true;
  }

  /** The nearest live entries of exactly this partition, best first. */
  search(partition: SemanticPartition, { vector, limit, floor, nowMs }: Search): Candidate[] {
    const quantised = this.memory.quantised(vector);
    const nearest = new Nearest<IndexEntry>({ limit, floor });
    if (quantised !== null) this.tenants.get(partition.tenant)?.search(partition, { vector: quantised, nowMs }, nearest);
    return candidates(nearest);
  }

  searchAll(tenant: string | null, { vector, limit, floor, nowMs }: Search): Candidate[] {
    const quantised = this.memory.quantised(vector);
    const nearest = new Nearest<IndexEntry>({ limit, floor });
    if (quantised !== null) for (const [, entries] of this.named(tenant)) entries.searchAll({ vector: quantised, nowMs }, nearest);
    return candidates(nearest);
  }

  /** Effective at once. False when there was no such entry. */
  delete(tenant: string, entry: string): boolean {
    const kept = this.tenants.get(tenant)?.get(entry) ?? null;
    if (kept !== null) this.remove(kept);
    return kept !== null;
  }

  /** Effective at once; returns how many. */
  invalidate(invalidation: Invalidation): number {
    const { tenant, entry } = invalidation;
    if (entry === null) return this.deleteWhere((one) => covers(invalidation, cachedAnswer(one)), tenant);
    const before = this.count;
    for (const [, entries] of this.named(tenant)) {
      const kept = entries.get(entry);
      if (kept !== null && covers(invalidation, cachedAnswer(kept.entry))) this.remove(kept);
    }
    return before - this.count;
  }

  /** Frees the memory of entries whose time is over; returns how many. What is too much went before. */
  sweep(nowMs: number): number {
    return this.deleteWhere(({ expiresAtMs }) => expiresAtMs <= nowMs);
  }

  /** Effective at once; of one tenant, or of all (null). Returns how many. */
  deleteWhere(isMeant: (entry: IndexEntry) => boolean, tenant: string | null = null): number {
    const before = this.count;
    for (const [, entries] of this.named(tenant)) {
      for (const kept of entries.all()) if (isMeant(kept.entry)) this.remove(kept);
    }
    return before - this.count;
  }

  /** Takes all away, and gives the memory of the vectors back to the machine. */
  clear(): void {
    this.memory = new VectorMemory(this.dimensions);
    this.tenants = new Map();
    this.largest = new Largest();
    this.count = 0;
  }

  private named(tenant: string | null): Iterable<[string, TenantEntries]> {
    if (tenant === null) return this.tenants;
    const entries = this.tenants.get(tenant);
    return entries === undefined ? [] : [[tenant, entries]];
  }

  /** No more than half of what the memory can hold, so that gaps between blocks of many sizes never fill it. */
  private possible(bounds: IndexBounds): IndexBounds {
    return { ...bounds, maxEntries: Math.min(bounds.maxEntries, this.memory.mostRows / 2) };
  }

  private makeRoomIn(tenant: TenantEntries): void {
    while (tenant.size > this.bounds.maxEntriesPerTenant || tenant.bytes > this.bounds.maxBytesPerTenant) if (!this.evictFrom(tenant)) return;
  }

  private makeRoom(): void {
    while (this.count > this.bounds.maxEntries) if (!this.evictFrom(this.largest.one)) return;
  }

  private evictFrom(tenant: TenantEntries | null): boolean {
    const oldest = tenant?.oldest ?? null;
    if (oldest === null) return false;
    this.remove(oldest);
    this.onEvicted(oldest.entry);
    return true;
  }

  private remove(kept: Kept): void {
    const { tenant } = kept.entry;
    const entries = this.tenants.get(tenant);
    if (entries !== undefined) this.resize(tenant, entries, () => entries.remove(kept));
  }

  /** Makes a change to a tenant's entries and counts what it came to. */
  private resize(name: string, tenant: TenantEntries, change: () => void): void {
    const before = tenant.size;
    try {
      change();
    } finally {
      this.count += tenant.size - before;
      this.largest.resize(tenant, before, tenant.size);
      if (tenant.size === 0) this.tenants.delete(name);
      else this.tenants.set(name, tenant);
    }
  }
}

const candidates = (nearest: Nearest<IndexEntry>): Candidate[] => nearest.found.map(({ item, cosine }) => ({ entry: item, similarity: cosine }));
