import type { PoolClient } from '@deja/postgres';
import { rowsJson } from '../ledger/json.ts';
import { SUMMED_COLUMNS, summedOf, type SummedRead } from '../rollups/summed-row.ts';
import type { Summed } from '../rollups/rollup-writer.ts';
import type { Cost, Money, PricedAttempt, PricedOperation } from './new-prices.ts';

/** Which operations are priced anew. */
export interface Priced {
  /** ISO 8601; of the time in their ids, `to` is exclusive. */
  from: string;
  to: string;
  tenant?: string | undefined;
  provider?: string | undefined;
  model?: string | undefined;
  only_unpriced: boolean;
}

/** An operation as it stands in the ledger. */
export type LedgerOperation = PricedOperation & Summed;

type Read<Row> = Omit<Row, 'cost_nano_usd'> & { cost_nano_usd: string | null };
type OperationRead = SummedRead & Pick<PricedOperation, 'id' | 'deployment' | 'other_usage'>;
type AttemptRead = Read<PricedAttempt> & { operation_id: string };

const OPERATION_COLUMNS = ['id', 'deployment', 'other_usage', ...SUMMED_COLUMNS];

/** The next of them by id, with their calls; locked until the transaction ends, if that is wished for. Those of before `after` were had already. */
export async function nextOperations(client: PoolClient, priced: Priced, after: string | null, limit: number, o: { lock: boolean }): Promise<LedgerOperation[]> {
  // In the mode that changing rows will need, and before any row is locked: whoever keeps writers out is waited for here.
  if (o.lock) await client.query('lock table only usage.operations in row exclusive mode');
  const { text, values } = operationsOf(priced, after, limit);
  const { rows } = await client.query<OperationRead>(`${text}${o.lock ? ' for update of o' : ''}`, values);
  if (rows.length === 0) return [];
  const { rows: calls } = await client.query<AttemptRead>(
    `select operation_id, id, provider, model, shadow, usage_source, prompt_tokens, cached_tokens, cache_write_tokens, completion_tokens, reasoning_tokens, other_usage, price_version, cost_nano_usd
     from usage.attempts where operation_id = any($1::uuid[]) order by operation_id, n, id`,
    [rows.map(({ id }) => id)],
  );
  const attempts = Map.groupBy(calls, (call) => call.operation_id);
  return rows.map((read) => ({ ...read, ...summedOf(read), attempts: (attempts.get(read.id) ?? []).map(({ cost_nano_usd: cost, ...call }) => ({ ...call, cost_nano_usd: amount(cost) })) }));
}

function operationsOf({ from, to, tenant, provider, model, only_unpriced: onlyUnpriced }: Priced, after: string | null, limit: number): { text: string; values: unknown[] } {
  const values: unknown[] = [from, to];
  const at = (value: unknown): string => `$${values.push(value)}`;
  const where = ['o.id >= usage.first_id_at($1::timestamptz)', 'o.id < usage.first_id_at($2::timestamptz)'];
  if (after !== null) where.push(`o.id > ${at(after)}::uuid`);
  if (tenant !== undefined) where.push(`o.tenant = ${at(tenant)}`);
  if (provider !== undefined) where.push(`o.provider = ${at(provider)}`);
  if (model !== undefined) where.push(`coalesce(o.model, o.requested_model) = ${at(model)}`);
  if (onlyUnpriced) where.push(`(o.cost_nano_usd is null or (o.saved_nano_usd is null and o.outcome <> 'orphaned'))`);
  return { text: `select ${OPERATION_COLUMNS.map((name) => `o."${name}"`).join(', ')} from usage.operations o where ${where.join(' and ')} order by o.id limit ${at(limit)}`, values };
}

/** One row of another price than before. */
export interface Repriced {
  operation_id: string;
  /** null: the operation itself. */
  attempt_id: string | null;
  before: Cost & Partial<Money>;
  after: Cost & Partial<Money>;
}

const UPDATE_OPERATIONS = `
  update usage.operations o set price_version = s.new_price_version, cost_nano_usd = s.new_cost_nano_usd, saved_nano_usd = s.new_saved_nano_usd
  from json_populate_recordset(null::usage.repriced, $1::json) s where o.id = s.operation_id and o.id = any($2::uuid[])`;
const UPDATE_ATTEMPTS = `
  update usage.attempts a set price_version = s.new_price_version, cost_nano_usd = s.new_cost_nano_usd
  from json_populate_recordset(null::usage.repriced, $1::json) s where a.operation_id = s.operation_id and a.id = s.attempt_id and a.operation_id = any($2::uuid[])`;
const COLUMNS = 'job, operation_id, attempt_id, old_cost_nano_usd, old_price_version, new_cost_nano_usd, new_price_version, old_saved_nano_usd, new_saved_nano_usd';
const KEEP = `insert into usage.repriced (${COLUMNS}) select ${COLUMNS} from json_populate_recordset(null::usage.repriced, $1::json)`;

/** Changes the rows, and keeps what they said before. Sums are the caller's to change. */
export async function changeRows(client: PoolClient, job: string, changed: readonly Repriced[]): Promise<void> {
  for (const [text, rows] of [[UPDATE_ATTEMPTS, changed.filter((row) => row.attempt_id !== null)], [UPDATE_OPERATIONS, changed.filter((row) => row.attempt_id === null)]] as const) {
    if (rows.length > 0) await client.query(text, [rowsJson(rows.map((row) => columnsOf(job, row))), [...new Set(rows.map((row) => row.operation_id))]]);
  }
  if (changed.length > 0) await client.query(KEEP, [rowsJson(changed.map((row) => columnsOf(job, row)))]);
}

const columnsOf = (job: string, { operation_id, attempt_id, before, after }: Repriced): object => ({
  job, operation_id, attempt_id,
  old_cost_nano_usd: before.cost_nano_usd, old_price_version: before.price_version, old_saved_nano_usd: before.saved_nano_usd ?? null,
  new_cost_nano_usd: after.cost_nano_usd, new_price_version: after.price_version, new_saved_nano_usd: after.saved_nano_usd ?? null,
});

const amount = (text: string | null): bigint | null => (text === null ? null : BigInt(text));
