import type { ClientBase } from 'pg';
import { rowsJson } from '../ledger/json.ts';
import type { AlertStateRow } from '../schema/alerts.ts';
import type { KeptAlert } from './rule-round.ts';
import type { ToldRows } from './tell.ts';

/** A moment as Unix ms. */
const ms = (column: string): string => `(extract(epoch from ${column}) * 1000)::float8`;

const LOAD = `
  select id, rule, alert, condition, metric, labels, state, value, threshold, silenced_by,
    ${['since', 'firing_since', 'exceeded_at', 'fine_since', 'unknown_since', 'seen_at', 'told_at'].map((column) => `${ms(column)} as ${column}`).join(', ')}
  from usage.alert_states`;

const COLUMNS = ['id', 'rule', 'alert', 'condition', 'metric', 'labels', 'state', 'value', 'threshold', 'since', 'firing_since', 'exceeded_at', 'fine_since', 'unknown_since', 'seen_at', 'told_at', 'silenced_by'];
const KEEP = `
  insert into usage.alert_states (${COLUMNS.join(', ')})
  select ${COLUMNS.join(', ')} from json_populate_recordset(null::usage.alert_states, $1::json)
  on conflict (id) do update set ${COLUMNS.slice(1).map((column) => `${column} = excluded.${column}`).join(', ')}`;

const ADD_EVENTS = 'insert into usage.alert_events select * from json_populate_recordset(null::usage.alert_events, $1::json)';
const ADD_DELIVERIES = 'insert into usage.alert_deliveries select * from json_populate_recordset(null::usage.alert_deliveries, $1::json)';

type StoredRow = Omit<AlertStateRow, 'since' | 'firing_since' | 'exceeded_at' | 'fine_since' | 'unknown_since' | 'seen_at' | 'told_at'> & {
  since: number; firing_since: number | null; exceeded_at: number; fine_since: number | null; unknown_since: number | null; seen_at: number; told_at: number | null;
};

/** All that is pending or firing. */
export async function keptAlerts(client: ClientBase): Promise<KeptAlert[]> {
  const { rows } = await client.query<StoredRow>(LOAD);
  return rows.map((row) => ({
    id: row.id, rule: row.rule, alert: row.alert, fingerprint: row.condition, metric: row.metric, labels: row.labels,
    state: {
      phase: row.state, value: row.value ?? 0, threshold: row.threshold ?? 0, sinceMs: row.since, firingSinceMs: row.firing_since, exceededAtMs: row.exceeded_at, fineSinceMs: row.fine_since,
      unknownSinceMs: row.unknown_since, seenAtMs: row.seen_at, toldAtMs: row.told_at, silencedBy: row.silenced_by,
    },
  }));
}

/** Writes what an evaluation decided, in the caller's transaction. */
export async function writeRound(client: ClientBase, round: { kept: readonly KeptAlert[]; over: readonly string[] } & ToldRows): Promise<void> {
  if (round.over.length > 0) await client.query('delete from usage.alert_states where id = any($1::uuid[])', [round.over]);
  if (round.kept.length > 0) await client.query(KEEP, [rowsJson(round.kept.map(rowOf))]);
  await writeTold(client, round);
}

/** Writes events with their deliveries, in the caller's transaction. */
export async function writeTold(client: ClientBase, { events, deliveries }: ToldRows): Promise<void> {
  if (events.length > 0) await client.query(ADD_EVENTS, [rowsJson(events)]);
  if (deliveries.length > 0) await client.query(ADD_DELIVERIES, [rowsJson(deliveries)]);
}

/** Forgets events and deliveries from before `beforeMs` (Unix). */
export async function forgetEvents(client: ClientBase, beforeMs: number): Promise<void> {
  await client.query('delete from usage.alert_deliveries where created_at < $1', [new Date(beforeMs)]);
  await client.query('delete from usage.alert_events where at < $1', [new Date(beforeMs)]);
}

function rowOf({ id, rule, alert, fingerprint, metric, labels, state }: KeptAlert): AlertStateRow {
  return {
    id, rule, alert, condition: fingerprint, metric, labels, state: state.phase, value: state.value, threshold: state.threshold, since: moment(state.sinceMs), firing_since: momentOrNull(state.firingSinceMs),
    exceeded_at: moment(state.exceededAtMs), fine_since: momentOrNull(state.fineSinceMs), unknown_since: momentOrNull(state.unknownSinceMs), seen_at: moment(state.seenAtMs), told_at: momentOrNull(state.toldAtMs),
    silenced_by: state.silencedBy,
  };
}

const moment = (atMs: number): string => new Date(atMs).toISOString();
const momentOrNull = (atMs: number | null): string | null => (atMs === null ? null : moment(atMs));
