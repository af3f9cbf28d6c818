import type { Attributes, Meter, ObservableResult } from '@opentelemetry/api';
import { newId, type BudgetAccount, type OpenOperation } from '@deja/contracts';
import { isUp, runScript, type RedisClient, type ScriptCall } from '@deja/redis';
import { eventually, type RedisProcess } from '@deja/testing';
import type { Charge, Shard } from '../src/limits/ask.ts';
import { Leases } from '../src/limits/leases.ts';
import { LimitMetrics } from '../src/limits/limit-metrics.ts';
import { RedisWatch } from '../src/limits/redis-watch.ts';
import { Reserver, type Reserved, type ReserveRequest } from '../src/limits/reserve.ts';
import { LimitShards } from '../src/limits/shards.ts';
import { AcceptedCounts } from '../src/settle/accepted.ts';

export interface GatewayOptions {
  merged?: boolean;
  replicas?: number;
  cache?: RedisClient;
  /** Generous by default: who is slow is for the specs that stop Redis to say. */
  deadlineMs?: number;
  /** What the ledger says; by default it is silent. */
  ledger?: (accounts: readonly BudgetAccount[]) => Promise<string[]>;
}

/** As far as one gateway reserves and settles. */
export class ReservingGateway {
  readonly instance = `gateway-${newId()}`;
  readonly leases: Leases;
  readonly reserver: Reserver;
  /** `outcome by` of every decision. */
  readonly decisions: string[] = [];
  readonly errors: unknown[] = [];
  lateAnswers = 0;
  private readonly watch: RedisWatch;
  private gauge: (result: ObservableResult) => void = () => undefined;

  constructor(
    readonly redis: RedisClient,
    { merged = true, replicas = 1, cache = redis, deadlineMs = 10_000, ledger = () => Promise.reject(new Error('silent')) }: GatewayOptions = {},
  ) {
    const limits = new LimitShards({ leaseMs: 60_000, merged });
    const logger = { info: () => undefined, warn: () => undefined, error: (fields: unknown) => void this.errors.push(fields) };
    this.watch = new RedisWatch(redis, { deadlineMs, merged, now: Date.now, random: () => 0, logger });
    this.leases = new Leases(redis, limits, logger);
    this.reserver = new Reserver({
      redis, cache, instance: this.instance, accepted: new AcceptedCounts(this.instance), limits, watch: this.watch, leases: this.leases, metrics: new LimitMetrics(this.meter()),
      ledger: { spent: ledger }, budgets: { saw: () => undefined, seeded: () => undefined }, deadlineMs, replicas: () => replicas, now: Date.now, random: () => 0.5, logger,
    });
  }

  get isDegraded(): boolean {
    let observed = -1;
    this.gauge({ observe: (value: number) => void (observed = value) });
    return observed === 1;
  }

  reserve(shards: Shard[], charge: Partial<Charge> = {}, more: Partial<ReserveRequest> = {}): Promise<Reserved> {
    const open = opening();
    return this.reserver.reserve({ open, shards, charge: { operation: open.id, tokens: 0, keptTokens: 0, nanoUsd: 0n, keptNanoUsd: 0n, ...charge }, exactKeys: [], presenceKey: null, ...more });
  }

  async settle({ reservation }: Reserved, tokens = 0, nanoUsd = 0n): Promise<void> {
    await run(this.redis, this.reserver.settlement(reservation, { tokens, nanoUsd }));
  }

  /** How many of so many requests at once are admitted. */
  async admittedOf(count: number, shards: Shard[], charge: Partial<Charge> = {}): Promise<Reserved[]> {
    const results = await Promise.allSettled(Array.from({ length: count }, () => this.reserve(shards, charge)));
    return results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
  }

  async recovered(): Promise<void> {
    await eventually('Redis to be asked again', () => Promise.resolve(isUp(this.redis) && !this.isDegraded));
  }

  close(): void {
    this.watch.close();
    this.leases.close();
  }

  private meter(): Meter {
    const counters: Record<string, (value: number, labels: Attributes) => void> = {
      'deja.gateway.limits.decisions': (value, labels) => void (value > 0 && this.decisions.push(`${String(labels['outcome'])} ${String(labels['by'])}`)),
      'deja.gateway.limits.late_answers': (value) => void (this.lateAnswers += value),
    };
    return {
      createCounter: (name: string) => ({ add: (value: number, labels: Attributes = {}) => counters[name]?.(value, labels) }),
      createObservableGauge: () => ({ addCallback: (observe: (result: ObservableResult) => void) => void (this.gauge = observe) }),
    } as unknown as Meter;
  }
}

export const opening = (): OpenOperation => ({
  kind: 'open', id: newId(), tenant: 't', key: 'k', user: null, tags: {}, endpoint: 'chat/completions', requestedModel: 'm', stream: false, receivedAtMs: Date.now(), estimatedPromptTokens: 1, traceId: null,
});

export async function run(redis: RedisClient, calls: ScriptCall[]): Promise<void> {
  for (const { script, keys, args } of calls) await runScript(redis, script, keys, args);
}

/** Stops a server without ending it: connections stay open, and nothing answers. Returns what lets it go on. */
export async function paused(server: RedisProcess): Promise<() => void> {
  const pid = Number(/process_id:(\d+)/.exec(await server.client.info('server'))?.[1]);
  process.kill(pid, 'SIGSTOP');
  let isPaused = true;
  return () => {
    if (isPaused) process.kill(pid, 'SIGCONT');
    isPaused = false;
  };
}
