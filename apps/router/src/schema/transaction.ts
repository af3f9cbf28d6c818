import { isPassing, type Pool } from '@deja/postgres';
import { sql } from 'drizzle-orm';
import { drizzle, type NodePgDatabase } from 'drizzle-orm/node-postgres';
import type { PgTransactionConfig } from 'drizzle-orm/pg-core';

export type Database = NodePgDatabase & { $client: Pool };
/** An open transaction of drizzle. */
export type Transaction = Parameters<Parameters<NodePgDatabase['transaction']>[0]>[0];

/** First in a transaction: so long it waits for a row that someone else is changing. Less than the caller's patience. */
export const LOCK_WAIT = sql`set local lock_timeout = '4s'`;

/**
 * Does the work in a transaction of its own connection. In place of drizzle's own way, which keeps a pool's connection for ever when it breaks
 * before the transaction has begun: after a few outages none would be left.
 */
export async function inTransaction<T>(db: Database, work: (tx: Transaction) => Promise<T>, config?: PgTransactionConfig): Promise<T> {
  const client = await db.$client.connect();
  let isBroken = false;
  try {
    return await drizzle(client).transaction(work, config);
  } catch (error) {
    isBroken = isPassing(error);
    throw error;
  } finally {
    client.release(isBroken);
  }
}
