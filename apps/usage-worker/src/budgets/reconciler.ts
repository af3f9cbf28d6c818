import type { BudgetAccount } from '@deja/contracts';
import { isUp, type RedisClient } from '@deja/redis';
import type { Logger } from '@deja/telemetry';
import type { UsageMetrics } from '../metrics.ts';
import type { BudgetAccounts, Registered } from './budget-accounts.ts';
import type { BudgetTurn } from './budget-turn.ts';
import { correctionOf, keptOf, type Patience, type Sample } from './correction.ts';

/** When an event that was settled has not been recorded for longer, nothing is taken off. */
const CALM_MS = 10_000;
/** How long an account is kept behind the end of its period, for what was received in time and settled late. */
const AFTERLIFE_MS = 24 * 3_600_000;

export interface ReconcilerParts {
  redis: RedisClient;
  accounts: BudgetAccounts;
  turn: BudgetTurn;
  /** What the ledger has of each account, nano-USD. */
  spent: (accounts: BudgetAccount[]) => Promise<bigint[]>;
  /** For how long the oldest event on the queue has been waiting for the ledger, ms; null when it cannot be known. */
  unrecordedMs: () => Promise<number | null>;
  metrics: Pick<UsageMetrics, 'budgetCorrected' | 'budgetAccounts'>;
  logger: Pick<Logger, 'warn'>;
  patience: Patience;
  now?: () => number;
}

/**
 * Compares what Redis says was spent of each budget with the ledger, which is the truth, and corrects Redis. A gateway that asks Redis in
 * between is never told less than the ledger has for longer than a round.
 */
export class BudgetReconciler {
  private readonly samples = new Map<string, Sample[]>();
  private running: Promise<void> | null = null;

  constructor(private readonly parts: ReconcilerParts) {}

  /** One round, if it is this replica's turn; one at a time. Rejects when Redis or Postgres fails; the next round begins anew. */
  reconcile(): Promise<void> {
    return (this.running ??= this.round()
      .catch((error: unknown) => {
        this.samples.clear(); // what was missed in between is not known
        throw error;
      })
      .finally(() => {
        this.running = null;
      }));
  }

  /** Lets another replica go on at once. */
  async leave(): Promise<void> {
    await this.running?.catch(() => undefined); // whoever began it was told
    if (isUp(this.parts.redis)) await this.parts.turn.leave().catch(() => undefined); // it runs out
  }

  private async round(): Promise<void> {
    const { redis, accounts, turn, metrics } = this.parts;
    if (!isUp(redis)) return;
    const held = await turn.take();
    if (held !== 'kept') this.samples.clear();
    metrics.budgetAccounts = 0;
    if (held === 'taken') return;
    const seen = new Set<string>();
    const failures: unknown[] = [];
    for (const shard of await accounts.shards()) {
      // One node of a cluster may be away.
      const isOurs = await this.shard(shard, seen).catch((error: unknown) => failures.push(error) > 0);
      if (!isOurs) return this.samples.clear();
    }
    if (failures.length > 0) throw failures[0];
    for (const key of this.samples.keys()) if (!seen.has(key)) this.samples.delete(key);
    metrics.budgetAccounts = seen.size;
  }

  /** False where another replica took over. */
  private async shard(shard: string, seen: Set<string>): Promise<boolean> {
    const { accounts, turn } = this.parts;
    for await (const page of accounts.of(shard)) {
      // A round may take longer than a turn lasts.
      if ((await turn.take()) === 'taken') return false;
      const inForce = await this.inForce(shard, page);
      // Two versions of deja may have registered one account in two ways.
      const fresh = inForce.filter(({ key }) => !seen.has(key) && seen.add(key));
      await this.compare(fresh);
    }
    await accounts.forget(shard);
    return true;
  }

  private async inForce(shard: string, page: Registered[]): Promise<BudgetAccount[]> {
    const { accounts, now = Date.now } = this.parts;
    const inForce: BudgetAccount[] = [];
    for (const registered of page) {
      const { account } = registered;
      if (account !== null && (account.toMs === null || account.toMs > now() - AFTERLIFE_MS)) inForce.push(account);
      else await accounts.drop(shard, registered);
    }
    return inForce;
  }

  private async compare(asked: BudgetAccount[]): Promise<void> {
    const { accounts, spent, unrecordedMs, now = Date.now } = this.parts;
    if (asked.length === 0) return;
    const waitingMs = await unrecordedMs();
    const isCalm = waitingMs !== null && waitingMs <= CALM_MS;
    const ledger = await spent(asked); // before Redis, see Sample
    await Promise.all(asked.map(async (account, i) => {
      const redis = await accounts.spent(account.key);
      if (redis === null || !isCalm) this.samples.delete(account.key);
      if (redis !== null) await this.correct(account, { atMs: now(), ledger: ledger[i] ?? 0n, redis }, isCalm);
    }));
  }

  private async correct(account: BudgetAccount, sample: Sample, isCalm: boolean): Promise<void> {
    const { accounts, metrics, logger, patience } = this.parts;
    const samples = [...(this.samples.get(account.key) ?? []), sample];
    const correction = correctionOf(samples, patience);
    this.samples.set(account.key, correction === 0n && isCalm ? keptOf(samples, patience) : []);
    if (correction === 0n || !(await accounts.add(account.key, correction))) return;
    metrics.budgetCorrected(correction);
    const { tenant, clientKey, model } = account;
    logger.warn({ account: account.key, tenant, of_key: clientKey, model, ledger_nano_usd: sample.ledger.toString(), redis_nano_usd: sample.redis.toString(), correction_nano_usd: correction.toString() }, 'a budget in Redis had drifted from the ledger and was corrected');
  }
}
