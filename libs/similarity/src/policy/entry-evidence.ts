import { betaQuantile } from './beta.ts';
import { fading } from './fading.ts';
import type { Risk } from './kind-posterior.ts';
import { SimilarityLogistic, type WeighedOutcome } from './similarity-logistic.ts';

/** What is kept of one entry at most. Wrong ones go last. */
const MAX_OUTCOMES = 64;
/** So many times wrong: no fit will make it right again. */
const HOPELESS = 4;
/** Right answers that it takes to believe an entry more than its kind. */
const PLENTY = 20;
/** Similarities this near count as alike. */
const ALIKE = 0.005;
/** Below this weight an outcome is forgotten. */
const FORGOTTEN = 1 / 16;
const CONFIDENCE = 0.95;
const HOUR_MS = 3_600_000;

interface Outcome {
  similarity: number;
  wrong: boolean;
  atMs: number;
}

/** What was found out about one entry's answer, at which similarities of the questions. */
export class EntryEvidence {
  /** Sorted: `before`. */
  private readonly outcomes: Outcome[] = [];
  /** Fits are dear, and what fades over days need not be fitted anew for each question. */
  private fits: { hour: number; logistics: SimilarityLogistic[] } | null = null;
  private readonly halfLifeDays: number;

  constructor(halfLifeDays: number) {
    this.halfLifeDays = halfLifeDays;
  }

  get size(): number {
    return this.outcomes.length;
  }

  add({ similarity, wrong, atMs }: Outcome): void {
    this.outcomes.push({ similarity, wrong, atMs });
    // A total order: which ones are dropped must not depend on the order in which they came.
    this.outcomes.sort(before);
    this.fits = null;
    if (this.outcomes.length <= MAX_OUTCOMES) return;
    const oldestRight = this.outcomes.findIndex((outcome) => !outcome.wrong);
    this.outcomes.splice(Math.max(0, oldestRight), 1);
  }

  /** The entry's own risk, where its kind's is `kind`. One wrong answer raises it at once; only plenty of right ones, and no wrong one, lower it. */
  risk(similarity: number, kind: Risk, nowMs: number): Risk {
    const weighed = this.outcomes
      .map((outcome) => ({ similarity: outcome.similarity, wrong: outcome.wrong, weight: fading(outcome.atMs, nowMs, this.halfLifeDays) }))
      .filter(({ weight }) => weight >= FORGOTTEN);
    const right = weighed.filter(({ wrong }) => !wrong);
    const wrong = weighed.filter((outcome) => outcome.wrong);
    // Less similar questions that were answered rightly speak for this one; what was right only above it says nothing.
    const rightBelow = sumOfWeights(right.filter((outcome) => outcome.similarity <= similarity + ALIKE));
    if (wrong.length === 0) return rightBelow < PLENTY ? kind : lowered(kind, rightBelow);
    const wrongAbove = sumOfWeights(wrong.filter((outcome) => outcome.similarity >= similarity - ALIKE));
    const alike = wrongAbove === 0 ? 0 : betaQuantile(CONFIDENCE, 0.5 + wrongAbove, 0.5 + rightBelow);
    const fit = wrong.length >= HOPELESS || rightBelow === 0 ? { wrong: 1, mean: 1 } : this.fitted(similarity, right, wrong, nowMs);
    const alikeMean = wrongAbove === 0 ? 0 : (0.5 + wrongAbove) / (1 + wrongAbove + rightBelow);
    return { wrong: Math.max(kind.wrong, alike, fit.wrong), mean: Math.max(kind.mean, alikeMean, fit.mean) };
  }

  /**
   * The logistic's bound, the highest over all ways to leave wrong outcomes out, but for leaving out all: one more wrong outcome far below could
   * make the fit steeper, and an entry must not look better because it was wrong once more.
   */
  private fitted(similarity: number, right: readonly WeighedOutcome[], wrong: readonly WeighedOutcome[], nowMs: number): Risk {
    const hour = Math.floor(nowMs / HOUR_MS);
    if (this.fits?.hour !== hour) {
      const subsets = Array.from({ length: 2 ** wrong.length - 1 }, (_, n) => wrong.filter((_outcome, i) => (((n + 1) >> i) & 1) === 1));
      this.fits = { hour, logistics: subsets.map((subset) => new SimilarityLogistic([...right, ...subset])) };
    }
    const { logistics } = this.fits;
    return { wrong: Math.max(...logistics.map((fit) => fit.wrong(similarity))), mean: Math.max(...logistics.map((fit) => fit.mean(similarity))) };
  }
}

const before = (a: Outcome, b: Outcome): number => a.atMs - b.atMs || a.similarity - b.similarity || Number(a.wrong) - Number(b.wrong);
const sumOfWeights = (outcomes: readonly WeighedOutcome[]): number => outcomes.reduce((sum, { weight }) => sum + weight, 0);

/** All right: the logistic has no fit (the outcomes are separable), the exact bound of a rate that was never seen takes its place. */
function lowered(kind: Risk, right: number): Risk {
  const wrong = betaQuantile(CONFIDENCE, 0.5, 0.5 + right);
  return { wrong: Math.min(kind.wrong, wrong), mean: Math.min(kind.mean, 0.5 / (1 + right), wrong) };
}
