import type { AlertEventObject, AlertStateObject, QueryOf, ReplyOf } from '@deja/admin-api';
import type { PoolClient } from '@deja/postgres';
import { z } from 'zod';
import { cursorAt, placeAt } from '../queries/cursor.ts';
import { timeSpan, Values, type Asked } from '../queries/question.ts';
import type { AlertDeliveryRow, AlertEventRow, AlertStateRow } from '../schema/alerts.ts';

/** Behind what to go on. */
const PLACE = z.object({ at: z.iso.datetime(), id: z.guid() });

type Deliveries = AlertEventObject['deliveries'];
type TimesAsDates<Row, Times extends keyof Row> = Omit<Row, Times> & { [Time in Times]: null extends Row[Time] ? Date | null : Date };
type DeliveryRead = TimesAsDates<Pick<AlertDeliveryRow, 'shown' | 'state' | 'attempts' | 'last_error' | 'delivered_at'>, 'delivered_at'>;

/** What is pending or firing, the latest first. A caller of one tenant sees what is about that tenant. */
export async function listAlertStates(client: PoolClient, { scope }: Pick<Asked, 'scope'>, { limit, cursor }: QueryOf<'listAlertStates'>): Promise<ReplyOf<'listAlertStates'>> {
  const values = new Values();
  const where = pageOf('alert_states', 'since', scope, cursor, values);
  const { rows } = await client.query<TimesAsDates<AlertStateRow, 'since' | 'firing_since' | 'seen_at'>>(
    `select id, rule, alert, state, metric, value, threshold, labels, since, firing_since, seen_at, silenced_by from usage.alert_states where ${where.join(' and ')} order by since desc, id desc limit ${values.at(limit + 1)}`,
    values.all,
  );
  const shown = rows.slice(0, limit);
  const data = shown.map(({ rule, alert, state, metric, value, threshold, labels, since, firing_since, seen_at, silenced_by }): AlertStateObject => ({
    object: 'alert_state', rule, alert, state, metric, value, threshold, labels: { ...labels }, since: since.toISOString(), firing_since: firing_since?.toISOString() ?? null, seen_at: seen_at.toISOString(), silenced_by,
  }));
  return { object: 'list', data, ...nextPage('alert_states', rows.length > limit, shown.at(-1)?.since, shown.at(-1)?.id) };
}

/** Events of the time asked for, the latest first, with their deliveries. `alert`: a rule's name or id. A caller of one tenant sees what is about that tenant. */
export async function listAlertEvents(client: PoolClient, { scope, nowMs }: Asked, query: QueryOf<'listAlertEvents'>): Promise<ReplyOf<'listAlertEvents'>> {
  const { limit, cursor, alert } = query;
  const values = new Values();
  const where = pageOf('alert_events', 'at', scope, cursor, values);
  const { fromMs, toMs } = timeSpan(query, nowMs);
  where.push(`at >= ${values.at(new Date(fromMs))}`);
  if (query.to !== undefined) where.push(`at < ${values.at(new Date(toMs))}`);
  if (alert !== undefined) where.push(`${values.at(alert)} in (rule, alert)`);
  const { rows } = await client.query<TimesAsDates<AlertEventRow, 'at' | 'started_at' | 'resolved_at'>>(
    `select * from usage.alert_events where ${where.join(' and ')} order by at desc, id desc limit ${values.at(limit + 1)}`,
    values.all,
  );
  const shown = rows.slice(0, limit);
  const deliveries = await deliveriesOf(client, shown.flatMap(({ notification }) => notification ?? []));
  const data = shown.map((row): AlertEventObject => ({
    object: 'alert_event', id: row.id, at: row.at.toISOString(), rule: row.rule, alert: row.alert, state: row.state, metric: row.metric, value: row.value, threshold: row.threshold, labels: { ...row.labels },
    started_at: row.started_at.toISOString(), resolved_at: row.resolved_at?.toISOString() ?? null, silenced_by: row.silenced_by, test: row.test, deliveries: deliveries.get(row.notification ?? '') ?? [],
  }));
  return { object: 'list', data, ...nextPage('alert_events', rows.length > limit, shown.at(-1)?.at, shown.at(-1)?.id) };
}

/** Of these notifications, by notification, in the order of the rule's receivers. */
export async function deliveriesOf(client: Pick<PoolClient, 'query'>, notifications: readonly string[]): Promise<Map<string, Deliveries>> {
  const found = new Map<string, Deliveries>();
  if (notifications.length === 0) return found;
  const { rows } = await client.query<DeliveryRead & { notification: string }>(
    'select notification, shown, state, attempts, last_error, delivered_at from usage.alert_deliveries where notification = any($1::uuid[]) order by notification, receiver',
    [[...new Set(notifications)]],
  );
  for (const { notification, shown, state, attempts, last_error: error, delivered_at: at } of rows) {
    const delivery = { receiver: shown, state, attempts, error, delivered_at: at?.toISOString() ?? null };
    found.set(notification, [...(found.get(notification) ?? []), delivery]);
  }
  return found;
}

function pageOf(list: string, time: 'at' | 'since', scope: string | null, cursor: string | undefined, values: Values): string[] {
  const where = ['true'];
  if (scope !== null) where.push(`labels ->> 'tenant' = ${values.at(scope)}`);
  if (cursor !== undefined) {
    const place = placeAt(list, PLACE, cursor);
    where.push(`(${time}, id) < (${values.at(place.at)}::timestamptz, ${values.at(place.id)}::uuid)`);
  }
  return where;
}

function nextPage(list: string, isCut: boolean, at: Date | undefined, id: string | undefined): { has_more: boolean; next_cursor: string | null } {
  return { has_more: isCut, next_cursor: isCut && at !== undefined && id !== undefined ? cursorAt(list, { at: at.toISOString(), id }) : null };
}
