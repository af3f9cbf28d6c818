import type { Case, Effort } from './cases.ts';
import type { Machine } from './report.ts';

export const DIRECT = 'direct';

/**
 * Of one side in one round, or its medians over rounds. Times in ms; `added` is a percentile minus the same of the direct call. Processor time in µs a
 * request: of the gateway, of all apps, of Redis and of Postgres, each with what follows after the answers.
 */
export interface Figures {
  requests: number;
  perSecond?: number;
  p50Ms?: number;
  p99Ms?: number;
  addedP50Ms?: number;
  addedP99Ms?: number;
  /** Of the streams' longest gaps. */
  gapP50Ms?: number;
  gapP99Ms?: number;
  gatewayCpuUs?: number;
  appsCpuUs?: number;
  redisCpuUs?: number;
  postgresCpuUs?: number;
}
export type FigureName = keyof Figures;

export interface CaseResult {
  name: string;
  title: string;
  load: Case['load'];
  /** By the name of the peer, or `direct`. */
  sides: Record<string, Side>;
}

export interface Side {
  median: Figures;
  rounds: Figures[];
  /** How often `x-cache-reason` said what, in all rounds. */
  reasons: Record<string, number>;
  /** How often `x-cache`, and its reason, were others than the case is about. These requests are in the figures. */
  unexpected: Record<string, number>;
}

export interface Memory {
  gatewayMiB: number;
  appsMiB: number;
  redisMiB: number | null;
}

export interface Report {
  /** When it ended, RFC 3339. */
  at: string;
  effort: Effort;
  machine: Machine;
  /** Share of the machine that other programs took meanwhile, 0…1: with more than a few percent the figures say little. */
  othersShare: number;
  peers: { name: string; does: string; atRest: Memory; afterAll: Memory }[];
  /** Peers that could not be measured, with the reason. */
  leftOut: { name: string; reason: string }[];
  cases: CaseResult[];
}

/** The median of each figure that all rounds have; of an even number the lower of the two in the middle. */
export function medianOf(rounds: readonly Figures[]): Figures {
  const names = Object.keys(rounds[0] ?? {}) as FigureName[];
  const entries = names.map((name) => {
    const sorted = rounds.map((round) => round[name] ?? Number.NaN).toSorted((a, b) => a - b);
    return [name, sorted[Math.floor((sorted.length - 1) / 2)] ?? Number.NaN];
  });
  return { requests: 0, ...(Object.fromEntries(entries) as Partial<Figures>) };
}

/** A figure of one side; null where it was not measured. */
export function figureOf(report: Report, side: string, caseName: string, name: FigureName): number | null {
  const value = report.cases.find((one) => one.name === caseName)?.sides[side]?.median[name];
  return value === undefined || Number.isNaN(value) ? null : value;
}
