import type { PoolClient } from '@deja/postgres';
import { rowsJson } from '../ledger/json.ts';
import type { AcceptedOperations } from './gateways.ts';
import type { Verdict } from './verdict.ts';

/** What is kept of a quarter of an hour. Times in Unix ms. */
export interface KnownQuarter {
  atMs: number;
  watchedFromMs: number | null;
  uncounted: boolean;
  seenMissing: number;
  seenSurplus: number;
}

export interface ComparedQuarter extends Verdict {
  atMs: number;
  accepted: number;
  recorded: number;
}

export interface Differences {
  missing: number;
  surplus: number;
  sumsDiffer: number;
}

const KEEP_ACCEPTED = `
  insert into usage.accepted as known (at, gateway, operations)
  select at, gateway, operations from json_to_recordset($1::json) as seen (at timestamptz, gateway text, operations bigint)
  on conflict (at, gateway) do update set operations = excluded.operations where excluded.operations > known.operations`;
const ACCEPTED = `select at, sum(operations)::text as operations from usage.accepted where at >= $1 and at < $2 group by at`;
const WATCH = `
  insert into usage.reconciliation as known (at, watched_from, uncounted) values ($1, $2, $3)
  on conflict (at) do update set watched_from = coalesce(known.watched_from, excluded.watched_from), uncounted = known.uncounted or excluded.uncounted`;
const KNOWN = `select at, watched_from, uncounted, seen_missing::text, seen_surplus::text from usage.reconciliation where at >= $1`;
const KEEP_COMPARED = `
  insert into usage.reconciliation (at, accepted, recorded, on_the_way, unsure, seen_missing, seen_surplus, missing, surplus, compared_at)
  select at, accepted, recorded, on_the_way, unsure, seen_missing, seen_surplus, missing, surplus, $2 from json_populate_recordset(null::usage.reconciliation, $1::json)
  on conflict (at) do update set
    accepted = excluded.accepted, recorded = excluded.recorded, on_the_way = excluded.on_the_way, unsure = excluded.unsure, seen_missing = excluded.seen_missing,
    seen_surplus = excluded.seen_surplus, missing = excluded.missing, surplus = excluded.surplus, compared_at = excluded.compared_at`;
const FORGET = `with forgotten as (delete from usage.accepted where at < $1) delete from usage.reconciliation where at < $1`;
/** Those that nobody has looked at first, of these the latest. */
const DUE = `select at from usage.reconciliation where at >= $1 and at < $2 order by sums_at nulls first, at desc limit $3`;
const KEEP_SUMS = `update usage.reconciliation set sums_differ = $2, sums_at = $3 where at = $1`;
const DIFFERENCES = `
  select coalesce(sum(missing) filter (where at >= $1), 0)::text as missing, coalesce(sum(surplus) filter (where at >= $1), 0)::text as surplus,
    coalesce(sum(sums_differ), 0)::text as sums_differ, max(compared_at) as compared_at
  from usage.reconciliation where at >= $2`;

/** How far back operations are compared; and sums. */
export const COMPARED_MS = 24 * 3_600_000;
export const SUMS_MS = 48 * 3_600_000;
const KEPT_MS = 72 * 3_600_000;

export async function keepAccepted(client: PoolClient, accepted: readonly AcceptedOperations[]): Promise<void> {
  if (accepted.length === 0) return;
  await client.query(KEEP_ACCEPTED, [rowsJson(accepted.map(({ gateway, quarterMs, operations }) => ({ at: new Date(quarterMs), gateway, operations })))]);
}

/** By quarter, Unix ms; from `fromMs` on, before `toMs`. */
export async function acceptedByQuarter(client: PoolClient, fromMs: number, toMs: number): Promise<Map<number, number>> {
  const { rows } = await client.query<{ at: Date; operations: string }>(ACCEPTED, [new Date(fromMs), new Date(toMs)]);
  return new Map(rows.map(({ at, operations }) => [at.getTime(), Number(operations)]));
}

/** Says which gateways there are in the quarter that lasts. */
export async function watchQuarter(client: PoolClient, quarterMs: number, seen: { nowMs: number; uncounted: boolean }): Promise<void> {
  await client.query(WATCH, [new Date(quarterMs), new Date(seen.nowMs), seen.uncounted]);
}

export async function knownQuarters(client: PoolClient, fromMs: number): Promise<Map<number, KnownQuarter>> {
  const { rows } = await client.query<{ at: Date; watched_from: Date | null; uncounted: boolean; seen_missing: string; seen_surplus: string }>(KNOWN, [new Date(fromMs)]);
  return new Map(rows.map((row) => [row.at.getTime(), {
    atMs: row.at.getTime(), watchedFromMs: row.watched_from?.getTime() ?? null, uncounted: row.uncounted, seenMissing: Number(row.seen_missing), seenSurplus: Number(row.seen_surplus),
  }]));
}

export async function keepCompared(client: PoolClient, compared: readonly ComparedQuarter[], nowMs: number): Promise<void> {
  const rows = compared.map((quarter) => ({
    at: new Date(quarter.atMs), accepted: quarter.accepted, recorded: quarter.recorded, on_the_way: quarter.onTheWay, unsure: quarter.unsure,
    seen_missing: quarter.seenMissing, seen_surplus: quarter.seenSurplus, missing: quarter.missing, surplus: quarter.surplus,
  }));
  await client.query(KEEP_COMPARED, [rowsJson(rows), new Date(nowMs)]);
  await client.query(FORGET, [new Date(nowMs - KEPT_MS)]);
}

/** Quarters whose sums are to be looked at next, Unix ms; of those that ended before `endedMs`. */
export async function dueQuarters(client: PoolClient, nowMs: number, endedMs: number, limit: number): Promise<number[]> {
  const { rows } = await client.query<{ at: Date }>(DUE, [new Date(nowMs - SUMS_MS), new Date(endedMs), limit]);
  return rows.map(({ at }) => at.getTime());
}

export async function keepSums(client: PoolClient, quarterMs: number, differ: number, nowMs: number): Promise<void> {
  await client.query(KEEP_SUMS, [new Date(quarterMs), differ, new Date(nowMs)]);
}

/** All there is at the moment, and when operations were compared last (Unix ms); null: never yet. */
export async function differencesOf(client: Pick<PoolClient, 'query'>, nowMs: number): Promise<(Differences & { atMs: number }) | null> {
  const { rows: [row] } = await client.query<{ missing: string; surplus: string; sums_differ: string; compared_at: Date | null }>(DIFFERENCES, [new Date(nowMs - COMPARED_MS), new Date(nowMs - SUMS_MS)]);
  if (row?.compared_at == null) return null;
  return { missing: Number(row.missing), surplus: Number(row.surplus), sumsDiffer: Number(row.sums_differ), atMs: row.compared_at.getTime() };
}
