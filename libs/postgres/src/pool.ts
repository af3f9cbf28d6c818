import pg from 'pg';
import type { PostgresLog } from './trouble.ts';

export type Pool = pg.Pool;
export type PoolClient = pg.PoolClient;

const CONNECT_TIMEOUT_MS = 5_000;
/** A connection that went silent (a dead host, a firewall) must not hold its caller for ever. */
const QUERY_TIMEOUT_MS = 30_000;
const IDLE_TIMEOUT_MS = 60_000;

/**
 * A pool of connections to `url` that opens them when they are needed and survives the database going away. `name` is what
 * Postgres shows in pg_stat_activity. An outage is logged once when idle connections break, and once when one is back.
 */
export function openPool(url: string, o: { name: string; logger: PostgresLog; max?: number }): Pool {
  const pool = new pg.Pool({
    connectionString: url,
    application_name: `deja-${o.name}`,
    max: o.max ?? 8,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    query_timeout: QUERY_TIMEOUT_MS,
    idleTimeoutMillis: IDLE_TIMEOUT_MS,
    keepAlive: true,
  });
  let down = false;
  pool.on('error', (error) => {
    if (!down) o.logger.warn({ err: error, database: o.name }, 'Postgres closed idle connections');
    down = true;
  });
  pool.on('connect', (client) => {
    // pg-pool listens only while a client is idle; a checked-out one that breaks rejects its query and must not end the process too.
    client.on('error', () => undefined);
    if (down) o.logger.info({ database: o.name }, 'Postgres is reachable again');
    down = false;
  });
  return pool;
}
