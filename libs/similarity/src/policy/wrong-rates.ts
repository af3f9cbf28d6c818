import type { VerdictKind } from '../verify/verdict.ts';
import { VERDICT_KINDS } from '../verify/verdict.ts';
import { auditsRefused, AuditSchedule } from './audit-schedule.ts';
import type { Calibration } from './calibration.ts';
import { EntryEvidence } from './entry-evidence.ts';
import { KindPosterior, type Risk } from './kind-posterior.ts';
import type { Match, Observation } from './observation.ts';
import { RecentMap } from './recent-map.ts';
import { RiskBudget } from './risk-budget.ts';
import { ScopeEvidence, type MeasuredRate } from './scope-evidence.ts';

/** How many are kept in memory; those without news for longest go first. */
export interface WrongRatesLimits {
  /** (tenant, model) with evidence, and (tenant, model, bound) that were asked for. */
  scopes: number;
  /** Entries with evidence, of all tenants. */
  entries: number;
}

export interface WrongRatesOptions {
  limits?: WrongRatesLimits;
  /** Whether matches that are not served may be audited, too; only where their observations come back marked as `refused`. */
  learnsFromRefused?: boolean;
}

export interface Decision {
  decision: 'serve' | 'audit' | 'refuse';
  /** Upper bound of the probability that the kept answer is wrong. */
  wrong: number;
  /** Why it is not to be served; null where it could be (also where it is audited instead). */
  reason: 'too_risky' | 'stopped' | null;
}

export type Decided = (Decision & { decision: 'refuse'; reason: 'too_risky' | 'stopped' }) | (Decision & { decision: 'serve'; reason: null }) | (Decision & { decision: 'audit' });

/** One line of `rates`. */
export interface ScopeRate extends MeasuredRate {
  tenant: string;
  /** Public model. */
  model: string;
  /** Even the low end is above the bound that was last asked for. */
  stopped: boolean;
}

interface Scope {
  tenant: string;
  model: string;
  evidence: ScopeEvidence;
}

interface Serving {
  budget: RiskBudget;
  schedule: AuditSchedule;
}

/**
 * How often semantic answers are wrong, and which may be served so that it stays under the operator's bound. Evidence (`observe`) is the same on
 * every replica that folds the same log; what was served and audited (`decide`) is this replica's own. How the bound is kept: docs/decisions/0030.
 */
export class WrongRates {
  private readonly calibration: Calibration;
  private readonly learnsFromRefused: boolean;
  private readonly posteriors: Record<VerdictKind, KindPosterior>;
  private readonly scopes: RecentMap<Scope>;
  private readonly entries: RecentMap<EntryEvidence>;
  private readonly servings: RecentMap<Serving>;
  private readonly bounds: RecentMap<{ maxWrongRate: number }>;
  private readonly reported: RecentMap<true>;
  /** Of whom nothing is known. */
  private readonly unknown: ScopeEvidence;

  constructor(calibration: Calibration, { limits = { scopes: 20_000, entries: 50_000 }, learnsFromRefused = false }: WrongRatesOptions = {}) {
    this.calibration = calibration;
    this.learnsFromRefused = learnsFromRefused;
    this.posteriors = Object.fromEntries(VERDICT_KINDS.map((kind) => [kind, new KindPosterior(calibration.kinds[kind], calibration)])) as WrongRates['posteriors'];
    this.scopes = new RecentMap(limits.scopes);
    this.entries = new RecentMap(limits.entries);
    this.servings = new RecentMap(limits.scopes);
    this.bounds = new RecentMap(limits.scopes);
    this.reported = new RecentMap(limits.entries);
    this.unknown = new ScopeEvidence(calibration);
  }

  /** What is held, for metrics and tests. */
  get size(): { scopes: number; entries: number; servings: number } {
    return { scopes: this.scopes.size, entries: this.entries.size, servings: this.servings.size };
  }

  /** Of what people say about one answer, each of the two things it can be counts once: who says it again says nothing new. */
  observe(observation: Observation): void {
    const { tenant, model, entry, similarity, wrong, atMs, source } = observation;
    if (source === 'feedback') {
      const said = keyOf(tenant, entry, String(wrong));
      if (this.reported.get(said) !== undefined) return;
      this.reported.renew(said, () => true);
    }
    this.scopes.renew(keyOf(tenant, model), () => ({ tenant, model, evidence: new ScopeEvidence(this.calibration) })).evidence.add(observation);
    this.entries.renew(keyOf(tenant, entry), () => new EntryEvidence(this.calibration.halfLifeDays)).add({ similarity, wrong, atMs });
  }

  /** The risk of serving this match. Both numbers in [0, 1]. */
  assess({ tenant, model, entry, kind, similarity }: Match, nowMs: number): Risk {
    const ofKind = this.evidenceOf(tenant, model).risk(kind, this.posteriors[kind], nowMs);
    return this.entries.get(keyOf(tenant, entry))?.risk(similarity, ofKind, nowMs) ?? ofKind;
  }

  /**
   * What to do with a would-be hit. `serve` counts at once as served, so decide once for each answer. `audit`: ask the provider and compare;
   * `reason` then says why it would not be served in any case; where that is `too_risky`, the observation is to come back as `refused`.
   * maxWrongRate and auditShare in [0, 1]; random in [0, 1).
   */
  decide(question: Match & { maxWrongRate: number; auditShare: number }, { nowMs, random }: { nowMs: number; random: number }): Decided {
    const { tenant, model, kind, maxWrongRate, auditShare } = question;
    this.bounds.renew(keyOf(tenant, model), () => ({ maxWrongRate })).maxWrongRate = maxWrongRate;
    const { wrong } = this.assess(question, nowMs);
    if (!(maxWrongRate > 0)) return { decision: 'refuse', reason: 'too_risky', wrong };
    const { budget, schedule } = this.servings.renew(keyOf(tenant, model, String(maxWrongRate)), () => ({
      budget: new RiskBudget(maxWrongRate, this.calibration.halfLifeDays),
      schedule: new AuditSchedule(this.calibration.halfLifeDays),
    }));
    const evidence = this.evidenceOf(tenant, model);
    if (!budget.allows(wrong, nowMs)) {
      const audit = this.learnsFromRefused && auditsRefused(auditShare, random);
      return { decision: audit ? 'audit' : 'refuse', reason: 'too_risky', wrong };
    }
    if (evidence.low(nowMs) > maxWrongRate) {
      return { decision: auditsRefused(auditShare, random) ? 'audit' : 'refuse', reason: 'stopped', wrong };
    }
    if (schedule.audits(auditShare, evidence.observations(kind, nowMs), random, nowMs)) return { decision: 'audit', reason: null, wrong };
    budget.spend(wrong, nowMs);
    return { decision: 'serve', reason: null, wrong };
  }

  /** Of one tenant (null: of all), one line for each model with evidence. `usualBound`: of whom nobody has asked here yet. */
  rates(tenant: string | null, nowMs: number, usualBound = 1): ScopeRate[] {
    return [...this.scopes]
      .filter(([, scope]) => tenant === null || scope.tenant === tenant)
      .map(([key, scope]) => {
        const measured = scope.evidence.measured(nowMs);
        return { tenant: scope.tenant, model: scope.model, ...measured, stopped: measured.low > (this.bounds.get(key)?.maxWrongRate ?? usualBound) };
      });
  }

  private evidenceOf(tenant: string, model: string): ScopeEvidence {
    return this.scopes.get(keyOf(tenant, model))?.evidence ?? this.unknown;
  }
}

const keyOf = (...parts: string[]): string => parts.join('\n');
