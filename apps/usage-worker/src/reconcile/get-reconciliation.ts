import type { Reconciliation } from '@deja/admin-api';
import type { PoolClient } from '@deja/postgres';
import { COMPARED_MS, differencesOf, type Differences } from './reconciliation-table.ts';

/** What was compared longer ago says nothing of now. */
const STALE_MS = 10 * 60_000;

const QUARTERS = `
  select at, accepted::text, unsure::text, recorded::text, on_the_way::text, missing::text, surplus::text
  from usage.reconciliation where at >= $1 and compared_at is not null order by at desc`;

type QuarterRow = { at: Date } & Record<'accepted' | 'unsure' | 'recorded' | 'on_the_way' | 'missing' | 'surplus', string>;

/** As last compared, the latest quarter first. */
export async function getReconciliation(client: PoolClient, nowMs: number): Promise<Reconciliation> {
  const found = await differencesOf(client, nowMs);
  const { rows } = await client.query<QuarterRow>(QUARTERS, [new Date(nowMs - COMPARED_MS)]);
  return {
    object: 'reconciliation',
    at: found === null ? null : new Date(found.atMs).toISOString(),
    missing: found?.missing ?? 0,
    surplus: found?.surplus ?? 0,
    sums_differ: found?.sumsDiffer ?? 0,
    quarters: rows.map((row) => ({
      at: row.at.toISOString(), accepted: Number(row.accepted), unsure: Number(row.unsure), recorded: Number(row.recorded), on_the_way: Number(row.on_the_way),
      missing: Number(row.missing), surplus: Number(row.surplus),
    })),
  };
}

/** For alerts; null where nobody compared lately. */
export async function lastReconciliation(client: Pick<PoolClient, 'query'>, nowMs: number): Promise<Differences | null> {
  const found = await differencesOf(client, nowMs);
  if (found === null || found.atMs < nowMs - STALE_MS) return null;
  const { missing, surplus, sumsDiffer } = found;
  return { missing, surplus, sumsDiffer };
}
