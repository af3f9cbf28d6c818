import { DejaError } from '@deja/contracts';
import { inTransaction, isPassing, type Pool, type PoolClient } from '@deja/postgres';

/** Of the longest question; a caller that waits less gets less. Milliseconds. */
const LONGEST_MS = 10_000;
const QUERY_CANCELED = '57014';

/** Answers questions about the ledger on connections of its own, each for a bounded time: what is heavy never keeps events waiting. */
export class LedgerReader {
  private readonly pool: Pool;
  private readonly longestMs: number;

  constructor(pool: Pool, longestMs = LONGEST_MS) {
    this.pool = pool;
    this.longestMs = longestMs;
  }

  /**
   * Runs `work` on one state of the ledger. No statement of it takes longer than `deadlineMs` (ms from now; null: 10 s). Rejects with
   * `overloaded` where that is not enough, or Postgres is away.
   */
  async read<T>(work: (client: PoolClient) => Promise<T>, deadlineMs: number | null = null): Promise<T> {
    const timeoutMs = Math.max(1, Math.ceil(Math.min(this.longestMs, deadlineMs ?? this.longestMs)));
    try {
      return await inTransaction(this.pool, work, `begin isolation level repeatable read read only; set local statement_timeout = ${timeoutMs}; set local jit = off`);
    } catch (error) {
      if (error instanceof DejaError) throw error;
      if ((error as { code?: unknown }).code === QUERY_CANCELED) {
        throw new DejaError('overloaded', 'This takes too long to find. Ask for less: a shorter time between from and to, or one tenant, key or user.', { retry: false, cause: error });
      }
      if (isPassing(error)) throw new DejaError('overloaded', 'The ledger does not answer at the moment. Try again shortly.', { retryAfterMs: 1000, cause: error });
      throw error;
    }
  }

  close(): Promise<void> {
    return this.pool.end();
  }
}
