import { ALERT_LABELS, ALERT_METRICS } from '@deja/contracts';
import { z } from 'zod';

// What an alert rule is made of. What deja.yaml accepts of it, the admin API accepts too.

const address = z.string().max(2048).refine((text) => /^https?:\/\/\S+$/.test(text) && URL.canParse(text), 'write an address, as https://hooks.example.com/deja');
const seconds = z.int().min(0).max(31_536_000);

/** Who is told: exactly one of `webhook`, `slack`, `email`. */
export const alertReceiver = z.strictObject({
  webhook: address.optional(),
  /** Signs what the webhook gets. */
  secret: z.string().min(1).max(1024).optional(),
  slack: address.optional(),
  email: z.union([z.email('write an e-mail address'), z.array(z.email('write an e-mail address')).min(1).max(50)]).optional(),
}).refine(({ webhook, slack, email }) => [webhook, slack, email].filter((given) => given !== undefined).length === 1, 'write exactly one of webhook, slack and email')
  .refine(({ secret, webhook }) => secret === undefined || webhook !== undefined, 'a secret signs what a webhook gets: write it beside a webhook');
export const alertReceivers = z.array(alertReceiver).min(1, 'must not be empty: name at least one receiver').max(20);

/** Whose alerts: `*` is each by itself, a name is that one alone, and without it all count together. */
const whose = z.string().min(1).max(256);
export const alertCondition = z.strictObject({
  metric: z.enum(ALERT_METRICS),
  above: z.number().optional(),
  percentile: z.number().gt(0).lt(100).optional(),
  window_s: z.int().min(60).max(2_678_400).optional(),
  min_requests: z.int().min(0).max(1_000_000_000).optional(),
  /** How long it must hold before it is told, and how long it must be over. */
  for_s: seconds.optional(),
  clear_s: seconds.optional(),
  tenant: whose.optional(),
  key: whose.optional(),
  model: whose.optional(),
}).superRefine(({ metric, above, percentile }, context) => {
  if (metric === 'latency_ms' && above === undefined) context.addIssue({ code: 'custom', path: ['above'], message: 'is missing: write how many milliseconds are too many' });
  if (metric !== 'latency_ms' && percentile !== undefined) context.addIssue({ code: 'custom', path: ['percentile'], message: `does not go with ${metric}: only latency_ms has percentiles` });
});
/** Alerts of a rule that are alike in these are told together. */
export const alertGroups = z.array(z.enum(ALERT_LABELS)).max(ALERT_LABELS.length).refine((given) => new Set(given).size === given.length, 'name each label once');
export const repeatS = z.int().min(60).max(31_536_000).nullable();
/** `{tenant: "acme"}`: what an alert is about. */
export const alertLabels = z.strictObject(Object.fromEntries(ALERT_LABELS.map((label) => [label, z.string().min(1).max(4096).optional()])) as Record<(typeof ALERT_LABELS)[number], z.ZodOptional<z.ZodString>>);
