import { BUDGET_SHARDS_KEY, budgetAccountsKey, type BudgetAccount } from '@deja/contracts';
import type { RedisClient } from '@deja/redis';
import type { Logger } from '@deja/telemetry';
import { shardOf } from './budget-ceilings.ts';

/** Told once each, and told again when so many others were: an account is a few hundred bytes. */
const MOST_TOLD = 10_000;

/** Tells those who compare accounts with the ledger which ones are in use, by Redis: once a process and account, because another process may have failed to. */
export class AccountRegister {
  private readonly told = new Set<string>();

  constructor(
    private readonly redis: RedisClient,
    private readonly logger: Pick<Logger, 'debug'>,
  ) {}

  /** Begins and returns at once; what cannot be told is told with the account's next use. */
  use(accounts: readonly BudgetAccount[]): void {
    for (const account of accounts) if (!this.told.has(account.key)) void this.tell(account);
  }

  /** The same for accounts that Redis did not know: it was lost, and what it was told with it. */
  begin(accounts: readonly BudgetAccount[]): void {
    for (const account of accounts) void this.tell(account);
  }

  private async tell(account: BudgetAccount): Promise<void> {
    const shard = shardOf(account);
    if (this.told.size >= MOST_TOLD) this.told.clear();
    this.told.add(account.key);
    try {
      await Promise.all([this.redis.sadd(budgetAccountsKey(shard), accountText(account)), this.redis.sadd(BUDGET_SHARDS_KEY, shard)]);
    } catch (error) {
      this.told.delete(account.key);
      this.logger.debug({ err: error, account: account.key }, 'a budget account was not registered; its next use tries again');
    }
  }
}

/** The same account is always the same text, so that the set has it once. */
function accountText({ key, tenant, clientKey, user, model, fromMs, toMs }: BudgetAccount): string {
  return JSON.stringify({ key, tenant, clientKey, user, model, fromMs, toMs } satisfies BudgetAccount);
}
