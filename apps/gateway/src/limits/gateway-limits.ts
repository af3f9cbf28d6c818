import { GATEWAY_HEARTBEAT_S, type BudgetAccount, type Settings, type UsageRpc } from '@deja/contracts';
import { isCluster, type RedisClient } from '@deja/redis';
import type { Logger, Telemetry } from '@deja/telemetry';
import { AccountRegister } from '../budgets/account-register.ts';
import { BudgetWatch } from '../budgets/budget-watch.ts';
import { BudgetList } from '../budgets/list-budgets.ts';
import { SpentSource } from '../budgets/spent-source.ts';
import type { AcceptedCounts } from '../settle/accepted.ts';
import type { BudgetState } from './ask.ts';
import { Leases } from './leases.ts';
import { LimitMetrics } from './limit-metrics.ts';
import { RedisWatch } from './redis-watch.ts';
import { Reserver } from './reserve.ts';
import { LimitShards } from './shards.ts';

export interface LimitSurroundings {
  redis: RedisClient;
  /** Where cached answers are; the same connection unless they have a Redis of their own. */
  cache: RedisClient;
  instance: string;
  /** Counts operations as they are opened. */
  accepted: AcceptedCounts;
  /** Redis has so long to answer; then a decision is made without it. */
  deadlineMs: number;
  /** How long what an operation holds outlives this process. */
  leaseS: number;
  spent: (request: UsageRpc['spent']['request'], deadlineMs: number) => Promise<UsageRpc['spent']['reply']>;
  /** Live gateway replicas. */
  replicas: () => number;
  settings: () => Pick<Settings, 'budgets' | 'limits'>;
  telemetry: Pick<Telemetry, 'meter'>;
  logger: Logger;
}

/** Everything that limits and budgets need, put together. */
export class GatewayLimits {
  readonly reserver: Reserver;
  readonly watch: BudgetWatch;
  readonly list: BudgetList;
  private readonly redisWatch: RedisWatch;
  private readonly leases: Leases;

  constructor({ redis, cache, instance, accepted, deadlineMs, leaseS, spent, replicas, settings, telemetry, logger }: LimitSurroundings) {
    const merged = !isCluster(redis);
    const limits = new LimitShards({ leaseMs: leaseS * 1000, merged });
    const ledger = new SpentSource(spent, logger);
    const register = new AccountRegister(redis, logger);
    this.watch = new BudgetWatch(telemetry.meter, logger);
    this.list = new BudgetList(redis, ledger, settings);
    this.leases = new Leases(redis, limits, logger, Math.min(GATEWAY_HEARTBEAT_S, leaseS / 4) * 1000);
    this.redisWatch = new RedisWatch(redis, { deadlineMs, merged, now: Date.now, random: Math.random, logger });
    this.reserver = new Reserver({
      redis, cache, instance, accepted, limits, ledger, replicas, logger, deadlineMs,
      watch: this.redisWatch,
      leases: this.leases,
      metrics: new LimitMetrics(telemetry.meter),
      budgets: {
        saw: (states: readonly BudgetState[]) => {
          this.watch.saw(states);
          register.use(states.map(({ budget }) => budget.account));
        },
        seeded: (accounts: readonly BudgetAccount[]) => register.begin(accounts),
      },
      now: Date.now,
      random: Math.random,
    });
  }

  start(): void {
    this.leases.start();
  }

  close(): void {
    this.leases.close();
    this.redisWatch.close();
  }
}
