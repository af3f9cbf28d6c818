import type { VerdictKind } from '../verify/verdict.ts';

/** One time that somebody found out whether the answer of an entry was right for another question. */
export interface Observation {
  /** Unix ms. */
  atMs: number;
  tenant: string;
  /** Public model. */
  model: string;
  /** Id of the cached answer. */
  entry: string;
  kind: VerdictKind;
  /** Cosine of the two questions. */
  similarity: number;
  /** Whether the answer was wrong for the question asked. */
  wrong: boolean;
  /** `audit`: the provider was asked all the same and the answers compared; `feedback`: an operator said so. */
  source: 'audit' | 'feedback';
  /** It would not have been served in any case: it says what its kind and its entry are worth, but nothing about the answers that are served. */
  refused?: boolean;
}

/** One would-be hit: the surest entry for a question, and what is known about the pair. */
export type Match = Pick<Observation, 'tenant' | 'model' | 'entry' | 'kind' | 'similarity'>;
