import type { AlertEventObject, AlertObject, AlertStateObject } from '@deja/admin-api';
import { ALERT_METRICS, type AlertMetric } from '@deja/contracts';
import { minuteOf, NOTHING, secondOf } from './readable.ts';
import type { Column } from './table.ts';

type Unit = 'share' | 'ms' | 's' | 'ratio' | 'count' | 'none';
type Receiver = AlertObject['notify'][number];
type Delivery = AlertEventObject['deliveries'][number];

/** A value that was seen longer ago is said to be of then. */
const STALE_MS = 120_000;

/** In what each metric is counted. */
const UNITS: Record<AlertMetric, Unit> = {
  budget_used_share: 'share', budget_forecast_share: 'share', error_rate: 'share', latency_ms: 'ms', token_spike: 'ratio', cost_spike: 'ratio', cache_wrong_rate: 'share', new_model: 'none', new_user: 'none',
  credential_out: 'none', provider_down: 'none', unknown_price: 'count', queue_lag_s: 's', ledger_drift: 'count',
};

/** `83.2%`, `4200 ms`, `4.2 times`; a metric of another version is shown as a number. */
export function metricWords(metric: string, value: number | null): string {
  if (value === null) return NOTHING;
  const unit = UNITS[ALERT_METRICS.find((known) => known === metric) ?? 'ledger_drift'];
  const rounded = (digits: number): string => String(Number(value.toFixed(digits)));
  switch (unit) {
    case 'share':
      return `${Number((value * 100).toFixed(2))}%`;
    case 'ms':
      return `${rounded(0)} ms`;
    case 's':
      return `${rounded(1)} s`;
    case 'ratio':
      return `${rounded(1)} times`;
    case 'count':
      return rounded(2);
    case 'none':
      return NOTHING;
  }
}

/** The value now; `last known 57% at 2026-01-31 12:00:05` (UTC) where nothing has been known for two minutes. */
export function currentWords({ metric, value, seen_at: seenAt }: Pick<AlertStateObject, 'metric' | 'value' | 'seen_at'>, nowMs: number): string {
  const words = metricWords(metric, value);
  return seenAt === null || words === NOTHING || nowMs - Date.parse(seenAt) <= STALE_MS ? words : `last known ${words} at ${secondOf(seenAt)}`;
}

/** `tenant=acme model=gpt-4o`: what an alert is about. */
export const labelWords = (labels: Record<string, string>): string => Object.entries(labels).map(([name, value]) => `${name}=${value}`).join(' ') || NOTHING;

/** `webhook hooks.example.com, signed`. */
export const receiverWords = ({ kind, to, signed }: Receiver): string => `${kind} ${to}${signed ? ', signed' : ''}`;

/** `slack hooks.slack.com: delivered`; what failed says why. */
export function deliveryWords({ receiver: { kind, to }, state, error }: Delivery): string {
  return `${kind} ${to}: ${state === 'waiting' && error !== null ? `is tried again (${error})` : state === 'failed' && error !== null ? `failed (${error})` : state}`;
}

export const DELIVERY_COLUMNS: Column<Delivery>[] = [
  { title: 'RECEIVER', cell: ({ receiver }) => receiverWords(receiver) },
  { title: 'STATE', cell: ({ state }) => state, tone: ({ state }) => (state === 'delivered' ? 'green' : state === 'failed' ? 'red' : 'yellow') },
  { title: 'TRIES', cell: ({ attempts }) => String(attempts), align: 'right' },
  { title: 'DELIVERED (UTC)', cell: (row) => minuteOf(row.delivered_at), optional: true },
  { title: 'ERROR', cell: ({ error }) => error ?? NOTHING, optional: true, shrinks: true },
];
