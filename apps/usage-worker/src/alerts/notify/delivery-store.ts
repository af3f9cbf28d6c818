import type { AlertLabels } from '@deja/contracts';
import type { Pool } from '@deja/postgres';
import type { AlertDeliveryRow } from '../../schema/alerts.ts';
import { METRIC_DEFAULTS } from '../metric-defaults.ts';

export type DueDelivery = Pick<AlertDeliveryRow, 'id' | 'rule' | 'receiver' | 'shown' | 'payload'> & {
  /** This try among them. */
  attempts: number;
  created_at: Date;
  /** Alerts of a firing notification that fire still, with the name their rule has now; empty for an end, a test, and what has no state left. */
  firing: { alert: string; labels: AlertLabels }[];
};

/** Of an event `e`: its alert fires still, and has since then. */
const FIRES_STILL = `s.rule = e.rule and s.labels = e.labels and s.state = 'firing' and s.firing_since = e.started_at`;

/**
 * A replica that dies while it tells somebody leaves the rest to another after a minute. An end waits for the beginning of the same alert that this receiver is
 * still to be told of: once that is told or dropped, nothing of it can come after the end. Events were written with their deliveries, at the same moment.
 */
const CLAIM = `
  update usage.alert_deliveries d set attempts = d.attempts + 1, next_at = $2::timestamptz + interval '60 seconds'
  where d.id in (
    select due.id from usage.alert_deliveries due
    where due.state = 'waiting' and due.next_at <= $2 and not (due.payload ->> 'state' = 'resolved' and exists (
      select from usage.alert_events r
      join usage.alert_events e on e.rule = r.rule and e.labels = r.labels and e.started_at = r.started_at and e.state = 'firing' and e.at < r.at
      join usage.alert_deliveries f on f.notification = e.notification and f.receiver = due.receiver and f.state = 'waiting'
      where r.at = due.created_at and r.notification = due.notification
        and e.at >= (select min(created_at) from usage.alert_deliveries where state = 'waiting' and payload ->> 'state' = 'firing')))
    order by due.next_at limit $1 for update of due skip locked)
  returning d.id, d.rule, d.receiver, d.shown, d.payload, d.attempts, d.created_at, (
    select coalesce(json_agg(json_build_object('alert', s.alert, 'labels', s.labels)), '[]') from usage.alert_events e join usage.alert_states s on ${FIRES_STILL}
    where e.at = d.created_at and e.notification = d.notification and e.state = 'firing' and not e.test) as firing`;

/** What may be told at this very moment is left until its minute is over; half a minute more for clocks that differ. */
const NOT_IN_HAND = `(next_at <= $1 or next_at > $1::timestamptz + interval '90 seconds')`;
/** All of its alerts are over. That something is no longer new makes it no older news: $3 are metrics whose end nobody is told. */
const DROP = `
  with waiting as (
    select id, notification, created_at from usage.alert_deliveries
    where state = 'waiting' and ${NOT_IN_HAND} and payload ->> 'state' = 'firing' and not payload ? 'test' and payload ->> 'metric' <> all($3::text[])),
  still as (
    select e.notification from usage.alert_events e join usage.alert_states s on ${FIRES_STILL} where e.at in (select created_at from waiting) and e.notification is not null),
  over as (
    select id from waiting w where exists (select from usage.alert_events e where e.id = w.notification) and w.notification not in (select notification from still))
  update usage.alert_deliveries set state = 'failed', next_at = null, last_error = $2
  where id in (select id from usage.alert_deliveries where id in (select id from over) and state = 'waiting' and ${NOT_IN_HAND} for update skip locked)`;

const OVER = 'it was over before it could be told';
const END_IS_NO_NEWS = Object.entries(METRIC_DEFAULTS).flatMap(([metric, { endIsTold }]) => (endIsTold ? [] : [metric]));

/** Deliveries in Postgres: each due one is taken by one replica at a time. */
export class DeliveryStore {
  constructor(private readonly pool: Pool) {}

  /** Gives up telling that alerts fire which do no more; returns how many deliveries that were. */
  async dropOver(nowMs: number): Promise<number> {
    return (await this.pool.query(DROP, [new Date(nowMs), OVER, END_IS_NO_NEWS])).rowCount ?? 0;
  }

  async claim(most: number, nowMs: number): Promise<DueDelivery[]> {
    return (await this.pool.query<DueDelivery>(CLAIM, [most, new Date(nowMs)])).rows;
  }

  async delivered(id: string, nowMs: number): Promise<void> {
    await this.pool.query(`update usage.alert_deliveries set state = 'delivered', delivered_at = $2, next_at = null, last_error = null where id = $1`, [id, new Date(nowMs)]);
  }

  /** Was claimed and not tried: it is due again at `nextAtMs`. */
  async putOff(id: string, reason: string, nextAtMs: number): Promise<void> {
    await this.pool.query(`update usage.alert_deliveries set attempts = attempts - 1, last_error = $2, next_at = $3 where id = $1 and state = 'waiting'`, [id, reason, new Date(nextAtMs)]);
  }

  /** @param nextAtMs when it is tried again; null: never */
  async failed(id: string, reason: string, nextAtMs: number | null): Promise<void> {
    const next = nextAtMs === null ? null : new Date(nextAtMs);
    await this.pool.query(`update usage.alert_deliveries set state = case when $3::timestamptz is null then 'failed' else 'waiting' end, last_error = $2, next_at = $3 where id = $1`, [id, reason, next]);
  }
}
