import type { Pool } from '@deja/postgres';
import type { AlertDeliveryRow } from '../../schema/alerts.ts';

export type DueDelivery = Pick<AlertDeliveryRow, 'id' | 'rule' | 'receiver' | 'shown' | 'payload'> & {
  /** This try among them. */
  attempts: number;
  created_at: Date;
};

/** A replica that dies while it tells somebody leaves the rest to another after so long. */
const CLAIM = `
  update usage.alert_deliveries d set attempts = d.attempts + 1, next_at = $2::timestamptz + interval '60 seconds'
  where d.id in (select id from usage.alert_deliveries where state = 'waiting' and next_at <= $2 order by next_at limit $1 for update skip locked)
  returning d.id, d.rule, d.receiver, d.shown, d.payload, d.attempts, d.created_at`;

/** Deliveries in Postgres: each due one is taken by one replica at a time. */
export class DeliveryStore {
  constructor(private readonly pool: Pool) {}

  async claim(most: number, nowMs: number): Promise<DueDelivery[]> {
    return (await this.pool.query<DueDelivery>(CLAIM, [most, new Date(nowMs)])).rows;
  }

  async delivered(id: string, nowMs: number): Promise<void> {
    await this.pool.query(`update usage.alert_deliveries set state = 'delivered', delivered_at = $2, next_at = null, last_error = null where id = $1`, [id, new Date(nowMs)]);
  }

  /** @param nextAtMs when it is tried again; null: never */
  async failed(id: string, reason: string, nextAtMs: number | null): Promise<void> {
    const next = nextAtMs === null ? null : new Date(nextAtMs);
    await this.pool.query(`update usage.alert_deliveries set state = case when $3::timestamptz is null then 'failed' else 'waiting' end, last_error = $2, next_at = $3 where id = $1`, [id, reason, next]);
  }
}
