import { setTimeout as delay } from 'node:timers/promises';
import { inTransaction, type Pool } from '@deja/postgres';
import type { Logger } from '@deja/telemetry';
import { expired, PARTITIONED, type RetentionDays } from './expired-partitions.ts';

const PARTITIONS = `
  select parent.relname as table, child.relname as name
  from pg_inherits i join pg_class child on child.oid = i.inhrelid join pg_class parent on parent.oid = i.inhparent
  where parent.relnamespace = 'usage'::regnamespace and parent.relname = any($1::text[])`;

/** While a drop waits for a long question to end, whoever writes waits behind it: for no longer than this. */
const LOCK_TIMEOUT = '200ms';
const PAUSES_MS = [0, 1_000, 2_000, 5_000, 10_000, 30_000];
/** A lock was not to be had in time; a deadlock. */
const WAITED_IN_VAIN = new Set(['55P03', '40P01']);

/** Drops the partitions of what is no longer to be kept: days of captures, of operations with their attempts and of sums by minute, months of sums by quarter of an hour. */
export class Retention {
  constructor(
    private readonly parts: {
      pool: Pool;
      /** null while nobody has said it: nothing is dropped then. */
      days: () => RetentionDays | null;
      logger: Pick<Logger, 'info' | 'warn'>;
      pausesMs?: readonly number[];
    },
  ) {}

  /** One round. Where a question does not let go of a table, the next round goes on. Rejects with Postgres's error. */
  async run(nowMs: number, signal: AbortSignal): Promise<void> {
    const { pool, days: read, logger } = this.parts;
    const days = read();
    if (days === null) return;
    const { rows } = await pool.query<{ table: string; name: string }>(PARTITIONS, [PARTITIONED]);
    for (const partitions of expired(rows, days, nowMs)) {
      const dropped = await this.drop(partitions, signal);
      if (dropped === 'elsewhere' || signal.aborted) return;
      if (dropped === 'busy') logger.warn({ partitions }, 'what is to be kept no longer could not be dropped, because it is being read; the next round tries again');
      else logger.info({ partitions }, 'dropped what is to be kept no longer');
    }
  }

  private async drop(partitions: string[], signal: AbortSignal): Promise<'dropped' | 'busy' | 'elsewhere'> {
    for (const pauseMs of this.parts.pausesMs ?? PAUSES_MS) {
      if (pauseMs > 0) await delay(pauseMs, undefined, { signal }).catch(() => undefined); // stopped: no further try
      if (signal.aborted) break;
      try {
        return await this.dropNow(partitions);
      } catch (error) {
        if (!WAITED_IN_VAIN.has(String((error as { code?: unknown }).code))) throw error;
      }
    }
    return 'busy';
  }

  /** All of them or none. By one replica: another that is at it has the same list. */
  private async dropNow(partitions: string[]): Promise<'dropped' | 'elsewhere'> {
    return inTransaction(this.parts.pool, async (client) => {
      const { rows } = await client.query<{ mine: boolean }>(`select pg_try_advisory_xact_lock(hashtext('deja.usage.retention')) as mine`);
      if (rows[0]?.mine !== true) return 'elsewhere';
      await client.query(`set local lock_timeout = '${LOCK_TIMEOUT}'`);
      await client.query(`drop table if exists ${partitions.map((name) => `usage.${name}`).join(', ')}`);
      return 'dropped';
    });
  }
}
