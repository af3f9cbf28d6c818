import { VERDICT_KINDS, type VerdictKind } from '../verify/verdict.ts';
import { rateInterval } from './beta.ts';
import type { Calibration } from './calibration.ts';
import { FadingSums } from './fading.ts';
import type { KindPosterior, LocalCounts, Risk } from './kind-posterior.ts';
import type { Observation } from './observation.ts';

const COUNTS = ['audits', 'wrongAudits', 'reports', 'wrongReports'] as const;
/** What fades over days need not be looked at more often than this. */
const LOOK_MS = 3_600_000;
/** Memory for what has changed lately, */
const RECENT_HALF_LIFE_DAYS = 3;
/** which is listened to while this much of a wrong observation is left in it. */
const ALARM = 0.5;
/** So many wrong answers that people report say something about those answers only: it is the wrong ones that are reported. */
const EXPECTED_REPORTS = 2;

/** How often what would be served was found wrong; `rate`, `low` and `high` (95 %) without the errors of comparisons. */
export interface MeasuredRate {
  observations: number;
  wrong: number;
  rate: number;
  low: number;
  high: number;
}

/** What was found out about one (tenant, model): by kind of match, and about all that would be served. */
export class ScopeEvidence {
  private readonly kinds: Record<VerdictKind, FadingSums<keyof LocalCounts>>;
  /** The same, soon forgotten. */
  private readonly recent: Record<VerdictKind, FadingSums<keyof LocalCounts>>;
  private readonly wouldServe: FadingSums<keyof LocalCounts>;
  private readonly comparison: Calibration['comparison'];
  private readonly risks = new Map<VerdictKind, { hour: number; risk: Risk }>();
  private lowest: { hour: number; low: number } | null = null;

  constructor({ halfLifeDays, comparison }: Calibration) {
    this.kinds = sumsByKind(halfLifeDays);
    this.recent = sumsByKind(Math.min(halfLifeDays, RECENT_HALF_LIFE_DAYS));
    this.wouldServe = new FadingSums(COUNTS, halfLifeDays);
    this.comparison = comparison;
  }

  add({ atMs, kind, wrong, source, refused }: Observation): void {
    const bad = wrong ? 1 : 0;
    const counts = source === 'audit' ? { audits: 1, wrongAudits: bad } : { reports: 1, wrongReports: bad };
    this.kinds[kind].add(counts, atMs);
    this.recent[kind].add(counts, atMs);
    this.risks.delete(kind);
    if (refused === true) return;
    this.wouldServe.add(counts, atMs);
    this.lowest = null;
  }

  /** Local observations of a kind, faded. */
  observations(kind: VerdictKind, nowMs: number): number {
    const { audits, reports } = this.kinds[kind].at(nowMs);
    return audits + reports;
  }

  /** After a wrong observation, long good evidence from before does not outweigh the days since: the higher of both risks counts. */
  risk(kind: VerdictKind, posterior: KindPosterior, nowMs: number): Risk {
    const hour = Math.floor(nowMs / LOOK_MS);
    const known = this.risks.get(kind);
    if (known?.hour === hour) return known.risk;
    const recent = telling(this.recent[kind].at(hour * LOOK_MS));
    const [long, short] = [posterior.given(telling(this.kinds[kind].at(hour * LOOK_MS))), recent.wrongAudits + recent.wrongReports < ALARM ? null : posterior.given(recent)];
    const risk = short === null ? long : { wrong: Math.max(long.wrong, short.wrong), mean: Math.max(long.mean, short.mean) };
    this.risks.set(kind, { hour, risk });
    return risk;
  }

  /** The low end of the measured rate. */
  low(nowMs: number): number {
    const hour = Math.floor(nowMs / LOOK_MS);
    if (this.lowest?.hour !== hour) this.lowest = { hour, low: this.measured(nowMs).low };
    return this.lowest.low;
  }

  measured(nowMs: number): MeasuredRate {
    return measuredRate(this.wouldServe.at(Math.floor(nowMs / LOOK_MS) * LOOK_MS), this.comparison);
  }
}

/** Evidence as far as it says something about other answers than those that were found wrong. */
function telling({ audits, wrongAudits, reports, wrongReports }: LocalCounts): LocalCounts {
  const expected = Math.min(wrongReports, EXPECTED_REPORTS);
  return { audits, wrongAudits, reports: reports - expected, wrongReports: wrongReports - expected };
}

function sumsByKind(halfLifeDays: number): Record<VerdictKind, FadingSums<keyof LocalCounts>> {
  return Object.fromEntries(VERDICT_KINDS.map((kind) => [kind, new FadingSums(COUNTS, halfLifeDays)])) as Record<VerdictKind, FadingSums<keyof LocalCounts>>;
}

/** An interval of the seen rate, with what comparisons get wrong taken out of it (Rogan and Gladen 1978). Reports of people do not err. */
function measuredRate(counts: LocalCounts, { falseAlarm, missed }: Calibration['comparison']): MeasuredRate {
  const [observations, wrong] = [counts.audits + counts.reports, counts.wrongAudits + counts.wrongReports];
  const { audits, wrongAudits, reports, wrongReports } = telling(counts);
  const [counted, countedWrong] = [audits + reports, wrongAudits + wrongReports];
  if (counted === 0) return { observations, wrong, rate: 0, low: 0, high: 1 };
  const audited = audits / counted;
  const real = (seen: number): number => Math.min(1, Math.max(0, (seen - audited * falseAlarm) / (1 - audited * (falseAlarm + missed))));
  const { low, high } = rateInterval(countedWrong, counted);
  return { observations, wrong, rate: real(countedWrong / counted), low: real(low), high: real(high) };
}
