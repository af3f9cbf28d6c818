import type { AlertCondition, AlertLabel, AlertMetric } from '@deja/contracts';

/** What is true of a metric, and what a condition has that does not say otherwise. docs/alerts.md shows this table to users. */
export interface MetricDefaults {
  /** Threshold; null: of `latency_ms`, which has none of its own, and of `cache_wrong_rate`, whose threshold is what the operator allows of the model. */
  above: number | null;
  /** null: the metric is of this moment, or has a window of its own. */
  windowS: number | null;
  /** null: the metric counts no requests. */
  minRequests: number | null;
  forS: number;
  clearS: number;
  /** What its alerts may be told apart by. */
  labels: readonly AlertLabel[];
  /** Whether an alert that nothing is said of is over (`fine`: all there is was read), or nothing is known of it (`unknown`: too few requests). */
  absent: 'fine' | 'unknown';
  /** Whether its end is worth telling. */
  endIsTold: boolean;
}

const asked = { labels: ['tenant', 'key', 'model'], absent: 'unknown', endIsTold: true } as const;
const ofMoment = { windowS: null, minRequests: null, absent: 'fine', endIsTold: true } as const;
const budgets = { ...ofMoment, labels: ['tenant', 'key', 'user', 'model', 'budget'] } as const;

export const METRIC_DEFAULTS: Readonly<Record<AlertMetric, MetricDefaults>> = {
  budget_used_share: { ...budgets, above: 0.8, forS: 0, clearS: 300 },
  budget_forecast_share: { ...budgets, above: 1, forS: 900, clearS: 3600 },
  error_rate: { ...asked, above: 0.05, windowS: 300, minRequests: 20, forS: 60, clearS: 300 },
  latency_ms: { ...asked, above: null, windowS: 300, minRequests: 20, forS: 60, clearS: 300 },
  token_spike: { ...asked, above: 3, windowS: null, minRequests: null, forS: 60, clearS: 900, absent: 'fine' },
  cost_spike: { ...asked, above: 3, windowS: null, minRequests: null, forS: 60, clearS: 900, absent: 'fine' },
  cache_wrong_rate: { above: null, windowS: null, minRequests: 20, forS: 0, clearS: 3600, labels: ['tenant', 'model'], absent: 'unknown', endIsTold: true },
  new_model: { above: 0, windowS: 86_400, minRequests: null, forS: 0, clearS: 0, labels: ['tenant', 'key', 'model'], absent: 'fine', endIsTold: false },
  new_user: { above: 0, windowS: 3600, minRequests: null, forS: 0, clearS: 0, labels: ['tenant', 'key', 'user'], absent: 'fine', endIsTold: false },
  credential_out: { ...ofMoment, above: 0, forS: 60, clearS: 60, labels: ['tenant', 'provider', 'credential'] },
  provider_down: { ...ofMoment, above: 0.99, forS: 60, clearS: 60, labels: ['provider'] },
  unknown_price: { above: 0, windowS: 3600, minRequests: null, forS: 0, clearS: 300, labels: ['tenant', 'key', 'model', 'provider'], absent: 'fine', endIsTold: true },
  queue_lag_s: { ...ofMoment, above: 60, forS: 60, clearS: 60, labels: [] },
  ledger_drift: { ...ofMoment, above: 0, forS: 0, clearS: 300, labels: [] },
};

const USUAL_PERCENTILE = 95;

/** A condition with nothing left open. */
export interface ConditionInForce {
  metric: AlertMetric;
  /** null: each reading has a threshold of its own. */
  above: number | null;
  /** In (0, 100). */
  percentile: number;
  windowMs: number;
  minRequests: number;
  forMs: number;
  clearMs: number;
  /** `*`: each by itself; a name: that one alone; null: all together, or, of what is always one thing's own, any. */
  scope: { tenant: string | null; key: string | null; model: string | null };
}

export function conditionInForce(when: AlertCondition): ConditionInForce {
  const usual = METRIC_DEFAULTS[when.metric];
  return {
    metric: when.metric,
    above: when.above ?? usual.above,
    percentile: when.percentile ?? USUAL_PERCENTILE,
    windowMs: 1000 * (when.window_s ?? usual.windowS ?? 0),
    minRequests: when.min_requests ?? usual.minRequests ?? 0,
    forMs: 1000 * (when.for_s ?? usual.forS),
    clearMs: 1000 * (when.clear_s ?? usual.clearS),
    scope: { tenant: when.tenant ?? null, key: when.key ?? null, model: when.model ?? null },
  };
}
