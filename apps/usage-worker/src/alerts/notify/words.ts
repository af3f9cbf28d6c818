import type { AlertLabels, AlertMetric } from '@deja/contracts';
import type { Notification, ToldAlert } from '../notification.ts';

/** So many alerts of one notification are told one by one. */
const MOST_LINES = 20;

type Unit = 'share' | 'ms' | 's' | 'ratio' | 'count' | 'none';

/** What each metric is called by people, and in what it is counted. */
const METRICS: Record<AlertMetric, { words: string; unit: Unit }> = {
  budget_used_share: { words: 'budget used', unit: 'share' },
  budget_forecast_share: { words: "budget used by the period's end, as it looks", unit: 'share' },
  error_rate: { words: 'requests that failed', unit: 'share' },
  latency_ms: { words: 'latency', unit: 'ms' },
  token_spike: { words: 'tokens against what is usual', unit: 'ratio' },
  cost_spike: { words: 'cost against what is usual', unit: 'ratio' },
  cache_wrong_rate: { words: 'wrong answers of the semantic cache', unit: 'share' },
  new_model: { words: 'a model that this key has not used before', unit: 'none' },
  new_user: { words: 'a user that this key has not had before', unit: 'none' },
  credential_out: { words: 'credential set aside', unit: 'none' },
  provider_down: { words: 'provider down', unit: 'none' },
  unknown_price: { words: 'requests without a known price', unit: 'count' },
  queue_lag_s: { words: 'usage events waiting for the ledger', unit: 's' },
  ledger_drift: { words: 'operations that gateways and ledger count differently', unit: 'count' },
};

/** One line: `[firing] burn: budget used 83 % (above 80 %), tenant acme`. */
export function subjectOf(notification: Notification): string {
  const { alerts = [notification], more = 0 } = notification;
  const test = notification.test === true ? '[test] ' : '';
  if (alerts.length + more === 1) return `${test}[${notification.state}] ${lineOf(notification)}`;
  const { words } = METRICS[notification.metric];
  return `${test}[${notification.state}] ${notification.alert}: ${alerts.length + more} times ${words}${labelWords(notification.labels)}`;
}

/** Lines for people, the subject not among them. */
export function textOf(notification: Notification): string {
  const { alerts = [notification], more = 0, cut = 0 } = notification;
  const lines = alerts.slice(0, MOST_LINES).map((alert) => `${lineOf(alert)}; since ${alert.started_at}${alert.resolved_at === null ? '' : `, over at ${alert.resolved_at}`}`);
  const left = alerts.length - lines.length + more;
  if (left > 0) lines.push(`and ${left} more`);
  if (cut > 0) lines.push(`${cut} further ones are not followed: a rule has at most 1,000`);
  return lines.join('\n');
}

function lineOf({ alert, metric, value, threshold, labels, state, seen_at: seenAt }: ToldAlert): string {
  const { words, unit } = METRICS[metric];
  const known = value === null || unit === 'none' ? '' : ` ${amountWords(value, unit)}`;
  const amount = known === '' || seenAt === undefined ? known : `, last known${known} at ${seenAt}`;
  const bound = threshold === null || unit === 'none' || state === 'resolved' ? '' : ` (above ${amountWords(threshold, unit)})`;
  return `${alert}: ${words}${amount}${bound}${labelWords(labels)}`;
}

function labelWords(labels: AlertLabels): string {
  const words = Object.entries(labels).map(([label, value]) => `${label} ${value}`);
  return words.length === 0 ? '' : `, ${words.join(', ')}`;
}

function amountWords(value: number, unit: Exclude<Unit, 'none'>): string {
  const rounded = (digits: number): string => String(Number(value.toFixed(digits)));
  switch (unit) {
    case 'share':
      return `${Number((value * 100).toFixed(2))} %`;
    case 'ms':
      return `${rounded(0)} ms`;
    case 's':
      return `${rounded(1)} s`;
    case 'ratio':
      return `${rounded(1)} times`;
    case 'count':
      return rounded(0);
  }
}
