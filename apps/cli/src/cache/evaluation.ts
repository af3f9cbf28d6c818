import type { Verdict } from '@deja/similarity';
import type { LabelledPair } from './labelled-pair.ts';
import { FLOOR } from './similar-questions.ts';

/** A labelled pair with all that the decisions go by. */
export interface ScoredPair extends LabelledPair {
  verdict: Verdict;
  /** Cosine; null where one of the texts has no vector. */
  similarity: number | null;
  /** Of the neural verifier, where words leave it open; null where it has no opinion. */
  logit: number | null;
  /** Whether the neural verifier is sure enough. */
  paraphrase: boolean;
  /** Whether both requests may be answered semantically, in tenant scope. */
  eligible: boolean;
}

export const STRICT = (pair: Pick<ScoredPair, 'verdict'>): boolean => pair.verdict.decision === 'same';
export const BALANCED = (pair: Pick<ScoredPair, 'verdict' | 'paraphrase'>): boolean => STRICT(pair) || (pair.verdict.decision === 'open' && pair.paraphrase);
/** Whether the semantic-cache would come to a verdict at all: eligible, and among the neighbours. */
export const isReached = ({ eligible, similarity }: Pick<ScoredPair, 'eligible' | 'similarity'>): boolean => eligible && similarity !== null && similarity >= FLOOR;

/** Shares in [0, 1]; null where there is nothing to take a share of. */
export interface Figures {
  same: number;
  different: number;
  served_same: number;
  served_different: number;
  /** Of the served pairs, how many are the same. */
  precision: number | null;
  /** Of the same pairs, how many are served. */
  recall: number | null;
  /** Of the different pairs, how many are served. */
  wrong_rate: number | null;
}

type Labelled = Pick<LabelledPair, 'same' | 'kind'>;

export function figures<P extends Labelled>(pairs: Iterable<P>, served: (pair: P) => boolean): Figures {
  const counts = { same: 0, different: 0, served_same: 0, served_different: 0 };
  for (const pair of pairs) {
    counts[pair.same ? 'same' : 'different']++;
    if (served(pair)) counts[pair.same ? 'served_same' : 'served_different']++;
  }
  const share = (part: number, of: number): number | null => (of === 0 ? null : part / of);
  return {
    ...counts,
    precision: share(counts.served_same, counts.served_same + counts.served_different),
    recall: share(counts.served_same, counts.same),
    wrong_rate: share(counts.served_different, counts.different),
  };
}

/** Figures of each kind that is named, in the order of their names. */
export function figuresByKind<P extends Labelled>(pairs: readonly P[], served: (pair: P) => boolean): ({ kind: string } & Figures)[] {
  const kinds = Map.groupBy(pairs.filter(({ kind }) => kind !== null), ({ kind }) => kind ?? '');
  return [...kinds].sort(([x], [y]) => (x < y ? -1 : 1)).map(([kind, members]) => ({ kind, ...figures(members, served) }));
}

export interface CurvePoint extends Pick<Figures, 'precision' | 'recall' | 'wrong_rate'> {
  /** Served is what scores at least this. */
  threshold: number;
}

/** What each threshold alone would do. A pair with the score null is never served. */
export function curve<P extends Labelled>(pairs: readonly P[], score: (pair: P) => number | null, thresholds: readonly number[]): CurvePoint[] {
  return thresholds.map((threshold) => {
    const { precision, recall, wrong_rate } = figures(pairs, (pair) => (score(pair) ?? -Infinity) >= threshold);
    return { threshold, precision, recall, wrong_rate };
  });
}

export const COSINES = [0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 0.98, 0.99] as const;

/** Words decide, and where they leave it open the verifier's logit. */
export const wordsThenLogit = ({ verdict, logit }: Pick<ScoredPair, 'verdict' | 'logit'>): number | null =>
  verdict.decision === 'same' ? Infinity : verdict.decision === 'open' ? logit : null;

/** About so many thresholds that part the values evenly, ascending. */
export function evenThresholds(values: readonly number[], most: number): number[] {
  const sorted = values.toSorted((x, y) => x - y);
  const at = Array.from({ length: most }, (_, n) => sorted[Math.round((n * (sorted.length - 1)) / Math.max(1, most - 1))]);
  return [...new Set(at.flatMap((value) => (value === undefined ? [] : [Math.round(value * 100) / 100])))];
}
