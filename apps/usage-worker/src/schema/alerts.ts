import type { AlertLabels, AlertMetric, ShownReceiver } from '@deja/contracts';
import { bigint, boolean, doublePrecision, integer, jsonb, pgSchema, primaryKey, text, timestamp, uuid } from 'drizzle-orm/pg-core';
import type { Notification } from '../alerts/notification.ts';

/** The tables of alerts; `migrations/0008_alerts.sql` says what each column means. Properties are spelled as the columns are, because rows travel to Postgres as JSON. */
const usage = pgSchema('usage');
const moment = () => timestamp({ withTimezone: true, mode: 'string' });

export const alertStates = usage.table('alert_states', {
  id: uuid().primaryKey(),
  rule: text().notNull(),
  alert: text().notNull(),
  condition: text().notNull(),
  metric: text().$type<AlertMetric>().notNull(),
  labels: jsonb().$type<AlertLabels>().notNull(),
  state: text().$type<'pending' | 'firing'>().notNull(),
  value: doublePrecision(),
  threshold: doublePrecision(),
  since: moment().notNull(),
  firing_since: moment(),
  exceeded_at: moment().notNull(),
  fine_since: moment(),
  unknown_since: moment(),
  seen_at: moment().notNull(),
  told_at: moment(),
  silenced_by: text(),
});

export const alertEvents = usage.table('alert_events', {
  id: uuid().primaryKey(),
  at: moment().notNull(),
  rule: text().notNull(),
  alert: text().notNull(),
  state: text().$type<'firing' | 'resolved'>().notNull(),
  metric: text().$type<AlertMetric>().notNull(),
  value: doublePrecision(),
  threshold: doublePrecision(),
  labels: jsonb().$type<AlertLabels>().notNull(),
  started_at: moment().notNull(),
  resolved_at: moment(),
  silenced_by: text(),
  test: boolean().notNull(),
  notification: uuid(),
});

export const alertDeliveries = usage.table('alert_deliveries', {
  id: uuid().primaryKey(),
  notification: uuid().notNull(),
  rule: text().notNull(),
  receiver: integer().notNull(),
  shown: jsonb().$type<ShownReceiver>().notNull(),
  state: text().$type<'waiting' | 'delivered' | 'failed'>().notNull(),
  attempts: integer().notNull(),
  next_at: moment(),
  last_error: text(),
  delivered_at: moment(),
  payload: jsonb().$type<Notification>().notNull(),
  created_at: moment().notNull(),
});

export const keyHours = usage.table(
  'key_hours',
  {
    tenant: text().notNull(),
    key: text().notNull(),
    model: text().notNull(),
    at: moment().notNull(),
    tokens: bigint({ mode: 'bigint' }).notNull(),
    cost_nano_usd: bigint({ mode: 'bigint' }).notNull(),
  },
  (table) => [primaryKey({ columns: [table.tenant, table.key, table.model, table.at] })],
);

type Complete<Row> = { [Column in keyof Row]-?: Exclude<Row[Column], undefined> };
export type AlertStateRow = Complete<typeof alertStates.$inferInsert>;
export type AlertEventRow = Complete<typeof alertEvents.$inferInsert>;
export type AlertDeliveryRow = Complete<typeof alertDeliveries.$inferInsert>;
