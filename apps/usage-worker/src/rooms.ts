import { randomUUID } from 'node:crypto';
import type { RouterRpc, SemanticCacheRpc } from '@deja/contracts';
import { openPool, type Pool } from '@deja/postgres';
import type { RedisClient } from '@deja/redis';
import { unsampled } from '@deja/telemetry';
import { StreamsClient } from '@deja/transport';
import { AlertRoom } from './alerts/alert-room.ts';
import { Alerts } from './alerts/alerts.ts';
import { DeliveryLoop } from './alerts/notify/delivery-loop.ts';
import { DeliveryMetrics } from './alerts/notify/delivery-metrics.ts';
import { DeliveryStore } from './alerts/notify/delivery-store.ts';
import { CaptureConsumer } from './captures/capture-consumer.ts';
import { CaptureMetrics } from './captures/capture-metrics.ts';
import { CaptureRoom } from './captures/capture-room.ts';
import { CaptureStore } from './captures/capture-store.ts';
import { CaptureWriter } from './captures/capture-writer.ts';
import { WordSweep } from './captures/word-sweep.ts';
import { eraseUser } from './erasure/erase-user.ts';
import type { QueueConsumer } from './intake/queue-consumer.ts';
import { JobRunner } from './jobs/job-runner.ts';
import { JobStore } from './jobs/job-store.ts';
import type { Ledger } from './ledger/ledger.ts';
import { LedgerCare } from './ledger-care.ts';
import { reprice } from './prices/reprice.ts';
import { DriftMetrics } from './reconcile/drift-metrics.ts';
import { LedgerReconciler } from './reconcile/ledger-reconciler.ts';
import { ReplayRejected } from './rejected/replay-rejected.ts';
import { retentionDaysOf, type RetentionDays } from './retention/expired-partitions.ts';
import { Retention } from './retention/retention.ts';
import type { Room } from './room.ts';
import type { Runtime } from './runtime.ts';
import type { SettingsWatch } from './settings-watch.ts';

export interface RoomsParts {
  runtime: Runtime;
  redis: RedisClient;
  settings: SettingsWatch;
  pool: Pool;
  ledger: Ledger;
  consumer: QueueConsumer;
}

/** Connections of those who work beside the ledger: none of them keeps events waiting. */
const JOB_CONNECTIONS = 3;
const RECONCILE_CONNECTIONS = 1;
const ALERT_CONNECTIONS = 2;
/** Of calls to other apps, from now. */
const DEADLINE_MS = 5_000;

/** All that the app does besides recording events and answering, and what of it calls of the admin API need. */
export class Rooms implements Room {
  readonly jobs: JobStore;
  readonly alerts: Alerts;
  readonly deliveries: DeliveryLoop;
  private readonly rooms: readonly Room[];
  private readonly runner: JobRunner;
  private readonly router: StreamsClient;
  private readonly semantic: StreamsClient;
  private readonly pools: Pool[] = [];

  constructor(private readonly parts: RoomsParts) {
    const { runtime: { environment: { redisUrl }, logger }, pool } = parts;
    this.router = new StreamsClient({ service: 'router', redisUrl, logger });
    this.semantic = new StreamsClient({ service: 'semantic-cache', redisUrl, logger });
    const drift = new DriftMetrics(parts.runtime.telemetry.meter);
    this.runner = this.jobRunner();
    this.jobs = new JobStore(pool, () => this.runner.wake());
    this.alerts = this.openAlerts(drift);
    this.deliveries = this.openDeliveries();
    this.rooms = [this.care(drift), this.captureRoom(), new AlertRoom(this.alerts, this.deliveries, logger)];
  }

  async start(): Promise<void> {
    for (const room of this.rooms) await room.start();
    this.runner.start();
  }

  async stop(graceMs: number): Promise<void> {
    // Whoever waits for another app's answer is told at once that none comes.
    await Promise.all([this.router.close(), this.semantic.close(), ...this.rooms.map((room) => room.stop(graceMs)), this.runner.close()]);
    await Promise.all(this.pools.map((pool) => pool.end()));
  }

  private poolFor(name: string, max: number): Pool {
    const pool = openPool(this.parts.runtime.databaseUrl, { name, logger: this.parts.runtime.logger, max });
    this.pools.push(pool);
    return pool;
  }

  private retentionDays(): RetentionDays | null {
    const settings = this.parts.settings.snapshot()?.settings;
    // A router of an earlier version says nothing of it.
    return settings?.request_log === undefined ? null : retentionDaysOf(settings);
  }

  private jobRunner(): JobRunner {
    const { runtime: { instance, logger, telemetry }, ledger, consumer } = this.parts;
    const kinds = [
      eraseUser({ pseudonym: () => `erased:${randomUUID()}`, nowMs: Date.now, unrecordedMs: () => consumer.unrecordedMs(Date.now()) }),
      reprice(() => this.parts.settings.newest()),
      new ReplayRejected(ledger),
    ];
    return new JobRunner({ pool: this.poolFor('usage-jobs', JOB_CONNECTIONS), kinds, instance, logger, meter: telemetry.meter });
  }

  private care(metrics: DriftMetrics): LedgerCare {
    const { runtime: { logger }, redis, pool, consumer } = this.parts;
    const reconciler = new LedgerReconciler({ redis, pool: this.poolFor('usage-reconcile', RECONCILE_CONNECTIONS), queued: () => consumer.events(), metrics, logger });
    return new LedgerCare({ settings: this.parts.settings, retention: new Retention({ pool, days: () => this.retentionDays(), logger }), reconciler, logger });
  }

  private captureRoom(): CaptureRoom {
    const { runtime: { environment, logger, telemetry }, pool } = this.parts;
    const metrics = new CaptureMetrics(telemetry.meter);
    const store = new CaptureStore(pool);
    const writer = new CaptureWriter({ store, metrics, logger, retentionDays: () => this.retentionDays()?.captures ?? null });
    const words = new WordSweep(pool, async (ids) => {
      const { gone } = await this.router.call<RouterRpc['data_keys_gone']['reply']>('data_keys_gone', { ids }, { deadlineMs: DEADLINE_MS });
      return gone;
    });
    return new CaptureRoom({ partitions: store.partitions, consumer: new CaptureConsumer(environment.redisUrl, writer, metrics, logger), words, logger });
  }

  private openAlerts(drift: DriftMetrics): Alerts {
    const { runtime: { databaseUrl, logger, telemetry }, consumer } = this.parts;
    return new Alerts({
      databaseUrl, logger, meter: telemetry.meter,
      pool: this.poolFor('usage-alerts', ALERT_CONNECTIONS),
      fetchSettings: (request) => this.router.call('alert_settings', request, { deadlineMs: DEADLINE_MS, parent: unsampled() }),
      snapshot: () => this.parts.settings.snapshot(),
      queueLagS: async (nowMs) => (await consumer.state(nowMs))?.lagS ?? null,
      drift: () => drift.differences,
      wrongRates: async () => (await this.semantic.call<SemanticCacheRpc['wrong_rates']['reply']>('wrong_rates', { tenant: null }, { deadlineMs: DEADLINE_MS })).rates,
    });
  }

  private openDeliveries(): DeliveryLoop {
    const { runtime: { logger, telemetry }, pool } = this.parts;
    return new DeliveryLoop({
      store: new DeliveryStore(pool), settings: this.alerts.settings, metrics: new DeliveryMetrics(telemetry.meter), logger,
      allowed: () => this.parts.settings.snapshot()?.settings.outbound.allow ?? [],
    });
  }
}
