import { setTimeout as delay } from 'node:timers/promises';
import { USAGE_QUEUE, USAGE_QUEUE_PREFIX } from '@deja/contracts';
import { isUp, openRedis } from '@deja/redis';
import type { Logger } from '@deja/telemetry';
import { Queue, WaitingError, Worker, type Job } from 'bullmq';
import { NotRecorded, type LedgerWriter } from '../ledger/ledger-writer.ts';
import type { QueueState } from '../metrics.ts';
import { eventsOf } from './batch.ts';
import { ledgerEvent } from './ledger-event.ts';
import { eventsOnQueue } from './queue-contents.ts';

/** Jobs under way at once: what one batch of the writer may gather. */
const CONCURRENCY = 64;
/** A worker that was killed gives its jobs back after this, and the next check of the others. */
const LOCK_MS = 15_000;
const STALLED_CHECK_MS = 5_000;
/** After Redis failed, try again soon: BullMQ's own default is 15 s. */
const RETRY_MS = 1_000;

/** Takes jobs off the usage queue. A job is done when its events are committed, and not before. */
export class QueueConsumer {
  private readonly redis;
  private readonly queue: Queue;
  private readonly jobsRedis;
  private worker: Worker | null = null;

  constructor(
    redisUrl: string,
    private readonly writer: LedgerWriter,
    private readonly logger: Logger,
  ) {
    this.redis = openRedis(redisUrl, { role: 'commands', name: 'usage-worker:queue', logger });
    this.jobsRedis = openRedis(redisUrl, { role: 'blocking', name: 'usage-worker:jobs', logger });
    this.queue = new Queue(USAGE_QUEUE, { connection: this.redis, prefix: USAGE_QUEUE_PREFIX, skipVersionCheck: true, skipWaitingForReady: true });
    this.queue.on('error', () => undefined); // the connection logs its own outages, once each
  }

  start(): void {
    this.worker = new Worker(USAGE_QUEUE, (job: Job<unknown>, token) => this.process(job, token), {
      connection: this.jobsRedis,
      prefix: USAGE_QUEUE_PREFIX,
      concurrency: CONCURRENCY,
      lockDuration: LOCK_MS,
      stalledInterval: STALLED_CHECK_MS,
      // Workers may die as often as they like; an event is never given up for that.
      maxStalledCount: Number.MAX_SAFE_INTEGER,
      runRetryDelay: RETRY_MS,
      removeOnComplete: { count: 0 },
      skipVersionCheck: true,
    });
    this.worker.on('error', (error) => this.logger.debug({ err: error }, 'usage queue')); // outages are logged by the connection
    this.worker.on('failed', (job, error) => this.logger.error({ err: error, job: job?.id }, 'a usage job failed; it stays on the queue'));
  }

  async state(nowMs: number): Promise<QueueState | null> {
    if (!isUp(this.redis)) return null;
    const [counts, [oldest]] = await Promise.all([this.queue.getJobCounts('waiting', 'active', 'delayed'), this.queue.getJobs(['waiting'], 0, 0, true)]);
    return {
      waiting: (counts['waiting'] ?? 0) + (counts['delayed'] ?? 0),
      active: counts['active'] ?? 0,
      lagS: oldest ? Math.max(0, nowMs - oldest.timestamp) / 1000 : 0,
    };
  }

  /** For how long the oldest job has been on the queue, also of those that a worker holds at the moment; 0 for none, null while Redis is away. Milliseconds. */
  async unrecordedMs(nowMs: number): Promise<number | null> {
    if (!isUp(this.redis)) return null;
    const [[oldest], active] = await Promise.all([this.queue.getJobs(['waiting', 'delayed'], 0, 0, true), this.redis.lrange(this.queue.toKey('active'), 0, -1)]);
    // Not whole jobs: their events are not wanted here.
    const taken = await Promise.all(active.map((id) => this.redis.hget(this.queue.toKey(id), 'timestamp')));
    const times = [oldest?.timestamp, ...taken.flatMap((time) => (time === null ? [] : [Number(time)]))].filter((time) => time !== undefined);
    return Math.max(0, ...times.map((time) => nowMs - time));
  }

  /** Events of all jobs that are not done; null while Redis is away, and where there are too many to be read. */
  async events(): Promise<unknown[] | null> {
    return isUp(this.redis) ? await eventsOnQueue(this.redis, (name) => this.queue.toKey(name)) : null;
  }

  /**
   * Takes no more jobs and resolves when those under way are done or given back; with Redis away neither is possible, and
   * after `deadlineMs` their locks are left to run out.
   */
  async close(deadlineMs: number): Promise<void> {
    const closed = new AbortController();
    const closing = this.worker?.close().finally(() => closed.abort());
    await Promise.race([closing, delay(deadlineMs, undefined, { signal: closed.signal, ref: false }).catch(() => undefined)]);
    this.jobsRedis.disconnect(); // BullMQ leaves a connection it was given to its owner
    await this.queue.close();
    this.redis.disconnect();
  }

  private async process(job: Job<unknown>, token: string | undefined): Promise<void> {
    const nowMs = Date.now();
    try {
      // What is unpacked waits for nothing but its batch.
      await this.writer.room();
      await this.writer.record(eventsOf(job.data).map((raw) => ledgerEvent(raw, { nowMs, open: 'rejected' })));
    } catch (error) {
      if (!(error instanceof NotRecorded)) throw error;
      // Back to the head of the queue for the next worker, without a failed attempt. If Redis is away as well, the lock runs out.
      await job.moveToWait(token).catch((failed: unknown) => this.logger.debug({ err: failed }, 'a job could not be given back'));
      throw new WaitingError();
    }
  }
}
