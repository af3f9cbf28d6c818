import { CAPTURE_QUEUE, CAPTURE_QUEUE_PREFIX, type CaptureBatch, type Settings } from '@deja/contracts';
import { isUp, type RedisClient } from '@deja/redis';
import type { Logger, Telemetry } from '@deja/telemetry';
import { Queue } from 'bullmq';
import { CaptureMetrics } from './capture-metrics.ts';
import { CaptureQueue, type CaptureBounds, type CaptureTransport } from './capture-queue.ts';
import { CaptureSpool } from './capture-spool.ts';
import { DataKeys, type DataKeysOptions, type FetchDataKey } from './data-keys.ts';
import { RequestLog } from './request-log.ts';

export interface CaptureSurroundings extends DataKeysOptions {
  /** For what goes on queues. */
  redis: RedisClient;
  /** Where sealed captures wait that Redis has no room for. */
  spoolDir: string;
  askDataKey: FetchDataKey;
  /** Those in force; null where there are none yet. */
  settings: () => Settings | null;
  telemetry: Pick<Telemetry, 'meter'>;
  logger: Pick<Logger, 'info' | 'warn' | 'error'>;
}

/** As deja.yaml has them by default, until there are settings. */
const BOUNDS: CaptureBounds = { queue_max_bytes: 512 * 1024 * 1024, capture_spool_max_bytes: 1024 * 1024 * 1024 };
const UNDONE = ['wait', 'active', 'delayed', 'prioritized'] as const;

/** The gateway's part of the request log, put together. */
export class GatewayCapture {
  readonly keys: DataKeys;
  readonly log: RequestLog;
  private readonly jobs: Queue<CaptureBatch>;
  private readonly queue: CaptureQueue;

  constructor({ redis, spoolDir, askDataKey, settings, telemetry, logger, ...keys }: CaptureSurroundings) {
    this.keys = new DataKeys(askDataKey, logger, keys);
    this.jobs = new Queue(CAPTURE_QUEUE, { connection: redis, prefix: CAPTURE_QUEUE_PREFIX, skipVersionCheck: true, skipWaitingForReady: true });
    this.jobs.on('error', () => undefined); // the connection logs its own outages, once each
    const metrics = new CaptureMetrics(telemetry.meter);
    this.queue = new CaptureQueue(transportOf(this.jobs, redis), new CaptureSpool(spoolDir), metrics, () => settings()?.ledger ?? BOUNDS, logger);
    this.log = new RequestLog(this.keys, this.queue, metrics, logger);
  }

  start(): void {
    this.queue.start();
  }

  /** After the last settlement: everything captured goes out. */
  async close(): Promise<void> {
    await this.log.close();
    await this.jobs.close();
  }
}

/** Rejects at once while Redis is away. */
export function transportOf(jobs: Queue<CaptureBatch>, redis: RedisClient): CaptureTransport {
  const standing = (): void => {
    if (!isUp(redis)) throw new Error('redis is away');
  };
  return {
    add: async (batch) => {
      standing();
      await jobs.add('captured', batch, { removeOnComplete: true, attempts: Number.MAX_SAFE_INTEGER, backoff: { type: 'fixed', delay: 1000 } });
    },
    waiting: async () => {
      standing();
      const counts = await jobs.getJobCounts(...UNDONE);
      return Object.values(counts).reduce((sum, count) => sum + count, 0);
    },
  };
}
