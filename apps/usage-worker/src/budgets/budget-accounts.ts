import { BUDGET_SHARDS_KEY, budgetAccountsKey, type BudgetAccount } from '@deja/contracts';
import { defineScript, runScript, type RedisClient } from '@deja/redis';
import { accountIn } from './account.ts';

const PAGE = 200;

/** Only where the account is there: one that Redis does not know is for a gateway to make, from the ledger. */
const ADD = defineScript(`
  if redis.call('HEXISTS', KEYS[1], 'spent') == 0 then return 0 end
  redis.call('HINCRBY', KEYS[1], 'spent', ARGV[1])
  return 1`);

/** A registration as it stands in Redis, and the account it is of; null where it is none. */
export interface Registered {
  text: string;
  account: BudgetAccount | null;
}

/** Accounts of budgets in Redis, and the sets that say which there are. */
export class BudgetAccounts {
  constructor(private readonly redis: RedisClient) {}

  shards(): Promise<string[]> {
    return this.redis.smembers(BUDGET_SHARDS_KEY);
  }

  /** All of a shard, a page at a time. */
  async *of(shard: string): AsyncGenerator<Registered[]> {
    for (let cursor = '0'; ; ) {
      const [next, texts] = await this.redis.sscan(budgetAccountsKey(shard), cursor, 'COUNT', PAGE);
      for (let at = 0; at < texts.length; at += PAGE) yield texts.slice(at, at + PAGE).map((text) => ({ text, account: accountIn(text) }));
      if (next === '0') return;
      cursor = next;
    }
  }

  /** Nano-USD; null where Redis knows no such account, or what it has is no amount. */
  async spent(key: string): Promise<bigint | null> {
    const text = await this.redis.hget(key, 'spent').catch((error: Error) => {
      if (error.message.startsWith('WRONGTYPE')) return null; // the gateway that asks for it next throws it away
      throw error;
    });
    return text !== null && /^-?\d{1,19}$/.test(text) ? BigInt(text) : null;
  }

  /** False where the account is gone. */
  async add(key: string, nanoUsd: bigint): Promise<boolean> {
    return (await runScript(this.redis, ADD, [key], [nanoUsd.toString()])) === 1;
  }

  async drop(shard: string, { text, account }: Registered): Promise<void> {
    if (account !== null) await this.redis.del(account.key);
    await this.redis.srem(budgetAccountsKey(shard), text);
  }

  /** Takes a shard that holds nothing off the list; puts it back when a gateway registered something meanwhile. */
  async forget(shard: string): Promise<void> {
    if ((await this.redis.scard(budgetAccountsKey(shard))) > 0) return;
    await this.redis.srem(BUDGET_SHARDS_KEY, shard);
    if ((await this.redis.scard(budgetAccountsKey(shard))) > 0) await this.redis.sadd(BUDGET_SHARDS_KEY, shard);
  }
}
