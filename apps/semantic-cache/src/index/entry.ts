import type { AnswerFacts, CachedAnswer, SemanticPartition } from '@deja/contracts';

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
}

/** As invalidations see it. One that nothing is known of is taken for old: it is rather asked anew than served. */
export const cachedAnswer = ({ tenant, entry, made = { createdAtMs: 0, model: '' } }: IndexEntry): CachedAnswer => ({ tenant, entry, ...made });

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
