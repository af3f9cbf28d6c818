import type { PoolClient } from '@deja/postgres';

/** A user by name, and what the name becomes. */
export interface Renamed {
  tenant: string;
  user: string;
  pseudonym: string;
}

/** What was done to rows of operations. */
export interface ErasedRequests {
  requests: number;
  /** Captured bodies that were deleted. */
  bodies: number;
}

/** By the index on the name's hash. */
const NAMED = `hashtextextended("user", 0) = hashtextextended($2::text, 0) and "user" = $2 and tenant = $1`;

/** Takes the name off at most `limit` operations of the user, and deletes what was captured of them. */
export async function eraseRequests(client: PoolClient, { tenant, user, pseudonym }: Renamed, limit: number): Promise<ErasedRequests> {
  const { rows } = await client.query<{ id: string }>(`select id from usage.operations where ${NAMED} order by id limit ${limit} for update`, [tenant, user]);
  if (rows.length === 0) return { requests: 0, bodies: 0 };
  // By their ids, so that only the partitions are read that have them.
  const ids = rows.map(({ id }) => id);
  await client.query('update usage.operations set "user" = $2 where id = any($1::uuid[])', [ids, pseudonym]);
  const { rowCount } = await client.query('delete from usage.captures where operation_id = any($1::uuid[])', [ids]);
  return { requests: rows.length, bodies: rowCount ?? 0 };
}

/** Deletes what was captured of at most `limit` operations that were erased already, and kept since. `after`: the last one that was looked at; null in the reply where none is left. */
export async function eraseLateBodies(client: PoolClient, { tenant, pseudonym }: Renamed, after: string | null, limit: number): Promise<{ bodies: number; after: string | null }> {
  const { rows } = await client.query<{ id: string }>(
    `select id from usage.operations
    where ${NAMED} and id > coalesce($3::uuid, '00000000-0000-0000-0000-000000000000') and id >= (select operation_id from usage.captures order by operation_id limit 1)
    order by id limit ${limit}`,
    [tenant, pseudonym, after],
  );
  const { rowCount } = await client.query('delete from usage.captures where operation_id = any($1::uuid[])', [rows.map(({ id }) => id)]);
  return { bodies: rowCount ?? 0, after: rows.length < limit ? null : (rows.at(-1)?.id ?? null) };
}
