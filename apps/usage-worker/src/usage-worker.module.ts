import { Module, type DynamicModule } from '@nestjs/common';
import { openPool } from '@deja/postgres';
import { openRedis } from '@deja/redis';
import pg from 'pg';
import { UsageCalls } from './admin/usage-calls.ts';
import { BudgetAccounts } from './budgets/budget-accounts.ts';
import { BudgetTurn } from './budgets/budget-turn.ts';
import { BudgetReconciler } from './budgets/reconciler.ts';
import { SpentReader } from './budgets/spent-reader.ts';
import { QueueConsumer } from './intake/queue-consumer.ts';
import { LedgerWriter } from './ledger/ledger-writer.ts';
import { Ledger } from './ledger/ledger.ts';
import { UsageMetrics } from './metrics.ts';
import { OrphanSweep } from './orphans/orphan-sweep.ts';
import { LedgerReader } from './queries/ledger-reader.ts';
import { Rooms } from './rooms.ts';
import { Runtime } from './runtime.ts';
import { SettingsWatch } from './settings-watch.ts';
import { UsageController } from './usage.controller.ts';
import { patienceOf, RECONCILE_INTERVAL_MS, sweepIntervalMs, UsageWorker, WORKER_REDIS } from './usage-worker.ts';

/** Connections for what somebody waits for, so that neither keeps the other, or the events, waiting. */
const QUERY_CONNECTIONS = 3;
const SPENT_CONNECTIONS = 2;

@Module({})
export class UsageWorkerModule {
  static with(runtime: Runtime): DynamicModule {
    const { environment, databaseUrl, instance, logger, telemetry, leaseS } = runtime;
    const redis = openRedis(environment.redisUrl, { role: 'commands', name: 'usage-worker', logger });
    const settings = new SettingsWatch(redis);
    return {
      module: UsageWorkerModule,
      controllers: [UsageController],
      providers: [
        { provide: Runtime, useValue: runtime },
        { provide: WORKER_REDIS, useValue: redis },
        { provide: UsageMetrics, useValue: new UsageMetrics(telemetry.meter) },
        { provide: pg.Pool, useFactory: () => openPool(databaseUrl, { name: 'usage-worker', logger }) },
        { provide: Ledger, inject: [pg.Pool], useFactory: (pool: pg.Pool) => new Ledger(pool, { minutesRetentionDays: () => settings.snapshot()?.settings.ledger?.minutes_retention_days }) },
        { provide: LedgerWriter, inject: [Ledger, UsageMetrics], useFactory: (ledger: Ledger, metrics: UsageMetrics) => new LedgerWriter(ledger, metrics, telemetry, logger) },
        { provide: QueueConsumer, inject: [LedgerWriter], useFactory: (writer: LedgerWriter) => new QueueConsumer(environment.redisUrl, writer, logger) },
        {
          provide: OrphanSweep,
          inject: [LedgerWriter],
          useFactory: (writer: LedgerWriter) => new OrphanSweep(redis, writer, { instance, intervalMs: sweepIntervalMs(leaseS), logger }),
        },
        {
          provide: BudgetReconciler,
          inject: [SpentReader, QueueConsumer, UsageMetrics],
          useFactory: (spentReader: SpentReader, consumer: QueueConsumer, metrics: UsageMetrics) =>
            new BudgetReconciler({
              redis,
              accounts: new BudgetAccounts(redis),
              turn: new BudgetTurn(redis, { instance, ttlMs: 2.5 * RECONCILE_INTERVAL_MS }),
              spent: (accounts) => spentReader.spent(accounts),
              unrecordedMs: () => consumer.unrecordedMs(Date.now()),
              metrics,
              logger,
              patience: patienceOf(leaseS),
            }),
        },
        { provide: SpentReader, useFactory: () => new SpentReader(openPool(databaseUrl, { name: 'usage-spent', logger, max: SPENT_CONNECTIONS })) },
        { provide: LedgerReader, useFactory: () => new LedgerReader(openPool(databaseUrl, { name: 'usage-queries', logger, max: QUERY_CONNECTIONS })) },
        {
          provide: Rooms,
          inject: [pg.Pool, Ledger, QueueConsumer],
          useFactory: (pool: pg.Pool, ledger: Ledger, consumer: QueueConsumer) => new Rooms({ runtime, redis, settings, pool, ledger, consumer }),
        },
        {
          provide: UsageCalls,
          inject: [LedgerReader, Rooms, pg.Pool],
          useFactory: (reader: LedgerReader, { jobs, alerts, deliveries }: Rooms, pool: pg.Pool) =>
            new UsageCalls({ reader, jobs, alerts: { pool, settings: alerts.settings, wake: () => deliveries.wake() }, searches: () => settings.snapshot()?.settings.request_log?.search === true }),
        },
        UsageWorker,
      ],
    };
  }
}
