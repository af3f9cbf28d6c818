import { countedModel, type BudgetAccount } from '@deja/contracts';
import type { Pool, PoolClient } from '@deja/postgres';
import { rowsJson } from './json.ts';

/** Money that was spent, or, where it is negative, was not spent after all. */
export interface Spending {
  tenant: string;
  key: string | null;
  user: string | null;
  requestedModel: string;
  /** Unix ms. */
  receivedAtMs: number;
  nanoUsd: bigint;
}

const QUARTER_MS = 15 * 60_000;
/** More does not fit into the index; no public model has a longer name. */
const MAX_MODEL_CHARS = 256;

/** Sorted, so that two workers never wait for each other in a circle. Names are grouped here and not before: Postgres knows which are the same to it. */
const ADD = `
  insert into usage.spend as known (who, at, model, tenant, key, "user", nano_usd)
  select usage.spender(tenant, key, "user") as who, at, model, tenant, key, "user", nano_usd
  from (
    select s.tenant, s.key, s."user", o.model, o.at, sum(o.nano_usd) as nano_usd
    from json_to_recordset($1::json) as o (tenant text, key text, "user" text, model text, at timestamptz, nano_usd numeric)
    cross join lateral usage.spenders(o.tenant, o.key, o."user") s
    group by 1, 2, 3, 4, 5
  ) spent
  where nano_usd <> 0
  order by who, at, model
  on conflict (who, at, model) do update set nano_usd = known.nano_usd + excluded.nano_usd`;

const SPENT = `
  select coalesce((
    select sum(s.nano_usd) from usage.spend s
    where s.who = a.who and s.at >= a."from" and (a."to" is null or s.at < a."to") and (a.model is null or s.model = a.model)
  ), 0)::text as spent
  from (
    select n, usage.spender(tenant, key, "user") as who, model, "from", "to"
    from json_to_recordset($1::json) as asked (n integer, tenant text, key text, "user" text, model text, "from" timestamptz, "to" timestamptz)
  ) a
  order by a.n`;

/** Adds to the sums, in the transaction that writes the operations' rows. */
export async function addSpending(client: PoolClient, spendings: readonly Spending[]): Promise<void> {
  const rows = spendings
    .filter(({ nanoUsd }) => nanoUsd !== 0n)
    .map(({ tenant, key, user, requestedModel, receivedAtMs, nanoUsd }) => ({ tenant, key, user, model: modelColumn(requestedModel), at: quarterOf(receivedAtMs), nano_usd: nanoUsd }));
  if (rows.length > 0) await client.query({ name: 'add-spending', text: ADD, values: [rowsJson(rows)] });
}

/** What was spent of each account, nano-USD, in the order asked. Of an account, `tenant`, `clientKey` and `user` are as `isSpender` has them. */
export async function spentOf(pool: Pool, accounts: readonly BudgetAccount[]): Promise<bigint[]> {
  if (accounts.length === 0) return [];
  const asked = accounts.map(({ tenant, clientKey, user, model, fromMs, toMs }, n) => ({
    n, tenant, key: clientKey, user, model: model === null ? null : modelColumn(model), from: new Date(fromMs), to: toMs === null ? null : new Date(toMs),
  }));
  const { rows } = await pool.query<{ spent: string }>({ name: 'spent-of-accounts', text: SPENT, values: [rowsJson(asked)] });
  return rows.map(({ spent }) => BigInt(spent));
}

/** Whether there are sums of it: of everybody, a tenant, or one key or user of a tenant. Of anything else the answer would be 0, and wrong. */
export const isSpender = ({ tenant, clientKey, user }: Pick<BudgetAccount, 'tenant' | 'clientKey' | 'user'>): boolean =>
  tenant === null ? clientKey === null && user === null : clientKey === null || user === null;

const modelColumn = (requestedModel: string): string => countedModel(requestedModel).slice(0, MAX_MODEL_CHARS);
const quarterOf = (ms: number): string => new Date(Math.floor(ms / QUARTER_MS) * QUARTER_MS).toISOString();
