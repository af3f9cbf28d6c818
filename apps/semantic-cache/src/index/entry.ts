import type { SemanticPartition } from '@deja/contracts';

/** What the index knows of one cached answer; the answer itself is in Redis. */
export interface IndexEntry extends SemanticPartition {
  /** Id of the cached answer. */
  entry: string;
  /** The last user text as it was sent. */
  text: string;
  /** Unix ms. Never extended by a hit. */
  expiresAtMs: number;
}

export interface Candidate {
  entry: IndexEntry;
  /** Cosine, −1 … 1. */
  similarity: number;
}

export interface Search {
  vector: Float32Array;
  limit: number;
  /** Candidates below this cosine are not worth verifying. */
  floor: number;
  nowMs: number;
}
