import { betaCdf } from '../../libs/similarity/src/policy/beta.ts';
import type { Outcome } from './month-run.ts';

/** Chance, in the binomial noise, below which a count of wrong answers is taken to be more than the bound allows. */
const NOISE = 0.05;

export interface Summary {
  world: string;
  maxWrongRate: number;
  seeds: number;
  /** Shares of all requests. */
  exact: number;
  semantic: number;
  /** Shares of the cost without a cache. */
  savedExact: number;
  savedSemantic: number;
  /** Shares of the would-be hits: audited, refused. */
  audited: number;
  refused: number;
  /** Wrong among semantically served, of each seed, ascending. */
  wrongRates: number[];
  /** Null where nothing was served, which keeps every bound and shows nothing. */
  wrongRate: number | null;
  /** Wrong answers served in the month, of each seed, ascending. */
  wrongs: number[];
  /** Seeds whose rate is at or below the bound, and those whose count does not speak against it at NOISE. */
  below: number;
  within: number;
}

export function summaryOf(world: string, maxWrongRate: number, outcomes: readonly Outcome[]): Summary {
  const sum = (of: (outcome: Outcome) => number): number => outcomes.reduce((total, outcome) => total + of(outcome), 0);
  const requests = sum(({ requests: n }) => n);
  const cost = sum(({ cost: units }) => units);
  const served = sum(({ served: n }) => n);
  const matches = served + sum(({ audits, refused }) => audits + refused);
  return {
    world, maxWrongRate, seeds: outcomes.length,
    exact: sum(({ exact }) => exact) / requests,
    semantic: served / requests,
    savedExact: sum(({ savedExact }) => savedExact) / cost,
    savedSemantic: sum(({ savedSemantic }) => savedSemantic) / cost,
    audited: sum(({ audits }) => audits) / matches,
    refused: sum(({ refused }) => refused) / matches,
    wrongRates: outcomes.map(({ wrong, served }) => wrong / Math.max(1, served)).sort((a, b) => a - b),
    wrongRate: served === 0 ? null : sum(({ wrong }) => wrong) / served,
    wrongs: outcomes.map(({ wrong }) => wrong).sort((a, b) => a - b),
    below: outcomes.filter(({ wrong, served }) => wrong <= maxWrongRate * served).length,
    within: outcomes.filter((outcome) => mayBeWithin(outcome, maxWrongRate)).length,
  };
}

/** Whether so many wrong answers, or more, would be seen with a probability of NOISE or more if each were wrong with the bound's probability. */
function mayBeWithin({ wrong, served }: Outcome, maxWrongRate: number): boolean {
  return wrong === 0 || betaCdf(maxWrongRate, wrong, served - wrong + 1) >= NOISE;
}

export const TABLE_HEAD = [
  '| world | bound | exact hits | semantic hits | cost saved by semantic (by both) | audited | refused | wrong, of served | by seed: median, 95th, highest | wrong answers by seed: median, 95th | rate ≤ bound | within the bound, binomial noise allowed |',
  '|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|',
].join('\n');

export function lineOf(summary: Summary): string {
  const { world, maxWrongRate, seeds, wrongRate, wrongRates, wrongs, below, within } = summary;
  const cells = [
    world, percent(maxWrongRate, 1), percent(summary.exact, 1), percent(summary.semantic, 1),
    `${percent(summary.savedSemantic, 1)} (${percent(summary.savedSemantic + summary.savedExact, 1)})`,
    percent(summary.audited, 1), percent(summary.refused, 1),
    ...(wrongRate === null ? ['nothing served', '', '', '', ''] : [
      percent(wrongRate, 3),
      [0.5, 0.95, 1].map((share) => percent(at(wrongRates, share), 2)).join(', '), [0.5, 0.95].map((share) => at(wrongs, share)).join(', '),
      `${below} of ${seeds}`, `${within} of ${seeds}`,
    ]),
  ];
  return `| ${cells.join(' | ')} |`;
}

/** Of ascending numbers. */
const at = (sorted: readonly number[], share: number): number => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0;

export const percent = (share: number, digits: number): string => `${(100 * share).toFixed(digits)} %`;
