import { z } from 'zod';
import { alertCondition, alertConditionShown, alertGroups, alertLabels, alertReceivers, repeatS } from './alert-fields.ts';
import { deleted, listOf, moment, page, slug, wireMoment } from './fields.ts';
import { operation } from './operation.ts';

const receiverShown = z.object({
  kind: z.enum(['webhook', 'slack', 'email']),
  /** Host of the address, or the e-mail addresses: what comes behind the host may be a secret. */
  to: z.string(),
  signed: z.boolean(),
});

export const alertObject = z.object({
  object: z.literal('alert'),
  id: z.string(),
  name: slug,
  /** A rule of deja.yaml is changed there. */
  source: z.enum(['file', 'api']),
  enabled: z.boolean(),
  when: alertConditionShown,
  notify: z.array(receiverShown),
  group_by: alertGroups,
  repeat_s: repeatS,
  created_at: wireMoment,
  updated_at: wireMoment,
});
export type AlertObject = z.output<typeof alertObject>;

const newAlert = z.strictObject({ name: slug, enabled: z.boolean().default(true), when: alertCondition, notify: alertReceivers, group_by: alertGroups.default([]), repeat_s: repeatS.default(null) });
/** Each member takes the place of the whole of what was there. */
const alertChange = z.strictObject({ name: slug, enabled: z.boolean(), when: alertCondition, notify: alertReceivers, group_by: alertGroups, repeat_s: repeatS }).partial();

const silenceObject = z.object({ object: z.literal('alert_silence'), id: z.uuid(), alert: z.string().nullable(), labels: z.record(z.string(), z.string()), starts_at: wireMoment, ends_at: wireMoment, comment: z.string(), created_by: z.string(), created_at: wireMoment });
export type SilenceObject = z.output<typeof silenceObject>;
/** Without `alert` and `labels` everything is silenced. */
const newSilence = z.strictObject({ alert: slug.optional(), labels: alertLabels.prefault({}), starts_at: moment.optional(), ends_at: moment, comment: z.string().max(500).default('') });

const labels = z.record(z.string(), z.string());
const delivery = z.object({
  receiver: receiverShown,
  /** `waiting`: it is tried again. */
  state: z.enum(['waiting', 'delivered', 'failed']),
  attempts: z.int(),
  error: z.string().nullable(),
  delivered_at: wireMoment,
});

/** One notification, or what would have been one but for a silence. */
const alertEvent = z.object({
  object: z.literal('alert_event'),
  id: z.uuid(),
  at: wireMoment,
  /** Id and name of the rule. */
  rule: z.string(),
  alert: z.string(),
  state: z.enum(['firing', 'resolved']),
  metric: z.string(),
  value: z.number().nullable(),
  threshold: z.number().nullable(),
  labels,
  started_at: wireMoment,
  resolved_at: wireMoment,
  silenced_by: z.string().nullable(),
  test: z.boolean(),
  deliveries: z.array(delivery),
});
export type AlertEventObject = z.output<typeof alertEvent>;

/** What is pending or firing at the moment. */
const alertState = z.object({
  object: z.literal('alert_state'),
  rule: z.string(),
  alert: z.string(),
  state: z.enum(['pending', 'firing']),
  metric: z.string(),
  value: z.number().nullable(),
  threshold: z.number().nullable(),
  labels,
  since: wireMoment,
  firing_since: wireMoment,
  /** When `value` was seen. Where that is minutes ago, nothing has been known since. */
  seen_at: wireMoment,
  silenced_by: z.string().nullable(),
});
export type AlertStateObject = z.output<typeof alertState>;

export const ALERTS = [
  operation({ id: 'createAlert', method: 'POST', path: 'alerts', summary: 'Make an alert rule', body: newAlert, reply: alertObject, status: 201, sealsBody: true }),
  operation({ id: 'listAlerts', method: 'GET', path: 'alerts', summary: 'Alert rules, of deja.yaml and of this API', query: z.strictObject(page), reply: listOf(alertObject) }),
  operation({ id: 'getAlert', method: 'GET', path: 'alerts/{id}', summary: 'One alert rule', reply: alertObject }),
  operation({ id: 'updateAlert', method: 'PATCH', path: 'alerts/{id}', summary: 'Change an alert rule of this API', body: alertChange, reply: alertObject, sealsBody: true }),
  // Before deleteAlert, whose address would match it too.
  operation({ id: 'deleteSilence', method: 'DELETE', path: 'alerts/silences/{id}', summary: 'End a silence', reply: deleted }),
  operation({ id: 'deleteAlert', method: 'DELETE', path: 'alerts/{id}', summary: 'Delete an alert rule of this API', reply: deleted }),
  operation({ id: 'createSilence', method: 'POST', path: 'alerts/silences', summary: 'Tell nobody of some alerts for a time', body: newSilence, reply: silenceObject, status: 201 }),
  operation({ id: 'listSilences', method: 'GET', path: 'alerts/silences', summary: 'Silences that are not over', query: z.strictObject(page), reply: listOf(silenceObject) }),
  operation({ id: 'listAlertStates', method: 'GET', path: 'alerts/state', summary: 'What is pending or firing', owner: 'usage-worker', query: z.strictObject(page), reply: listOf(alertState) }),
  operation({ id: 'listAlertEvents', method: 'GET', path: 'alerts/events', summary: 'What was told, the latest first, with its deliveries', owner: 'usage-worker', query: z.strictObject({ ...page, alert: z.string().min(1).max(256).optional(), from: moment.optional(), to: moment.optional() }), reply: listOf(alertEvent) }),
  operation({ id: 'testAlert', method: 'POST', path: 'alerts/{id}/test', summary: 'Send a notification of this rule to its receivers, now, marked as a test', owner: 'usage-worker', role: 'operator', change: false, reply: z.object({ object: z.literal('alert_test'), deliveries: z.array(delivery) }) }),
] as const;
