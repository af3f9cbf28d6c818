import { setTimeout as delay } from 'node:timers/promises';
import { Inject, Injectable } from '@nestjs/common';
import { migrate } from '@deja/postgres';
import { isUp, onReady, type RedisClient } from '@deja/redis';
import pg from 'pg';
import type { Patience } from './budgets/correction.ts';
import { BudgetReconciler } from './budgets/reconciler.ts';
import { every } from './every.ts';
import { QueueConsumer } from './intake/queue-consumer.ts';
import { LedgerWriter } from './ledger/ledger-writer.ts';
import { Ledger } from './ledger/ledger.ts';
import { UsageMetrics } from './metrics.ts';
import { OrphanSweep } from './orphans/orphan-sweep.ts';
import { Rooms } from './rooms.ts';
import { Runtime } from './runtime.ts';

export const WORKER_REDIS = Symbol('redis of the sweep and the budgets');

/** The same place from src/ and from out/main.mjs. */
const MIGRATIONS = new URL('../migrations', import.meta.url);
const MIGRATE_DEADLINE_MS = 10 * 60_000;
const LONGEST_SWEEP_INTERVAL_MS = 10_000;
const PARTITIONS_INTERVAL_MS = 60 * 60_000;
const LOOK_INTERVAL_MS = 5_000;
export const RECONCILE_INTERVAL_MS = 30_000;
const CATCH_UP_PAUSES_MS = [0, 1_000, 2_000, 4_000, 8_000];
/** Shorter than from round to round, and longer than an event takes from its settlement into the ledger. */
const RECORDED_MS = 20_000;
/** What a killed gateway had settled is in the ledger one and a half leases later. */
const LEAST_WINDOW_MS = 120_000;
/** How much longer than for Postgres a stop waits for Redis, when that is away as well. */
const REDIS_GRACE_MS = 3_000;

/** A dead gateway is noticed well within half its lease, so that its rows are there one and a half leases after its death. */
export const sweepIntervalMs = (leaseS: number): number => Math.min(LONGEST_SWEEP_INTERVAL_MS, Math.max(200, (leaseS * 1000) / 6));

export const patienceOf = (leaseS: number): Patience => ({ recordedMs: RECORDED_MS, windowMs: Math.max(LEAST_WINDOW_MS, 2 * leaseS * 1000) });

/** The app's life: what starts after what, what readiness means, and in which order everything stops. */
@Injectable()
export class UsageWorker {
  private readonly stopping = new AbortController();
  private readonly loops: Promise<void>[] = [];
  private postgresUp = false;
  private accepting = false;

  constructor(
    private readonly runtime: Runtime,
    private readonly pool: pg.Pool,
    @Inject(WORKER_REDIS) private readonly redis: RedisClient,
    private readonly ledger: Ledger,
    private readonly writer: LedgerWriter,
    private readonly consumer: QueueConsumer,
    private readonly sweep: OrphanSweep,
    private readonly reconciler: BudgetReconciler,
    private readonly metrics: UsageMetrics,
    private readonly rooms: Rooms,
  ) {}

  /** Resolves when jobs are taken. Waits for a Postgres that is still starting; rejects with one sentence when the schema cannot be made. */
  async start(): Promise<void> {
    const { logger, leaseS } = this.runtime;
    await migrate(this.pool, { folder: MIGRATIONS, schema: 'usage', logger, deadlineMs: MIGRATE_DEADLINE_MS });
    await this.ledger.partitions.ensureAhead(Date.now());
    if (this.stopping.signal.aborted) return;
    this.postgresUp = true;
    this.consumer.start();
    await this.rooms.start();
    this.accepting = true;
    const warn = (message: string) => (error: unknown) => {
      if (!this.stopping.signal.aborted) logger.warn({ err: error }, message);
    };
    this.repeat(LOOK_INTERVAL_MS, () => this.look(), warn('the state of Postgres and the queue could not be read'));
    this.repeat(sweepIntervalMs(leaseS), () => this.sweep.sweep(), warn('the sweep for dead gateways did not finish; the next one goes on'));
    const notCompared = warn('budgets could not be compared with the ledger; the next round does');
    this.repeat(RECONCILE_INTERVAL_MS, () => this.reconciler.reconcile(), notCompared);
    onReady(this.redis, () => void this.catchUp().catch(notCompared));
    this.repeat(PARTITIONS_INTERVAL_MS, () => this.ledger.partitions.ensureAhead(Date.now()), warn('partitions for the next days could not be made yet'));
  }

  /** Redis may have come back without what it knew last, and what was spent while it was away reaches the ledger only now: budgets are not left open for a whole round. */
  private async catchUp(): Promise<void> {
    for (const pauseMs of CATCH_UP_PAUSES_MS) {
      await delay(pauseMs, undefined, { signal: this.stopping.signal, ref: false });
      await this.reconciler.reconcile();
    }
  }

  /** Readiness, by name. */
  checks(): Record<string, boolean> {
    return { postgres: this.postgresUp && this.writer.healthy, redis: isUp(this.redis), accepting: this.accepting };
  }

  /** Takes no more jobs, records what it has, and gives back what it cannot record in time. `disconnect` is due after it. */
  async stop(): Promise<void> {
    const { graceMs } = this.runtime;
    this.accepting = false;
    this.stopping.abort();
    const done = this.consumer.close(graceMs + REDIS_GRACE_MS);
    const graceOver = new AbortController();
    // Unreferenced: the wait ends with the jobs, not the other way round.
    void delay(graceMs, undefined, { signal: graceOver.signal, ref: false }).then(() => this.writer.stop(), () => undefined);
    await done;
    graceOver.abort();
    await this.writer.stop();
    await Promise.all([...this.loops, this.rooms.stop(graceMs + REDIS_GRACE_MS)]);
    await this.reconciler.leave();
    this.redis.disconnect();
  }

  /** Ends the connections to Postgres, which calls under way at the stop may still use. */
  async disconnect(): Promise<void> {
    await this.pool.end();
  }

  private repeat(intervalMs: number, work: () => Promise<void>, failed: (error: unknown) => void): void {
    this.loops.push(every(intervalMs, this.stopping.signal, work, failed));
  }

  private async look(): Promise<void> {
    this.postgresUp = await this.pool.query('select 1').then(() => true, () => false);
    this.metrics.queue = (await this.consumer.state(Date.now())) ?? this.metrics.queue;
  }
}
