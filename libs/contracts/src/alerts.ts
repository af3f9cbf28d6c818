import type { Budget } from './snapshot.ts';

export const ALERT_METRICS = [
  'budget_used_share', 'budget_forecast_share', 'error_rate', 'latency_ms', 'token_spike', 'cost_spike', 'cache_wrong_rate', 'new_model', 'new_user',
  'credential_out', 'provider_down', 'unknown_price', 'queue_lag_s', 'ledger_drift',
] as const;
export type AlertMetric = (typeof ALERT_METRICS)[number];

/** What an alert is told apart by. Which of them a metric has: docs/alerts.md. */
export const ALERT_LABELS = ['tenant', 'key', 'user', 'model', 'provider', 'credential', 'budget'] as const;
export type AlertLabel = (typeof ALERT_LABELS)[number];
export type AlertLabels = Partial<Record<AlertLabel, string>>;

/** When a rule fires; spelled as in deja.yaml and the admin API. What is absent has the metric's own default. */
export interface AlertCondition {
  metric: AlertMetric;
  /** The threshold, in the metric's unit. */
  above?: number | undefined;
  /** Of `latency_ms`, in (0, 100). */
  percentile?: number | undefined;
  /** What is looked at, back from now. */
  window_s?: number | undefined;
  /** Fewer requests in the window say nothing. */
  min_requests?: number | undefined;
  /** How long it must hold before it is told. */
  for_s?: number | undefined;
  /** How long it must have been over before that is told. */
  clear_s?: number | undefined;
  /** `*`: each by itself; a name: that one alone; absent: all together. */
  tenant?: string | undefined;
  key?: string | undefined;
  model?: string | undefined;
}

/** Who is told. Addresses and secrets: never in clear anywhere but where they are used. */
export type AlertReceiver =
  | { kind: 'webhook'; url: string; /** Signs what is sent. */ secret: string | null }
  | { kind: 'slack'; url: string }
  | { kind: 'email'; to: string[] };

/** What may be said of a receiver: what comes behind the host may be a secret. */
export interface ShownReceiver {
  kind: AlertReceiver['kind'];
  to: string;
  signed: boolean;
}

export function shownReceiver(receiver: AlertReceiver): ShownReceiver {
  if (receiver.kind === 'email') return { kind: 'email', to: receiver.to.join(', '), signed: false };
  return { kind: receiver.kind, to: new URL(receiver.url).host, signed: receiver.kind === 'webhook' && receiver.secret !== null };
}

export interface AlertRule {
  /** Made of the name for a rule of deja.yaml, `file:<name>`; a UUID for one of the admin API. */
  id: string;
  name: string;
  source: 'file' | 'api';
  enabled: boolean;
  when: AlertCondition;
  /** Alerts of this rule that are alike in these are told together. */
  group_by: AlertLabel[];
  /** A firing alert is told again after so long; null: once. */
  repeat_s: number | null;
}

/** What it matches is not told in its time. A member that is null matches all. */
export interface AlertSilence {
  id: string;
  /** Name of a rule. */
  alert: string | null;
  labels: AlertLabels;
  startsAtMs: number;
  endsAtMs: number;
  comment: string;
}

/** How e-mail is sent. */
export interface Smtp {
  /** `smtp://` or `smtps://`, with user and password. */
  url: string;
  from: string;
}

/** Budgets as operators gave them; those of deja.yaml are in the routing snapshot. */
export interface GivenBudgets {
  tenants: { tenant: string; budgets: Budget[] }[];
  /** Keys that are in use. */
  keys: { key: string; tenant: string; budgets: Budget[]; perUser: Budget[] }[];
}

/** Everything that alerts are decided and sent by, from the router. */
export interface AlertSettings {
  /** Another one whenever anything of it changed. */
  version: string;
  /** `receivers`: JSON of AlertReceiver[], sealed to the asker. */
  rules: (AlertRule & { receivers: string })[];
  silences: AlertSilence[];
  /** JSON of Smtp, sealed to the asker; null: no e-mail is sent. */
  smtp: string | null;
  budgets: GivenBudgets;
}
