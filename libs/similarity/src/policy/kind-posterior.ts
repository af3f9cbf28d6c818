import type { Calibration, KindPrior, PseudoCounts } from './calibration.ts';

/** What is believed about the probability that an answer is wrong. */
export interface Risk {
  /** Upper bound: with 95 % the probability is not above it. */
  wrong: number;
  /** Expectation. */
  mean: number;
}

/** Local evidence about one kind of match, faded. */
export interface LocalCounts {
  audits: number;
  wrongAudits: number;
  reports: number;
  wrongReports: number;
}

const CONFIDENCE = 0.95;
const LOWEST = 1e-6;
const CELLS = 240;
/** Cell i of the probabilities spans EDGES[i] to EDGES[i + 1]; cells are of equal width in the logarithm, but for the first. */
const EDGES = [0, ...Array.from({ length: CELLS + 1 }, (_, i) => LOWEST ** (1 - i / CELLS))];
const MIDDLES = Float64Array.from(EDGES.slice(1), (edge, i) => (i === 0 ? LOWEST / 2 : Math.sqrt(edge * (EDGES[i] ?? 0))));
const LOG_WRONG = MIDDLES.map((p) => Math.log(p));
const LOG_RIGHT = MIDDLES.map((p) => Math.log1p(-p));

/**
 * Beta prior of one kind of match, mixed with that of strangers (a robust prior: where local evidence contradicts the calibration, the part that
 * foresaw it takes over; Schmidli et al. 2014), updated by local evidence whose comparison may err. With errors the posterior is no Beta
 * distribution any more, so it is held as masses on a grid of probabilities.
 */
export class KindPosterior {
  /** Of each cell, logarithms: its mass; that an audit finds an answer wrong, or right; that one is. */
  private readonly prior: Float64Array;
  private readonly seenWrong: Float64Array;
  private readonly seenRight: Float64Array;

  constructor(kind: KindPrior, { stranger, comparison }: Pick<Calibration, 'stranger' | 'comparison'>) {
    const own = betaMasses(kind);
    const others = betaMasses(stranger);
    this.prior = own.map((mass, i) => Math.log((1 - kind.strangers) * mass + kind.strangers * (others[i] ?? 0) + Number.MIN_VALUE));
    const seen = Float64Array.from(MIDDLES, (p) => comparison.falseAlarm + p * (1 - comparison.falseAlarm - comparison.missed));
    this.seenWrong = seen.map((p) => Math.log(p));
    this.seenRight = seen.map((p) => Math.log1p(-p));
  }

  /** More wrong evidence never lowers either number: each wrong observation multiplies the masses by something that grows with the probability. */
  given({ audits, wrongAudits, reports, wrongReports }: LocalCounts): Risk {
    const [rightAudits, rightReports] = [Math.max(0, audits - wrongAudits), Math.max(0, reports - wrongReports)];
    const masses = new Float64Array(MIDDLES.length);
    let highest = -Infinity;
    for (let i = 0; i < masses.length; i++) {
      const log = (this.prior[i] ?? 0) + wrongAudits * (this.seenWrong[i] ?? 0) + rightAudits * (this.seenRight[i] ?? 0) + wrongReports * (LOG_WRONG[i] ?? 0) + rightReports * (LOG_RIGHT[i] ?? 0);
      masses[i] = log;
      if (log > highest) highest = log;
    }
    let total = 0;
    let mean = 0;
    for (let i = 0; i < masses.length; i++) {
      const mass = Math.exp((masses[i] ?? 0) - highest);
      masses[i] = mass;
      total += mass;
      mean += mass * (MIDDLES[i] ?? 0);
    }
    mean /= total;
    return { wrong: quantile(masses, CONFIDENCE * total), mean };
  }
}

/** Mass of each cell under Beta(wrong, right), normalised. p^(a − 1) is integrated exactly: near 0 it is steep. */
function betaMasses({ wrong: a, right: b }: PseudoCounts): Float64Array {
  const masses = Float64Array.from(MIDDLES, (p, i) => (((EDGES[i + 1] ?? 1) ** a - (EDGES[i] ?? 0) ** a) / a) * (1 - p) ** (b - 1));
  const total = masses.reduce((sum, mass) => sum + mass, 0);
  return masses.map((mass) => mass / total);
}

function quantile(masses: Float64Array, wanted: number): number {
  let sum = 0;
  for (let i = 0; i < masses.length; i++) {
    const mass = masses[i] ?? 0;
    if (sum + mass >= wanted) {
      const low = Math.max(EDGES[i] ?? 0, LOWEST / 100);
      return low * ((EDGES[i + 1] ?? 1) / low) ** ((wanted - sum) / mass);
    }
    sum += mass;
  }
  return 1;
}
