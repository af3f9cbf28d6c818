import { inTransaction, type Pool, type PoolClient } from '@deja/postgres';
import { getTableColumns } from 'drizzle-orm';
import { minutesKeptFrom } from '../rollups/grains.ts';
import { addToRollups, type KeptSums, type RollupChange, type Summed } from '../rollups/rollup-writer.ts';
import { SUMMED_COLUMNS, summedOf, type SummedRead } from '../rollups/summed-row.ts';
import { attempts, operations, type AttemptRow, type OperationRow } from '../schema/tables.ts';
import { ColumnArrays } from './column-arrays.ts';
import { rowsJson } from './json.ts';
import { partitionsOf, Partitions } from './partitions.ts';
import { rejectedRow, type RejectedEvent } from './rejected-event.ts';
import type { LedgerRows } from './rows.ts';
import { addSpending, type Spending } from './spend.ts';

/** One event on its way into the ledger: its rows, the row of an attempt that came by itself, or why it has none. */
export type LedgerEvent =
  | { rows: LedgerRows; raw: unknown; /** W3C traceparent of the operation. */ traceparent: string | null }
  | { late: AttemptRow; raw: unknown }
  | { rejected: RejectedEvent };

export interface LedgerBatch {
  rows: LedgerRows[];
  /** Shadow attempts that came by themselves. */
  late: AttemptRow[];
  rejected: RejectedEvent[];
}

/** What an insert changed. Duplicates changed nothing. */
export interface Inserted {
  settled: number;
  orphaned: number;
  /** Shadow attempts that came by themselves. */
  late: number;
  duplicates: number;
}

/** "No partition of relation found for row" and a check that failed have this code. */
const CHECK_VIOLATION = '23514';

const quoted = (names: readonly string[]): string => names.map((name) => `"${name}"`).join(', ');
const operationColumns = Object.keys(getTableColumns(operations)).filter((name) => name !== 'recorded_at') as (keyof OperationRow)[];

const operationArrays = new ColumnArrays<OperationRow>(operations, operationColumns);
const attemptArrays = new ColumnArrays<AttemptRow>(attempts, Object.keys(getTableColumns(attempts)) as (keyof AttemptRow)[]);

const INSERT_OPERATIONS = `insert into usage.operations (${operationArrays.columns}) ${operationArrays.select} on conflict (id) do nothing returning id`;
const INSERT_ATTEMPTS = `insert into usage.attempts (${attemptArrays.columns}) ${attemptArrays.select} on conflict do nothing`;
/** A settled record replaces an orphaned row, and nothing replaces a settled one. Returns what the orphan's row said. */
const REPLACE_ORPHANS = `
  with orphans as (
    select id, ${quoted(SUMMED_COLUMNS)}
    from usage.operations where id = any($2::uuid[]) and outcome = 'orphaned' order by id for update
  )
  update usage.operations as known
  set ${operationColumns.filter((name) => name !== 'id').map((name) => `"${name}" = settled."${name}"`).join(', ')}, recorded_at = now()
  from orphans join json_populate_recordset(null::usage.operations, $1::json) settled on settled.id = orphans.id
  where known.id = orphans.id and known.id = any($2::uuid[])
  returning ${['id', ...SUMMED_COLUMNS].map((name) => `orphans."${name}"`).join(', ')}`;
const INSERT_REJECTED = `
  insert into usage.rejected_events (digest, reason, raw)
  select digest, reason, raw from json_populate_recordset(null::usage.rejected_events, $1::json)
  on conflict do nothing`;

/** How long sums by minute are kept where nobody has said it yet, in days: as deja.yaml's own default. */
const MINUTES_RETENTION_DAYS = 8;

/** The usage rows in Postgres, the only truth about money. */
export class Ledger {
  readonly partitions: Partitions;

  constructor(
    private readonly pool: Pool,
    private readonly o: { nowMs?: () => number; minutesRetentionDays?: () => number | undefined } = {},
  ) {
    this.partitions = new Partitions(pool);
  }

  /**
   * Records a batch, all of it or nothing. Recording the same again changes nothing, in whatever order and company it
   * comes. Rejects with Postgres's error.
   */
  async insert(batch: LedgerBatch): Promise<Inserted> {
    const rows = oneForEachOperation(batch.rows);
    const minutesFromMs = minutesKeptFrom((this.o.nowMs ?? Date.now)(), this.o.minutesRetentionDays?.() ?? MINUTES_RETENTION_DAYS);
    const needed = partitionsOf(rows.map(({ operation }) => operation), batch.late, minutesFromMs);
    const kept: KeptSums = (grain, ms) => grain !== 'minutes' || ms >= minutesFromMs;
    try {
      await this.partitions.ensure(needed);
      return await this.insertOnce(rows, batch, kept);
    } catch (error) {
      if ((error as { code?: unknown }).code !== CHECK_VIOLATION) throw error;
      this.partitions.forget();
      await this.partitions.ensure(needed);
      return await this.insertOnce(rows, batch, kept);
    }
  }

