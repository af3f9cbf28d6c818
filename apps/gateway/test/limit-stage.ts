import type { Limits } from '@deja/contracts';
import { runScript, type RedisClient, type ScriptCall } from '@deja/redis';
import type { BudgetCeiling, Ceiling, Charge, Scope, Shard } from '../src/limits/ask.ts';
import { LimitShards, type Held, type ShardVerdict } from '../src/limits/shards.ts';

/** What the specs of limits stand on. The second has begun a while ago. */
export const START_MS = Date.parse('2026-03-01T12:00:00.250Z');
export const LEASE_MS = 60_000;
export const DAY_MS = 86_400_000;

let made = 0;
/** Never the same twice. */
export const unique = (prefix: string): string => `${prefix}${(made += 1)}`;

export function ceiling(limits: Limits, { tenant = unique('t'), scope = 'key' as Scope, model = null as string | null } = {}): Ceiling {
  const counter = scope === 'global' ? `deja:limits:{global}:${unique('all')}` : `deja:limits:{${tenant}}:${unique(scope)}`;
  return { scope, model, counter, limits, degraded: 'open' };
}

export function budget(limitNanoUsd: bigint, { tenant = unique('t'), mode = 'hard' as 'hard' | 'soft', toMs = START_MS + 10 * DAY_MS as number | null, name = unique('budget') } = {}): BudgetCeiling {
  const account = { key: `deja:budget:{${tenant}}:${name}`, tenant, clientKey: null, user: null, model: null, fromMs: 0, toMs };
  return { scope: 'tenant', model: null, limitNanoUsd, degraded: 'open', account, budget: { usd: '1', period: toMs === null ? 'total' : 'month', mode, time_zone: 'UTC' } };
}

export const charge = (over: Partial<Charge> = {}): Charge => ({ operation: unique('op'), tokens: 0, keptTokens: 0, nanoUsd: 0n, keptNanoUsd: 0n, ...over });

export interface Outcome {
  /** Of the last shard that was asked. */
  verdict: ShardVerdict;
  /** All of it; null where anything refused. */
  held: Held | null;
}

/** Limits in a Redis, at a time that moves only when told. */
export class LimitStage {
  ms = START_MS;
  readonly shards: LimitShards;

  constructor(
    readonly server: { client: RedisClient },
    readonly merged = true,
  ) {
    this.shards = new LimitShards({ leaseMs: LEASE_MS, merged, now: () => this.ms });
  }

  get redis(): RedisClient {
    return this.server.client;
  }

  /** One after another, all of it or nothing, as a gateway asks. */
  async reserve(shards: Shard[], charged: Charge): Promise<Outcome> {
    const held: Held = { charge: charged, shards: [] };
    let verdict: ShardVerdict = { kind: 'unseeded', budgets: [] };
    for (const ask of this.shards.asks(shards, charged)) {
      const { script, keys, args } = this.shards.reserveCall(ask);
      verdict = this.shards.read(ask, await runScript(this.redis, script, keys, args));
      if (verdict.kind !== 'admitted') {
        if (held.shards.length > 0) await this.run(this.shards.releaseCalls(held));
        return { verdict, held: null };
      }
      held.shards.push(verdict.held);
    }
    return { verdict, held };
  }

  /** Of one tenant. */
  ask(limits: (Ceiling | BudgetCeiling)[], over: Partial<Charge> = {}): Promise<Outcome> {
    const ceilings = limits.filter((one): one is Ceiling => 'counter' in one);
    const budgets = limits.filter((one): one is BudgetCeiling => 'account' in one);
    return this.reserve([{ name: tenantOf(limits), ceilings, budgets }], charge(over));
  }

  /** Throws where it is refused. */
  async admitted(limits: (Ceiling | BudgetCeiling)[], over: Partial<Charge> = {}): Promise<Held> {
    const { held, verdict } = await this.ask(limits, over);
    if (held === null) throw new Error(`not admitted: ${verdict.kind}`);
    return held;
  }

  async run(calls: ScriptCall[]): Promise<void> {
    for (const { script, keys, args } of calls) await runScript(this.redis, script, keys, args);
  }

  settle(held: Held, tokens: number, nanoUsd = 0n): Promise<void> {
    return this.run(this.shards.settleCalls(held, { tokens, nanoUsd }));
  }

  release(held: Held): Promise<void> {
    return this.run(this.shards.releaseCalls(held));
  }

  add(held: Held, tokens: number): Promise<void> {
    return this.run(this.shards.addCalls(held, tokens));
  }

  renew(...held: Held[]): Promise<void> {
    return this.run(this.shards.renewCalls(held));
  }

  seed(of: BudgetCeiling, spentNanoUsd: bigint): Promise<void> {
    return this.run(this.shards.seedCalls([{ account: of.account, spentNanoUsd: String(spentNanoUsd) }]));
  }

  /** `spent` and `held` of an account; null what is not there. */
  async money(of: BudgetCeiling): Promise<(string | null)[]> {
    return await this.redis.hmget(of.account.key, 'spent', 'held');
  }

  flights(of: Ceiling): Promise<string | null> {
    return this.redis.get(`${of.counter}:flights`);
  }
}

/** The hash tag of a limit's keys. */
function tenantOf(limits: (Ceiling | BudgetCeiling)[]): string {
  const [first] = limits;
  const key = first === undefined ? '' : 'counter' in first ? first.counter : first.account.key;
  return /\{(.*?)\}/.exec(key)?.[1] ?? '';
}
