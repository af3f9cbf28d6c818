import { defineScript, runScript, type RedisClient } from '@deja/redis';

const TURN_KEY = 'deja:budgets:reconciling';

const TAKE = defineScript(`
  local holder = redis.call('GET', KEYS[1])
  if holder and holder ~= ARGV[1] then return 0 end
  redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
  return holder and 2 or 1`);
const LEAVE = defineScript(`if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0`);

/** Which replica compares budgets with the ledger: one at a time, and the same one as long as it lives, because it judges by what it saw before. */
export class BudgetTurn {
  constructor(
    private readonly redis: RedisClient,
    private readonly o: { instance: string; ttlMs: number },
  ) {}

  /** `kept`: nobody else had it in between. */
  async take(): Promise<'new' | 'kept' | 'taken'> {
    const reply = await runScript(this.redis, TAKE, [TURN_KEY], [this.o.instance, this.o.ttlMs]);
    return reply === 0 ? 'taken' : reply === 2 ? 'kept' : 'new';
  }

  async leave(): Promise<void> {
    await runScript(this.redis, LEAVE, [TURN_KEY], [this.o.instance]);
  }
}
