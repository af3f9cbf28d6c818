import { hash } from 'node:crypto';
import { countedModel, type BudgetAccount } from '@deja/contracts';
import type { Pool, PoolClient } from '@deja/postgres';
import { beginningOf } from '../rollups/grains.ts';
import { arrayLiteral } from './column-arrays.ts';
import { rowsJson, storable } from './json.ts';

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

/** More does not fit into the index; no public model has a longer name. */
const MAX_MODEL_CHARS = 256;

/** Sorted, so that two workers never wait for each other in a circle. */
const ADD = `
  insert into usage.spend as known (who, at, model, tenant, key, "user", nano_usd)
  select * from unnest($1::uuid[], $2::timestamptz[], $3::text[], $4::text[], $5::text[], $6::text[], $7::numeric[])
  on conflict (who, at, model) do update set nano_usd = known.nano_usd + excluded.nano_usd`;

const SPENT = `
  select coalesce((
    select sum(s.nano_usd) from usage.spend s
    where s.who = a.who and s.at >= a."from" and s.at < coalesce(a."to", 'infinity') and (a.model is null or s.model = a.model)
  ), 0)::text as spent
  from (
    select n, usage.spender(tenant, key, "user") as who, model, "from", "to"
    from json_to_recordset($1::json) as asked (n integer, tenant text, key text, "user" text, model text, "from" timestamptz, "to" timestamptz)
  ) a
  order by a.n`;

/** Adds to the sums, in the transaction that writes the operations' rows. */
export async function addSpending(client: PoolClient, spendings: readonly Spending[]): Promise<void> {
  const spent = spentBySpender(spendings).filter(({ nanoUsd }) => nanoUsd !== 0n);
  if (spent.length === 0) return;
  const columns = [
    spent.map(({ who }) => who), spent.map(({ at }) => at), spent.map(({ model }) => model), spent.map(({ tenant }) => tenant), spent.map(({ key }) => key), spent.map(({ user }) => user),
    spent.map(({ nanoUsd }) => nanoUsd),
  ];
  await client.query({ name: 'add-spending', text: ADD, values: columns.map(arrayLiteral) });
}

interface Spent extends Spender {
  who: string;
  at: string;
  model: string;
  nanoUsd: bigint;
}

interface Spender {
  tenant: string | null;
  key: string | null;
  user: string | null;
}

/** In the order of the primary key. Names are made storable first, so that those are one that are the same to Postgres. */
function spentBySpender(spendings: readonly Spending[]): Spent[] {
  const sums = new Map<string, Spent>();
  for (const { tenant, key, user, requestedModel, receivedAtMs, nanoUsd } of together(spendings)) {
    const model = storable(modelColumn(requestedModel));
    const at = new Date(receivedAtMs).toISOString();
    for (const spender of spendersOf(storable(tenant), key && storable(key), user && storable(user))) {
      const json = spenderJson(spender);
      const name = `${at} ${json} ${model}`;
      const known = sums.get(name);
      if (known) known.nanoUsd += nanoUsd;
      else sums.set(name, { ...spender, who: idOf(json), at, model, nanoUsd });
    }
  }
  return [...sums.values()].toSorted((a, b) => order(a.who, b.who) || order(a.at, b.at) || order(a.model, b.model));
}

/** What the same client spent in the same quarter as one, received at its beginning. */
function together(spendings: readonly Spending[]): Iterable<Spending> {
  const sums = new Map<string, Spending>();
  for (const spending of spendings) {
    const receivedAtMs = beginningOf('quarters', spending.receivedAtMs);
    const name = JSON.stringify([receivedAtMs, spending.tenant, spending.key, spending.user, spending.requestedModel]);
    const known = sums.get(name);
    if (known) known.nanoUsd += spending.nanoUsd;
    else sums.set(name, { ...spending, receivedAtMs });
  }
  return sums.values();
}

const order = (a: string, b: string): number => (a === b ? 0 : a < b ? -1 : 1);

/** Everyone whose spending one operation is: as `usage.spenders`. */
const spendersOf = (tenant: string, key: string | null, user: string | null): Spender[] => [
  { tenant: null, key: null, user: null },
  { tenant, key: null, user: null },
  ...(key === null ? [] : [{ tenant, key, user: null }]),
  ...(user === null ? [] : [{ tenant, key: null, user }]),
];

/** As Postgres writes jsonb: `usage.spender` is the hash of it. */
const spenderJson = ({ tenant, key, user }: Spender): string => `[${[tenant, key, user].map((name) => JSON.stringify(name)).join(', ')}]`;
const idOf = (json: string): string => hash('sha256', json).slice(0, 32);

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
