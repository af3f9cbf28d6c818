import type { Counter, Meter } from '@opentelemetry/api';
import type { DegradedMode } from '@deja/contracts';
import type { Measure, Scope } from './ask.ts';
import { MEASURE_NAMES } from './measures.ts';
import type { RefusedBy } from './shard-verdict.ts';

export const DECISION_OUTCOMES = ['admitted', 'rate_limited', 'over_budget', 'undecidable'] as const;
export type DecisionOutcome = (typeof DECISION_OUTCOMES)[number];
/** Who decided: Redis, or a degraded mode in its place. */
export type DecidedBy = 'redis' | DegradedMode;

/** What was used up, as deja.yaml names it. */
type RefusingLimit = Measure | 'budget';
export const SCOPES: readonly Scope[] = ['global', 'tenant', 'key', 'user'];
const REFUSING_LIMITS: readonly RefusingLimit[] = [...MEASURE_NAMES, 'budget'];

/** Figures of limits and budgets. Labels are bounded: no tenant, key, user or model. */
export class LimitMetrics {
  private readonly decisions: Counter;
  private readonly late: Counter;
  private readonly refusals: Counter;

  constructor(private readonly meter: Meter) {
    this.decisions = meter.createCounter('deja.gateway.limits.decisions', {
      description: 'Requests that any limit or budget applies to, by outcome (admitted, rate_limited, over_budget, undecidable) and by who decided (redis, or the degraded mode in its place)',
    });
    this.late = meter.createCounter('deja.gateway.limits.late_answers', { description: 'Answers of Redis that came after the decision had been made without it' });
    this.late.add(0);
    this.refusals = meter.createCounter('deja.gateway.limits.refused', {
      description: 'Requests that were refused because a limit or a budget was used up, by whose it is (global, tenant, key, user; of one model or of all) and what it limits',
    });
    for (const scope of SCOPES) for (const limit of REFUSING_LIMITS) this.refusals.add(0, { scope, limit });
    for (const outcome of DECISION_OUTCOMES) this.decisions.add(0, { outcome, by: 'redis' });
  }

  /** Whether anything is decided without Redis, read when the metrics are. */
  watch(isDegraded: () => boolean): void {
    this.meter.createObservableGauge('deja.gateway.limits.degraded', { description: '1 while limits and budgets are decided without Redis, because it is away or slow' })
      .addCallback((result) => result.observe(isDegraded() ? 1 : 0));
  }

  decided(outcome: DecisionOutcome, by: DecidedBy): void {
    this.decisions.add(1, { outcome, by });
  }

  /** What refused a request, whoever decided it. */
  refused(by: RefusedBy): void {
    const scope = 'budget' in by ? by.budget.budget.scope : by.ceiling.scope;
    this.refusals.add(1, { scope, limit: 'budget' in by ? 'budget' : by.measure });
  }

  answeredLate(): void {
    this.late.add(1);
  }
}
