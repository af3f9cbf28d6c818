import type { AnswerFacts, CachedAnswer, Invalidation, SemanticPartition } from '@deja/contracts';

/** What the index knows of one cached answer; the answer itself is in Redis. */
export interface IndexEntry extends SemanticPartition {
  /** Id of the cached answer. */
  entry: string;
  /** The last user text as it was sent. */
  text: string;
  /** Unix ms. Never extended by a hit. */
  expiresAtMs: number;
  /** What invalidations ask of it; a gateway of a version before has not said. */
  made?: AnswerFacts;
  /** Of the answer; absent: unknown, and counted as nothing. */
  bytes?: number;
}

/** As invalidations see it. One that nothing is known of is taken for old: it is rather asked anew than served. */
export const cachedAnswer = ({ tenant, entry, made = { createdAtMs: 0, model: '' } }: IndexEntry): CachedAnswer => ({ tenant, entry, ...made });

export interface Candidate {
  entry: IndexEntry;
  /** Cosine, −1 … 1. */
  similarity: number;
}

/** What is searched for in a partition. */
export interface Search {
  vector: Float32Array;
  /** At most so many. */
  limit: number;
  /** Only neighbours whose cosine is at least this. */
  floor: number;
  /** Unix ms: entries that are over by then are not found. */
  nowMs: number;
}

/**
 * Entries by their vectors, all of one embedder. Partition (tenant, scope, fingerprint) and expiry are hard filters: what they exclude is never found,
 * also with an equal vector. Two implementations, one set of contract tests (test/index-contract.ts): in memory, and in Qdrant.
 */
export interface VectorIndex {
  /** Makes an entry findable. The same words asked again in one partition replace the older entry; an id that is there already changes nothing. */
  add(entry: IndexEntry, vector: Float32Array): boolean | Promise<void>;
  /** The nearest entries of this partition that are not over, best first. */
  search(partition: SemanticPartition, search: Search): Candidate[] | Promise<Candidate[]>;
  /** The nearest of all partitions of a tenant (null: of all tenants), best first: to be looked at and taken back, never to be served. */
  searchAll(tenant: string | null, search: Search): Candidate[] | Promise<Candidate[]>;
  /** Takes away what the invalidation covers, from the next search on. */
  invalidate(invalidation: Invalidation): number | Promise<void>;
  /** Takes away what is over by then (Unix ms), and what is too much. */
  sweep(nowMs: number): number | Promise<void>;
}
