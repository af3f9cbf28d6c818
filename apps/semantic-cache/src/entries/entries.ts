import type { Invalidation, SemanticPartition } from '@deja/contracts';
import type { Candidate, Search } from '../index/entry.ts';
import type { NamedVector } from './given-vector.ts';
import type { StoreMessage } from './messages.ts';

/** What a search asks, and for which embedder's vectors. */
export type NamedSearch = Omit<Search, 'vector'> & { vector: NamedVector };

/** What is held of one tenant at most. */
export interface TenantBounds {
  maxEntriesPerTenant: number;
  maxBytesPerTenant: number;
}

/** All entries of the cluster, by embedder. In memory of every replica, which follow one log; or in Qdrant, which all replicas ask. */
export interface Entries {
  /** Makes an entry findable for all replicas. Rejects when it was not taken: the event is delivered again. */
  store(entry: StoreMessage, vector: NamedVector): Promise<void>;
  /** Has all replicas forget what it covers. Rejects as `store`. */
  invalidate(invalidation: Invalidation): Promise<void>;
  search(partition: SemanticPartition, search: NamedSearch): Candidate[] | Promise<Candidate[]>;
  /** Of all partitions: to be looked at, never to be served. */
  searchAll(tenant: string | null, search: NamedSearch): Candidate[] | Promise<Candidate[]>;
  limit(bounds: TenantBounds): void;
  /** Takes away what is over. Rejects where that could not be done; the next round tries again. */
  sweep(nowMs: number): Promise<void>;
  /** As far as this replica knows. */
  readonly size: number;
}
