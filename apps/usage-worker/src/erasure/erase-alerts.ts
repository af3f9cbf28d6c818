import type { PoolClient } from '@deja/postgres';
import type { Renamed } from './erase-requests.ts';

const OF_USER = `labels ->> 'tenant' = $1 and labels ->> 'user' = $2`;

/**
 * Takes the name out of the history of alerts, and out of what was, or is still to be, sent of it. What is pending or firing about the user is forgotten:
 * the next evaluation begins anew, with whoever is there then.
 */
export async function eraseAlerts(client: PoolClient, { tenant, user, pseudonym }: Renamed): Promise<void> {
  // As jsonb writes a member. Within a string its quotation marks have backslashes, so nothing else is meant.
  await client.query(
    `update usage.alert_deliveries
    set payload = replace(payload::text, '"user": ' || to_jsonb($2::text)::text, '"user": ' || to_jsonb($3::text)::text)::jsonb
    where notification in (select notification from usage.alert_events where ${OF_USER})`,
    [tenant, user, pseudonym],
  );
  await client.query(`update usage.alert_events set labels = labels || jsonb_build_object('user', $3::text) where ${OF_USER}`, [tenant, user, pseudonym]);
  await client.query(`delete from usage.alert_states where ${OF_USER}`, [tenant, user]);
}
