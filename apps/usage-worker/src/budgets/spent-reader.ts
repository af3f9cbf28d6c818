import { DejaError, type BudgetAccount } from '@deja/contracts';
import { isPassing, type Pool } from '@deja/postgres';
import { spentOf } from '../ledger/spend.ts';

/** What the ledger says was spent of budgets, on connections of its own: requests wait for it. */
export class SpentReader {
  constructor(private readonly pool: Pool) {}

  /** Nano-USD, in the order asked. Rejects with `overloaded` where Postgres is away. */
  async spent(accounts: BudgetAccount[]): Promise<bigint[]> {
    return await spentOf(this.pool, accounts).catch((error: unknown) => {
      if (isPassing(error)) throw new DejaError('overloaded', 'The ledger does not answer at the moment.', { retryAfterMs: 1000, cause: error });
      throw error;
    });
  }

  close(): Promise<void> {
    return this.pool.end();
  }
}
