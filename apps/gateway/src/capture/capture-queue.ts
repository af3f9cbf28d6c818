import type { CaptureBatch, CapturedExchange, Settings } from '@deja/contracts';
import type { Logger } from '@deja/telemetry';
import type { CaptureMetrics } from './capture-metrics.ts';
import type { CaptureSpool } from './capture-spool.ts';

/** The queue in Redis, on which usage-workers find batches. Both reject while Redis is away. */
export interface CaptureTransport {
  add(batch: CaptureBatch): Promise<void>;
  /** Jobs that are not done. */
  waiting(): Promise<number>;
}

/** What may wait in Redis and on this disk, bytes. */
export type CaptureBounds = Pick<Settings['ledger'], 'queue_max_bytes' | 'capture_spool_max_bytes'>;

const BATCH_MS = 500;
const BATCH_BYTES = 256 * 1024;
/** Sealed captures that wait in memory for the batch before them; more are dropped. */
const MOST_PENDING_BYTES = 16 * 1024 * 1024;
const TICK_MS = 1_000;
/** Figures need the queues' room more than bodies do. */
const SHARE_OF_QUEUE = 4;
/** An exchange's members besides its bodies. */
const OVERHEAD_BYTES = 300;
/** One batch out of so many sets the average size of a job. */
const AVERAGED = 16;

/**
 * The way of sealed captures to the usage-worker: in batches onto the queue, as long as that holds no more than its bound; else onto the disk, within
 * its bound, to be sent later; else they are dropped and counted.
 */
export class CaptureQueue {
  private readonly transport: CaptureTransport;
  private readonly spool: Pick<CaptureSpool, 'look' | 'put' | 'claim'>;
  private readonly metrics: CaptureMetrics;
  private readonly bounds: () => CaptureBounds;
  private readonly logger: Pick<Logger, 'info' | 'warn'>;
  private readonly o: { batchMs: number; tickMs: number };
  private pending: CapturedExchange[] = [];
  private pendingBytes = 0;
  private sending: Promise<void> | null = null;
  private timer: NodeJS.Timeout | null = null;
  private ticker: NodeJS.Timeout | null = null;
  private ticking: Promise<void> | null = null;
  /** As counted last, and what was added since. */
  private jobs = 0;
  private addedBytes = 0;
  private averageBytes = BATCH_BYTES / 4;
  private isDropping = false;

  constructor(transport: CaptureTransport, spool: Pick<CaptureSpool, 'look' | 'put' | 'claim'>, metrics: CaptureMetrics, bounds: () => CaptureBounds, logger: Pick<Logger, 'info' | 'warn'>, o = { batchMs: BATCH_MS, tickMs: TICK_MS }) {
    this.transport = transport;
    this.spool = spool;
    this.metrics = metrics;
    this.bounds = bounds;
    this.logger = logger;
    this.o = o;
  }

  start(): void {
    this.ticker = setInterval(() => this.tick(), this.o.tickMs).unref();
    this.tick();
  }

  /** Never throws. */
  take(exchange: CapturedExchange): void {
    const bytes = sizeOf(exchange);
    if (this.pendingBytes + bytes > MOST_PENDING_BYTES) return this.drop(1);
    this.pending.push(exchange);
    this.pendingBytes += bytes;
    if (this.pendingBytes >= BATCH_BYTES) this.flush();
    else this.timer ??= setTimeout(() => this.flush(), this.o.batchMs);
  }

  /** Hands over what is there. */
  async close(): Promise<void> {
    if (this.ticker !== null) clearInterval(this.ticker);
    await this.ticking;
    do {
      this.flush();
      await this.sending;
    } while (this.pending.length > 0 || this.sending !== null);
  }

  /** Sends what is pending, one batch at a time. */
  private flush(): void {
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
    this.sending ??= this.sendAll().finally(() => {
      this.sending = null;
      if (this.pending.length > 0) this.timer ??= setTimeout(() => this.flush(), 0);
    });
  }

  private async sendAll(): Promise<void> {
    while (this.pending.length > 0) {
      const { batch, bytes } = this.nextBatch();
      await this.send(batch, bytes);
      this.pendingBytes -= bytes;
    }
  }

  private nextBatch(): { batch: CaptureBatch; bytes: number } {
    let bytes = 0;
    let count = 0;
    for (const exchange of this.pending) {
      if (count > 0 && bytes >= BATCH_BYTES) break;
      bytes += sizeOf(exchange);
      count++;
    }
    return { batch: { v: 1, exchanges: this.pending.splice(0, count) }, bytes };
  }

  private async send(batch: CaptureBatch, bytes: number): Promise<void> {
    const count = batch.exchanges.length;
    if (await this.queued(batch, bytes)) this.metrics.count('queued', count);
    else if (await this.spool.put(JSON.stringify(batch), this.bounds().capture_spool_max_bytes)) this.metrics.count('spooled', count);
    else this.drop(count);
  }

  private get hasRoom(): boolean {
    return this.jobs * this.averageBytes + this.addedBytes < this.bounds().queue_max_bytes / SHARE_OF_QUEUE;
  }

  private async queued(batch: CaptureBatch, bytes: number): Promise<boolean> {
    if (!this.hasRoom) return false;
    try {
      await this.transport.add(batch);
    } catch {
      return false;
    }
    this.addedBytes += bytes;
    this.averageBytes += (bytes - this.averageBytes) / AVERAGED;
    this.isDropping = false;
    return true;
  }

  private tick(): void {
    this.ticking ??= this.countAndReplay().finally(() => (this.ticking = null));
  }

  private async countAndReplay(): Promise<void> {
    const before = this.addedBytes;
    try {
      this.jobs = await this.transport.waiting();
      this.addedBytes -= before;
    } catch {
      return; // away
    }
    await this.spool.look();
    let replayed = 0;
    while (this.hasRoom) {
      const claimed = await this.spool.claim();
      if (claimed === null) break;
      const { batch, done, back } = claimed;
      if (!(await this.queued(batch, batch.exchanges.reduce((sum, exchange) => sum + sizeOf(exchange), 0)))) {
        back();
        break;
      }
      await done();
      replayed += batch.exchanges.length;
    }
    if (replayed > 0) this.logger.info({ captures: replayed }, 'spooled captures were queued');
    this.metrics.count('queued', replayed);
  }

  private drop(count: number): void {
    if (!this.isDropping) this.logger.warn({}, 'captured bodies are dropped: neither the queue nor the disk has room for them');
    this.isDropping = true;
    this.metrics.count('dropped', count);
  }
}

/** About so many bytes of JSON. */
const sizeOf = ({ request, response, searchText }: CapturedExchange): number => OVERHEAD_BYTES + (request?.sealed.length ?? 0) + (response?.sealed.length ?? 0) + (searchText?.length ?? 0);
