import { Module, type DynamicModule } from '@nestjs/common';
import { openPool } from '@deja/postgres';
import { openRedis } from '@deja/redis';
import pg from 'pg';
import { QueueConsumer } from './intake/queue-consumer.ts';
import { LedgerWriter } from './ledger/ledger-writer.ts';
import { Ledger } from './ledger/ledger.ts';
import { UsageMetrics } from './metrics.ts';
import { OrphanSweep } from './orphans/orphan-sweep.ts';
import { Runtime } from './runtime.ts';
import { SWEEP_REDIS, sweepIntervalMs, UsageWorker } from './usage-worker.ts';

@Module({})
export class UsageWorkerModule {
  static with(runtime: Runtime): DynamicModule {
    const { environment, databaseUrl, instance, logger, telemetry, leaseS } = runtime;
    const redis = openRedis(environment.redisUrl, { role: 'commands', name: 'usage-worker', logger });
    return {
      module: UsageWorkerModule,
      providers: [
        { provide: Runtime, useValue: runtime },
        { provide: SWEEP_REDIS, useValue: redis },
        { provide: UsageMetrics, useValue: new UsageMetrics(telemetry.meter) },
        { provide: pg.Pool, useFactory: () => openPool(databaseUrl, { name: 'usage-worker', logger }) },
        { provide: Ledger, inject: [pg.Pool], useFactory: (pool: pg.Pool) => new Ledger(pool) },
        { provide: LedgerWriter, inject: [Ledger, UsageMetrics], useFactory: (ledger: Ledger, metrics: UsageMetrics) => new LedgerWriter(ledger, metrics, telemetry, logger) },
        { provide: QueueConsumer, inject: [LedgerWriter], useFactory: (writer: LedgerWriter) => new QueueConsumer(environment.redisUrl, writer, logger) },
        {
          provide: OrphanSweep,
          inject: [LedgerWriter],
          useFactory: (writer: LedgerWriter) => new OrphanSweep(redis, writer, { instance, intervalMs: sweepIntervalMs(leaseS), logger }),
        },
        UsageWorker,
      ],
    };
  }
}
