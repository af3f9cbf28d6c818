import type { Invalidation, SemanticPartition } from '@deja/contracts';
import type { Candidate } from '../index/entry.ts';
import type { QdrantIndex } from '../index/qdrant/qdrant-index.ts';
import type { Entries, NamedSearch, TenantBounds } from './entries.ts';
import type { NamedVector } from './given-vector.ts';
import type { StoreMessage } from './messages.ts';

export interface SharedEntriesParts {
  /** The collection of one embedder's vectors, made when it is first needed. */
  open: (embedder: { name: string; dimensions: number }, bounds: TenantBounds) => QdrantIndex;
  bounds: TenantBounds;
}

/** Entries in Qdrant, one collection for each embedder: all replicas ask it, and none holds any. */
export class SharedEntries implements Entries {
  private readonly parts: SharedEntriesParts;
  private readonly indexes = new Map<string, QdrantIndex>();
  private bounds: TenantBounds;

  constructor(parts: SharedEntriesParts) {
    this.parts = parts;
    this.bounds = parts.bounds;
  }

  get size(): number {
    let size = 0;
    for (const index of this.indexes.values()) size += index.size;
    return size;
  }

  /** Whether Qdrant answers, as far as was seen. */
  get isUp(): boolean {
    return [...this.indexes.values()].every((index) => index.isUp());
  }

  /** Prepares the collection of an embedder that is going to be used. */
  prepare(embedder: { name: string; dimensions: number }): void {
    this.indexOf({ embedder: embedder.name, values: new Float32Array(embedder.dimensions) });
  }

  async store(entry: StoreMessage, vector: NamedVector): Promise<void> {
    const { vector: _, ...indexed } = entry;
    await this.indexOf(vector).add(indexed, vector.values);
  }

  async invalidate(invalidation: Invalidation): Promise<void> {
    await Promise.all(Array.from(this.indexes.values(), (index) => index.invalidate(invalidation)));
  }

  search(partition: SemanticPartition, { vector, ...search }: NamedSearch): Promise<Candidate[]> {
    return this.indexOf(vector).search(partition, { ...search, vector: vector.values });
  }

  searchAll(tenant: string | null, { vector, ...search }: NamedSearch): Promise<Candidate[]> {
    return this.indexOf(vector).searchAll(tenant, { ...search, vector: vector.values });
  }

  limit(bounds: TenantBounds): void {
    this.bounds = bounds;
    for (const index of this.indexes.values()) index.limit(bounds);
  }

  async sweep(nowMs: number): Promise<void> {
    for (const index of this.indexes.values()) await index.sweep(nowMs);
  }

  async close(): Promise<void> {
    await Promise.all(Array.from(this.indexes.values(), (index) => index.close()));
  }

  private indexOf({ embedder, values }: NamedVector): QdrantIndex {
    const name = `${embedder} ${values.length}`;
    let index = this.indexes.get(name);
    if (index === undefined) {
      index = this.parts.open({ name: embedder, dimensions: values.length }, this.bounds);
      index.start();
      this.indexes.set(name, index);
    }
    return index;
  }
}
