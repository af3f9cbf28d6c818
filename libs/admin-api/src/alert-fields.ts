import { ALERT_LABELS, ALERT_METRICS, type AlertMetric } from '@deja/contracts';
import { z } from 'zod';

// What an alert rule is made of. What deja.yaml accepts of it, the admin API accepts too.

const address = z.string().max(2048).refine((text) => /^https?:\/\/\S+$/.test(text) && URL.canParse(text), 'write an address, as https://hooks.example.com/deja');
/** @param what `seconds`, `requests` */
function whole(what: string, least: number, most: number): z.ZodInt {
  const words = `write a whole number of ${what} from ${least} to ${most}`;
  return z.int(words).min(least, words).max(most, words);
}
const seconds = whole('seconds', 0, 31_536_000);

/** Who is told: exactly one of `webhook`, `slack`, `email`. */
export const alertReceiver = z.strictObject({
  webhook: address.optional(),
  /** Signs what the webhook gets. */
  secret: z.string().min(1, 'must not be empty: leave it out where nothing is to be signed').max(1024).optional(),
  slack: address.optional(),
  email: z.union([z.email('write an e-mail address'), z.array(z.email('write an e-mail address')).min(1).max(50)]).optional(),
}).refine(({ webhook, slack, email }) => [webhook, slack, email].filter((given) => given !== undefined).length === 1, 'write exactly one of webhook, slack and email')
  .refine(({ secret, webhook }) => secret === undefined || webhook !== undefined, 'a secret signs what a webhook gets: write it beside a webhook');
export const alertReceivers = z.array(alertReceiver).min(1, 'must not be empty: name at least one receiver').max(20, 'must have at most 20 receivers: make another rule for more');

/** Whose alerts: `*` is each by itself, a name is that one alone, and without it all count together. */
const whose = z.string().min(1, 'must not be empty: write a name, or "*" for each by itself').max(256);

const SHARE = { least: 0, most: 1, words: 'write a share from 0 to 1, as 0.8 for 80 % (the command line takes 80%)' };
const OF_BUDGET = { least: 0, most: 100, words: 'write a share of the budget from 0 to 100, as 0.8 for 80 % of it (the command line takes 80%)' };
const TIMES = { least: 1, most: Infinity, words: 'write how many times as much as usual is too much, 1 or more, as 3' };
const COUNT = { least: 0, most: Infinity, words: 'write a number of 0 or more' };
/** Between which bounds a threshold makes sense. */
const ABOVE: Readonly<Record<AlertMetric, typeof SHARE>> = {
  budget_used_share: OF_BUDGET, budget_forecast_share: OF_BUDGET, error_rate: SHARE, cache_wrong_rate: SHARE, provider_down: SHARE, token_spike: TIMES, cost_spike: TIMES,
  latency_ms: { ...COUNT, words: 'write a number of milliseconds, 0 or more, as 4000' }, queue_lag_s: { ...COUNT, words: 'write a number of seconds, 0 or more, as 60' },
  new_model: COUNT, new_user: COUNT, credential_out: COUNT, unknown_price: COUNT, ledger_drift: COUNT,
};
const PERCENTILE = 'write a percentile above 0 and below 100, as 95';
/** As a rule is shown: one that was made under other bounds too. */
export const alertConditionShown = z.strictObject({
  metric: z.enum(ALERT_METRICS),
  above: z.number().optional(),
  percentile: z.number(PERCENTILE).gt(0, PERCENTILE).lt(100, PERCENTILE).optional(),
  window_s: whole('seconds', 60, 2_678_400).optional(),
  min_requests: whole('requests', 0, 1_000_000_000).optional(),
  /** How long it must hold before it is told, and how long it must be over. */
  for_s: seconds.optional(),
  clear_s: seconds.optional(),
  tenant: whose.optional(),
  key: whose.optional(),
  model: whose.optional(),
});
/** When a rule fires. */
export const alertCondition = alertConditionShown.superRefine(({ metric, above, percentile }, context) => {
  const { least, most, words } = ABOVE[metric];
  if (above !== undefined && (above < least || above > most)) context.addIssue({ code: 'custom', path: ['above'], message: words });
  if (metric === 'latency_ms' && above === undefined) context.addIssue({ code: 'custom', path: ['above'], message: 'is missing: write how many milliseconds are too many' });
  if (metric !== 'latency_ms' && percentile !== undefined) context.addIssue({ code: 'custom', path: ['percentile'], message: `does not go with ${metric}: only latency_ms has percentiles` });
});
/** Alerts of a rule that are alike in these are told together. */
export const alertGroups = z.array(z.enum(ALERT_LABELS)).max(ALERT_LABELS.length).refine((given) => new Set(given).size === given.length, 'name each label once');
export const repeatS = whole('seconds', 60, 31_536_000).nullable();
/** `{tenant: "acme"}`: what an alert is about. */
export const alertLabels = z.strictObject(Object.fromEntries(ALERT_LABELS.map((label) => [label, z.string().min(1).max(4096).optional()])) as Record<(typeof ALERT_LABELS)[number], z.ZodOptional<z.ZodString>>);
