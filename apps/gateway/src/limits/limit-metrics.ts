import type { Counter, Meter } from '@opentelemetry/api';
import type { DegradedMode } from '@deja/contracts';

export const DECISION_OUTCOMES = ['admitted', 'rate_limited', 'over_budget', 'undecidable'] as const;
export type DecisionOutcome = (typeof DECISION_OUTCOMES)[number];
/** Who decided: Redis, or a degraded mode in its place. */
export type DecidedBy = 'redis' | DegradedMode;

/** Figures of limits and budgets. Labels are bounded: no tenant, key, user or model. */
export class LimitMetrics {
  private readonly decisions: Counter;
  private readonly late: Counter;

  constructor(private readonly meter: Meter) {
    this.decisions = meter.createCounter('deja.gateway.limits.decisions', {
      description: 'Requests that any limit or budget applies to, by outcome (admitted, rate_limited, over_budget, undecidable) and by who decided (redis, or the degraded mode in its place)',
    });
    this.late = meter.createCounter('deja.gateway.limits.late_answers', { description: 'Answers of Redis that came after the decision had been made without it' });
    this.late.add(0);
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

  answeredLate(): void {
    this.late.add(1);
  }
}