  private async insertOnce(rows: LedgerRows[], batch: LedgerBatch, kept: KeptSums): Promise<Inserted> {
    return inTransaction(this.pool, async (client) => {
      const changed = rows.length === 0 ? { settled: 0, orphaned: 0, orphans: [], written: [] } : await insertRows(client, rows);
      if (batch.rejected.length > 0) await client.query(INSERT_REJECTED, [rowsJson(batch.rejected.map(rejectedRow))]);
      // Sorted, like operations: two workers with the same ones never wait for each other in a circle.
      const late = batch.late.length === 0 ? 0 : await insertAttempts(client, batch.late.toSorted((a, b) => (a.id < b.id ? -1 : 1)));
      // Last, because all that was used and spent meets in a few rows: they are locked for no longer than the commit takes.
      await addToSums(client, changed, kept);
      const duplicates = batch.rows.length - changed.settled - changed.orphaned + batch.late.length - late;
      return { settled: changed.settled, orphaned: changed.orphaned, late, duplicates };
    });
  }
}

interface Changed {
  settled: number;
  orphaned: number;
  /** As they were before their settled records took their place. */
  orphans: Orphan[];
  written: LedgerRows[];
}

type Orphan = { id: string } & Summed;

async function addToSums(client: PoolClient, { orphans, written }: Changed, kept: KeptSums): Promise<void> {
  const changes = [...orphans.map((operation): RollupChange => ({ operation, sign: -1 })), ...written.map(({ operation }): RollupChange => ({ operation, sign: 1 }))];
  // Nobody foresaw where an orphan was counted: its sums may be such as retention has dropped meanwhile.
  await addToRollups(client, changes, orphans.length === 0 ? kept : undefined);
  await addSpending(client, [...orphans.map(takenBack), ...written.map(spendingOf)]);
}

/** Statements have names, so that each connection plans them once. Of a duplicate nothing is written: what belongs to it is there already. */
async function insertRows(client: PoolClient, rows: LedgerRows[]): Promise<Changed> {
  const values = operationArrays.values(rows.map(({ operation }) => operation));
  const { rows: found } = await client.query<{ id: string }>({ name: 'insert-operations', text: INSERT_OPERATIONS, values });
  const inserted = new Set(found.map(({ id }) => id));
  const orphans = await replaceOrphans(client, rows.filter(({ operation }) => !inserted.has(operation.id) && operation.outcome !== 'orphaned'));
  const replaced = new Set(orphans.map(({ id }) => id));
  const written = rows.filter(({ operation }) => inserted.has(operation.id) || replaced.has(operation.id));
  const calls = written.flatMap((row): AttemptRow[] => row.attempts);
  if (calls.length > 0) await insertAttempts(client, calls);
  const orphaned = written.filter(({ operation }) => operation.outcome === 'orphaned').length;
  return { settled: written.length - orphaned, orphaned, orphans, written };
}

async function replaceOrphans(client: PoolClient, settled: LedgerRows[]): Promise<Orphan[]> {
  if (settled.length === 0) return [];
  const values = [rowsJson(settled.map(({ operation }): OperationRow => operation)), settled.map(({ operation }) => operation.id)];
  const { rows } = await client.query<{ id: string } & SummedRead>({ name: 'replace-orphans', text: REPLACE_ORPHANS, values });
  return rows.map(({ id, ...read }) => ({ id, ...summedOf(read) }));
}

function spendingOf({ operation, spentNanoUsd }: LedgerRows): Spending {
  const { tenant, key, user, requested_model: requestedModel, received_at: receivedAt } = operation;
  return { tenant, key, user, requestedModel, receivedAtMs: Date.parse(receivedAt), nanoUsd: spentNanoUsd };
}

/** An orphan's estimate, of which the settled record knows better. */
function takenBack({ tenant, key, user, requested_model: requestedModel, received_at: receivedAt, cost_nano_usd: cost }: Orphan): Spending {
  return { tenant, key, user, requestedModel, receivedAtMs: Date.parse(receivedAt), nanoUsd: -(cost ?? 0n) };
}

/** How many were not there yet. Of a late one nothing is asked but that: its operation may come before it, after it, or never. */
async function insertAttempts(client: PoolClient, calls: AttemptRow[]): Promise<number> {
  const { rowCount } = await client.query({ name: 'insert-attempts', text: INSERT_ATTEMPTS, values: attemptArrays.values(calls) });
  return rowCount ?? 0;
}

/** A statement may touch a row once. Sorted, so that two workers with the same operations never wait for each other in a circle. */
function oneForEachOperation(all: LedgerRows[]): LedgerRows[] {
  const byId = new Map<string, LedgerRows>();
  for (const rows of all) {
    const known = byId.get(rows.operation.id);
    if (!known || (known.operation.outcome === 'orphaned' && rows.operation.outcome !== 'orphaned')) byId.set(rows.operation.id, rows);
  }
  return [...byId.values()].toSorted((a, b) => (a.operation.id < b.operation.id ? -1 : 1));
}
