import type { AlertLabel, AlertLabels, ShownReceiver } from '@deja/contracts';
import type { AlertDeliveryRow, AlertEventRow } from '../schema/alerts.ts';
import type { Notification, ToldAlert } from './notification.ts';
import type { ToldOf } from './rule-round.ts';

/** So many alerts stand in one notification; that there are more is said. */
const MOST_SHOWN = 100;
/** A value that was seen longer ago is said to be of then. */
const STALE_MS = 120_000;

export interface Telling {
  rule: string;
  groupBy: readonly AlertLabel[];
  /** In the order in which the rule names them. Empty: there is nobody to tell. */
  receivers: readonly ShownReceiver[];
  told: readonly ToldOf[];
  /** Unix ms. */
  nowMs: number;
  /** Makes UUIDv7. */
  newId: () => string;
  /** How many alerts the rule would have beyond those it may have. */
  cut?: number;
  isTest?: boolean;
}

export interface ToldRows {
  events: AlertEventRow[];
  deliveries: AlertDeliveryRow[];
}

/** Events of what is told, and a delivery to each receiver of each group: alerts of one state that are alike in the labels of `groupBy` are told together. */
export function toldRows(telling: Telling): ToldRows {
  const { told, groupBy, receivers, newId } = telling;
  const groups = new Map<string, ToldOf[]>();
  const rows: ToldRows = { events: [], deliveries: [] };
  for (const one of told) {
    if (one.told.silencedBy !== null || receivers.length === 0) {
      rows.events.push(eventOf(one, telling, newId(), null));
      continue;
    }
    const name = JSON.stringify([one.told.state, ...groupBy.map((label) => one.of.labels[label] ?? null)]);
    const group = groups.get(name);
    if (group === undefined) groups.set(name, [one]);
    else group.push(one);
  }
  for (const group of groups.values()) {
    const ids = group.map(() => newId());
    const notification = ids[0] ?? newId();
    rows.events.push(...group.map((one, i) => eventOf(one, telling, ids[i] ?? newId(), notification)));
    rows.deliveries.push(...deliveriesOf(group, telling, notification));
  }
  return rows;
}

function eventOf({ of, told }: ToldOf, { nowMs, isTest }: Telling, id: string, notification: string | null): AlertEventRow {
  return {
    id, at: moment(nowMs), rule: of.rule, alert: of.alert, state: told.state, metric: of.metric, value: told.value, threshold: told.threshold, labels: of.labels,
    started_at: moment(told.startedAtMs), resolved_at: told.resolvedAtMs === null ? null : moment(told.resolvedAtMs), silenced_by: told.silencedBy, test: isTest === true, notification,
  };
}

function deliveriesOf(group: readonly ToldOf[], telling: Telling, notification: string): AlertDeliveryRow[] {
  const { rule, receivers, nowMs, newId } = telling;
  const payload = payloadOf(group, telling, notification);
  return receivers.map((shown, receiver) => ({
    id: newId(), notification, rule, receiver, shown, state: 'waiting', attempts: 0, next_at: moment(nowMs), last_error: null, delivered_at: null, payload, created_at: moment(nowMs),
  }));
}

function payloadOf(group: readonly ToldOf[], { nowMs, cut = 0, isTest = false }: Telling, id: string): Notification {
  const alerts = group.slice(0, MOST_SHOWN).map((one) => alertOf(one, nowMs));
  const [first] = alerts;
  if (first === undefined) throw new RangeError('a notification is of one alert at least');
  const payload: Notification = { id, ...first };
  if (alerts.length > 1) {
    payload.labels = commonLabels(group.map(({ of }) => of.labels));
    payload.alerts = alerts;
  }
  if (group.length > alerts.length) payload.more = group.length - alerts.length;
  if (cut > 0) payload.cut = cut;
  if (isTest) payload.test = true;
  return payload;
}

const alertOf = ({ of, told }: ToldOf, nowMs: number): ToldAlert => ({
  alert: of.alert, state: told.state, metric: of.metric, value: told.value, threshold: told.threshold, labels: of.labels,
  ...(told.seenAtMs !== null && nowMs - told.seenAtMs > STALE_MS && { seen_at: moment(told.seenAtMs) }),
  started_at: moment(told.startedAtMs), resolved_at: told.resolvedAtMs === null ? null : moment(told.resolvedAtMs),
});

function commonLabels(all: readonly AlertLabels[]): AlertLabels {
  const [first = {}, ...others] = all;
  return Object.fromEntries(Object.entries(first).filter(([label, value]) => others.every((labels) => labels[label as AlertLabel] === value)));
}

const moment = (atMs: number): string => new Date(atMs).toISOString();
