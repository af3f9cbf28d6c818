import { normalUpperQuantile } from './beta.ts';

export interface WeighedOutcome {
  similarity: number;
  wrong: boolean;
  /** In (0, 1]. */
  weight: number;
}

/** ε of the confidence in the threshold, spaced by their logarithm: an even grid has hardly any where small wrong rates are decided. */
const EPSILONS = Array.from({ length: 24 }, (_, i) => 1e-4 * (0.5 / 1e-4) ** (i / 23));
const Z = EPSILONS.map((epsilon) => normalUpperQuantile(epsilon));
/** Precision of a weak normal prior, so that separable outcomes have a finite fit: the slope stays within about 100. */
const RIDGE = 1e-4;
const NEWTON_STEPS = 50;

/**
 * P(right | similarity) of one entry = 1 / (1 + exp(−slope · (similarity − threshold))), fitted to its outcomes with one wrong at 0 and one right
 * at 1 added, and the threshold's variance by the delta method: Schroeder et al., "vCache: Verified Semantic Prompt Caching" (2025).
 */
export class SimilarityLogistic {
  private readonly threshold: number;
  private readonly slope: number;
  private readonly deviation: number;

  constructor(outcomes: readonly WeighedOutcome[]) {
    const fit = fitted([...outcomes, { similarity: 0, wrong: true, weight: 1 }, { similarity: 1, wrong: false, weight: 1 }]);
    this.slope = fit.slope;
    this.threshold = -fit.intercept / fit.slope;
    // Threshold = −intercept / slope; its gradient by (intercept, slope) on both sides of the covariance.
    const byIntercept = -1 / fit.slope;
    const bySlope = fit.intercept / fit.slope ** 2;
    const [[aa, ab], [, bb]] = fit.covariance;
    this.deviation = Math.sqrt(Math.max(0, byIntercept ** 2 * aa + 2 * byIntercept * bySlope * ab + bySlope ** 2 * bb));
  }

  /** Expectation, in [0, 1]. */
  mean(similarity: number): number {
    return this.slope > 0 ? 1 - logistic(this.slope * (similarity - this.threshold)) : 1;
  }

  /** Upper bound of the probability of being wrong: 1 − max over ε of (1 − ε) · P(right | threshold at its 1 − ε quantile). */
  wrong(similarity: number): number {
    if (!(this.slope > 0)) return 1;
    const right = EPSILONS.map((epsilon, i) => (1 - epsilon) * logistic(this.slope * (similarity - this.threshold - (Z[i] ?? 0) * this.deviation)));
    return 1 - Math.max(...right);
  }
}

const logistic = (x: number): number => 1 / (1 + Math.exp(-x));

interface Fit {
  intercept: number;
  slope: number;
  covariance: [[number, number], [number, number]];
}

/** Newton's method on the penalised log likelihood, which is concave; a step that would not raise it is halved. */
function fitted(outcomes: readonly WeighedOutcome[]): Fit {
  let intercept = 0;
  let slope = 1;
  let height = penalised(outcomes, intercept, slope);
  let covariance: Fit['covariance'] = [[1, 0], [0, 1]];
  for (let step = 0; step < NEWTON_STEPS; step++) {
    let [ga, gb, haa, hab, hbb] = [-RIDGE * intercept, -RIDGE * slope, RIDGE, 0, RIDGE];
    for (const { similarity, wrong, weight } of outcomes) {
      const p = logistic(intercept + slope * similarity);
      const error = weight * ((wrong ? 0 : 1) - p);
      const information = weight * p * (1 - p);
      ga += error;
      gb += error * similarity;
      haa += information;
      hab += information * similarity;
      hbb += information * similarity * similarity;
    }
    const determinant = haa * hbb - hab * hab;
    covariance = [[hbb / determinant, -hab / determinant], [-hab / determinant, haa / determinant]];
    let da = covariance[0][0] * ga + covariance[0][1] * gb;
    let db = covariance[1][0] * ga + covariance[1][1] * gb;
    let next = penalised(outcomes, intercept + da, slope + db);
    for (let halving = 0; halving < 30 && next < height; halving++) {
      da /= 2;
      db /= 2;
      next = penalised(outcomes, intercept + da, slope + db);
    }
    if (next < height || Math.abs(da) + Math.abs(db) < 1e-9) break;
    intercept += da;
    slope += db;
    height = next;
  }
  return { intercept, slope, covariance };
}

function penalised(outcomes: readonly WeighedOutcome[], intercept: number, slope: number): number {
  return outcomes.reduce((sum, { similarity, wrong, weight }) => {
    const x = (intercept + slope * similarity) * (wrong ? -1 : 1);
    return sum - weight * (x > 0 ? Math.log1p(Math.exp(-x)) : Math.log1p(Math.exp(x)) - x);
  }, -0.5 * RIDGE * (intercept ** 2 + slope ** 2));
}
