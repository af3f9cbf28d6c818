import type { BadLine, BadLines } from './bad-lines.ts';
import { BALANCED, COSINES, curve, evenThresholds, figures, figuresByKind, isReached, STRICT, wordsThenLogit, type CurvePoint, type Figures, type ScoredPair } from './evaluation.ts';

export interface Decided extends Figures {
  decision: 'strict' | 'balanced';
  /** `verdict`: whatever the verdict says of the pair is done; `reached`: only of eligible pairs with a cosine of .50 or more, as the semantic-cache asks no others. */
  of: 'verdict' | 'reached';
  kinds: ({ kind: string } & Figures)[];
}

export interface EvaluationReport {
  object: 'cache_evaluation';
  pairs: number;
  bad_lines: { count: number; first: BadLine[] };
  /** Neural verifier; null: it was not asked. */
  verifier: string | null;
  /** Pairs of which one question or both would never be answered semantically, in tenant scope. */
  ineligible: { same: number; different: number };
  decisions: Decided[];
  /** What the cosine alone would do. */
  cosine_curve: CurvePoint[];
  /** Words decide, and the verifier's logit where they leave it open. */
  logit_curve: CurvePoint[];
  /** Pairs that are different and would be served, the most similar first. */
  errors: { a: string; b: string; kind: string | null; similarity: number | null; served_as: string; explanation: string; reached: boolean }[];
}

const LOGIT_POINTS = 10;

export function evaluationReport({ pairs, wrong, verifier, bad }: { pairs: readonly ScoredPair[]; wrong: readonly ScoredPair[]; verifier: string | null; bad: BadLines }): EvaluationReport {
  const modes = [{ decision: 'strict' as const, served: STRICT }, ...(verifier === null ? [] : [{ decision: 'balanced' as const, served: BALANCED }])];
  const never = pairs.filter(({ eligible }) => !eligible);
  const same = never.filter((pair) => pair.same).length;
  const logits = pairs.flatMap(({ logit }) => (logit === null ? [] : [logit]));
  return {
    object: 'cache_evaluation',
    pairs: pairs.length,
    bad_lines: { count: bad.count, first: bad.first },
    verifier,
    ineligible: { same, different: never.length - same },
    decisions: modes.flatMap(({ decision, served }) => (['verdict', 'reached'] as const).map((of) => {
      const decide = of === 'verdict' ? served : (pair: ScoredPair): boolean => isReached(pair) && served(pair);
      return { decision, of, ...figures(pairs, decide), kinds: figuresByKind(pairs, decide) };
    })),
    cosine_curve: curve(pairs, ({ similarity }) => similarity, COSINES),
    logit_curve: logits.length === 0 ? [] : curve(pairs, wordsThenLogit, evenThresholds(logits, LOGIT_POINTS)),
    errors: wrong.map((pair) => ({
      a: pair.a,
      b: pair.b,
      kind: pair.kind,
      similarity: pair.similarity === null ? null : Math.round(pair.similarity * 1e4) / 1e4,
      served_as: pair.verdict.decision === 'same' ? pair.verdict.kind : 'paraphrase',
      explanation: pair.verdict.explanation,
      reached: isReached(pair),
    })),
  };
}
