import { fileURLToPath } from 'node:url';
import { setTimeout as delay } from 'node:timers/promises';
import { drizzle } from 'drizzle-orm/node-postgres';
import { migrate as runMigrations } from 'drizzle-orm/node-postgres/migrator';
import pg from 'pg';
import type { Pool } from './pool.ts';
import { isPassing, reasonOf, type PostgresLog } from './trouble.ts';

const DEADLINE_MS = 60_000;
const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 2_000;
/** First half of the advisory lock's key: "deja" in ASCII, so that no one else's lock is meant. */
const LOCK_SPACE = 0x64656a61;

export interface MigrateOptions {
  /** Folder of SQL files with meta/_journal.json, as drizzle keeps it. */
  folder: string | URL;
  /** Schema that is migrated; also holds the record of what was applied. */
  schema: string;
  logger: PostgresLog;
  /** How long to wait for a database that is still starting, in milliseconds. */
  deadlineMs?: number;
}

/**
 * Brings `schema` up to date. Replicas that start together take turns under an advisory lock, and the later ones find
 * nothing to do. Waits for a database that is still starting; rejects with one clear sentence when it does not come, and
 * at once when waiting cannot help (a wrong password, a broken migration).
 */
export async function migrate(pool: Pool, o: MigrateOptions): Promise<void> {
  const deadline = Date.now() + (o.deadlineMs ?? DEADLINE_MS);
  let announced = false;
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)) {
    try {
      await migrateOnce(pool, o);
      return;
    } catch (error) {
      if (!isPassing(error)) throw new Error(`The database schema "${o.schema}" could not be brought up to date: ${reasonOf(error)}`, { cause: error });
      if (Date.now() + pauseMs > deadline) throw new Error(`Postgres did not become reachable in time: ${reasonOf(error)}`, { cause: error });
      if (!announced) o.logger.warn({ reason: reasonOf(error), schema: o.schema }, 'waiting for Postgres');
      announced = true;
      await delay(pauseMs);
    }
  }
}

/** On a connection of its own: the lock belongs to a session, and a long migration must not meet the pool's query timeout. */
async function migrateOnce(pool: Pool, o: MigrateOptions): Promise<void> {
  const client = new pg.Client({ ...pool.options, query_timeout: 0 });
  client.on('error', () => undefined); // what was asked at that moment rejects with the same error
  await client.connect();
  try {
    await client.query('select pg_advisory_lock($1, hashtext($2))', [LOCK_SPACE, o.schema]);
    const folder = o.folder instanceof URL ? fileURLToPath(o.folder) : o.folder;
    await runMigrations(drizzle(client), { migrationsFolder: folder, migrationsSchema: o.schema });
  } finally {
    await client.end().catch(() => undefined); // the lock ends with the session, however that ends
  }
}
