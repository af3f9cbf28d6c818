import { setTimeout as delay } from 'node:timers/promises';
import { CAPTURE_QUEUE, CAPTURE_QUEUE_PREFIX } from '@deja/contracts';
import { isUp, openRedis } from '@deja/redis';
import type { Logger } from '@deja/telemetry';
import { Queue, WaitingError, Worker, type Job } from 'bullmq';
import type { CaptureMetrics } from './capture-metrics.ts';
import type { CaptureWriter } from './capture-writer.ts';

/** Jobs under way at once, each with as many bodies as a gateway puts into one. */
const CONCURRENCY = 4;
/** A worker that was killed gives its jobs back after this, and the next check of the others. */
const LOCK_MS = 30_000;
const STALLED_CHECK_MS = 10_000;
/** After Redis failed, try again soon: BullMQ's own default is 15 s. */
const RETRY_MS = 1_000;

/** Takes jobs off the queue of captured bodies. A job is done when they are committed, and not before; or when they will never be. */
export class CaptureConsumer {
  private readonly redis;
  private readonly queue: Queue;
  private readonly jobsRedis;
  private worker: Worker | null = null;
  private readonly stopped = new AbortController();

  constructor(
    redisUrl: string,
    private readonly writer: CaptureWriter,
    private readonly metrics: CaptureMetrics,
    private readonly logger: Logger,
  ) {
    this.redis = openRedis(redisUrl, { role: 'commands', name: 'usage-worker:captures', logger });
    this.jobsRedis = openRedis(redisUrl, { role: 'blocking', name: 'usage-worker:capture-jobs', logger });
    this.queue = new Queue(CAPTURE_QUEUE, { connection: this.redis, prefix: CAPTURE_QUEUE_PREFIX, skipVersionCheck: true, skipWaitingForReady: true });
    this.queue.on('error', () => undefined); // the connection logs its own outages, once each
  }

  start(): void {
    this.worker = new Worker(CAPTURE_QUEUE, (job: Job<unknown>, token) => this.process(job, token), {
      connection: this.jobsRedis,
      prefix: CAPTURE_QUEUE_PREFIX,
      concurrency: CONCURRENCY,
      lockDuration: LOCK_MS,
      stalledInterval: STALLED_CHECK_MS,
      maxStalledCount: Number.MAX_SAFE_INTEGER,
      runRetryDelay: RETRY_MS,
      removeOnComplete: { count: 0 },
      // Bodies that nobody will ever keep must not stay in Redis for good.
      removeOnFail: { count: 0 },
      skipVersionCheck: true,
    });
    this.worker.on('error', (error) => this.logger.debug({ err: error }, 'queue of captured bodies')); // outages are logged by the connection
    this.worker.on('failed', (job, error) => this.logger.error({ err: error, job: job?.id }, 'a job of captured bodies failed and was dropped'));
  }

  /** Reads how full the queue is, for the metric. */
  async look(): Promise<void> {
    if (!isUp(this.redis)) return;
    const counts = await this.queue.getJobCounts('waiting', 'active', 'delayed');
    this.metrics.queued = Object.values(counts).reduce((sum, jobs) => sum + jobs, 0);
  }

  /**
   * Takes no more jobs, gives back those that wait for Postgres, and resolves when the others are done; with Redis away neither is possible, and
   * after `deadlineMs` their locks are left to run out.
   */
  async close(deadlineMs: number): Promise<void> {
    this.stopped.abort();
    const closed = new AbortController();
    const closing = this.worker?.close().finally(() => closed.abort());
    await Promise.race([closing, delay(deadlineMs, undefined, { signal: closed.signal, ref: false }).catch(() => undefined)]);
    this.jobsRedis.disconnect(); // BullMQ leaves a connection it was given to its owner
    await this.queue.close();
    this.redis.disconnect();
  }

  private async process(job: Job<unknown>, token: string | undefined): Promise<void> {
    if (await this.writer.keep(job.data, Date.now(), this.stopped.signal)) return;
    // Back to the head of the queue for the next worker, without a failed attempt. If Redis is away as well, the lock runs out.
    await job.moveToWait(token).catch((failed: unknown) => this.logger.debug({ err: failed }, 'a job could not be given back'));
    throw new WaitingError();
  }
}
