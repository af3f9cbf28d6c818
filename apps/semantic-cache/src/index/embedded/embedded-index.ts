import type { SemanticPartition } from '@deja/contracts';
import type { Candidate, IndexEntry, Search } from '../entry.ts';
import { Block } from './block.ts';

export interface EmbeddedIndexOptions {
  dimensions: number;
  /** The oldest entries of a tenant make room for its newest; other tenants' never do. */
  maxEntriesPerTenant: number;
  /** Bound for all tenants together: when it is reached, the tenant with the most entries gives way. */
  maxEntries: number;
}

/** Where an entry stands. */
interface Place {
  partition: string;
  row: number;
}

interface TenantEntries {
  partitions: Map<string, Partition>;
  /** By entry id, oldest first (a Map keeps the order of insertion). */
  places: Map<string, Place>;
}

interface Partition {
  block: Block;
  /** The same words are kept once: the newest answer to them counts. */
  entryByText: Map<string, string>;
}

/**
 * All semantic entries, in the memory of this process. A search sees one partition (tenant, scope, fingerprint) and
 * nothing else; deletion is immediate; expired entries are never found, whether swept yet or not.
 */
export class EmbeddedIndex {
  private readonly options: EmbeddedIndexOptions;
  private readonly tenants = new Map<string, TenantEntries>();
  private count = 0;

  constructor(options: EmbeddedIndexOptions) {
    this.options = options;
  }

  get size(): number {
    return this.count;
  }

  /** Adding an id twice changes nothing. Returns false when it was there already. */
  add(entry: IndexEntry, vector: Float32Array): boolean {
    const tenant = this.tenants.get(entry.tenant) ?? { partitions: new Map<string, Partition>(), places: new Map<string, Place>() };
    this.tenants.set(entry.tenant, tenant);
    if (tenant.places.has(entry.entry)) return false;
    const key = partitionKey(entry);
    const superseded = tenant.partitions.get(key)?.entryByText.get(entry.text);
    if (superseded !== undefined) this.removeFrom(tenant, superseded);
    const partition = tenant.partitions.get(key) ?? { block: new Block(this.options.dimensions), entryByText: new Map<string, string>() };
    tenant.partitions.set(key, partition);
    tenant.places.set(entry.entry, { partition: key, row: partition.block.add(entry, vector) });
    partition.entryByText.set(entry.text, entry.entry);
    this.count++;
    if (tenant.places.size > this.options.maxEntriesPerTenant) this.removeOldest(tenant);
    else if (this.count > this.options.maxEntries) this.removeOldest(this.largestTenant() ?? tenant);
    return true;
  }

  /** The nearest live entries of exactly this partition, best first. */
  search(partition: SemanticPartition, search: Search): Candidate[] {
    return this.tenants.get(partition.tenant)?.partitions.get(partitionKey(partition))?.block.search(search) ?? [];
  }

  /** Effective at once. False when there was no such entry. */
  delete(tenant: string, entry: string): boolean {
    const entries = this.tenants.get(tenant);
    if (entries === undefined || !entries.places.has(entry)) return false;
    this.removeFrom(entries, entry);
    if (entries.places.size === 0) this.tenants.delete(tenant);
    return true;
  }

  /** Frees the memory of entries whose time is over; returns how many. */
  sweep(nowMs: number): number {
    return this.deleteWhere(({ expiresAtMs }) => expiresAtMs <= nowMs);
  }

  /** Effective at once; returns how many. */
  deleteWhere(isMeant: (entry: IndexEntry) => boolean): number {
    const before = this.count;
    for (const [name, tenant] of this.tenants) {
      const meant: string[] = [];
      for (const { block } of tenant.partitions.values()) {
        for (const entry of block.entries) if (isMeant(entry)) meant.push(entry.entry);
      }
      for (const entry of meant) this.removeFrom(tenant, entry);
      if (tenant.places.size === 0) this.tenants.delete(name);
    }
    return before - this.count;
  }

  clear(): void {
    this.tenants.clear();
    this.count = 0;
  }

  private largestTenant(): TenantEntries | null {
    let largest: TenantEntries | null = null;
    for (const tenant of this.tenants.values()) if (tenant.places.size > (largest?.places.size ?? 0)) largest = tenant;
    return largest;
  }

  private removeOldest(tenant: TenantEntries): void {
    for (const oldest of tenant.places.keys()) {
      this.removeFrom(tenant, oldest);
      return;
    }
  }

  private removeFrom(tenant: TenantEntries, id: string): void {
    const place = tenant.places.get(id);
    const partition = place && tenant.partitions.get(place.partition);
    if (place === undefined || partition === undefined) return;
    const text = partition.block.entries[place.row]?.text;
    if (text !== undefined && partition.entryByText.get(text) === id) partition.entryByText.delete(text);
    const moved = partition.block.remove(place.row);
    const movedPlace = moved && tenant.places.get(moved.entry);
    if (movedPlace) movedPlace.row = place.row;
    tenant.places.delete(id);
    this.count--;
    if (partition.block.entries.length === 0) tenant.partitions.delete(place.partition);
  }
}

/** A JSON array keeps the parts apart whatever they hold. */
const partitionKey = ({ scope, fingerprint }: SemanticPartition): string => JSON.stringify([scope, fingerprint]);
