import { setTimeout as delay } from 'node:timers/promises';
import { isUp, type OutageLogger, type RedisClient } from '@deja/redis';
import type { StreamLog } from './stream-log.ts';

export interface FollowerOptions<R> {
  log: StreamLog;
  /** One record as it was written; null when it is not one of ours. */
  read: (fields: readonly string[]) => R | null;
  /** A connection of its own (role `blocking`): it spends its life waiting in XREAD. */
  redis: RedisClient;
  onRecords: (records: R[]) => void | Promise<void>;
  /** What was read so far is void: Redis was emptied. */
  onReset: () => void;
  logger: Pick<OutageLogger, 'warn'>;
}

const BATCH = 500;
/** Also how long an emptied Redis goes unnoticed at most. */
const BLOCK_MS = 400;
/** How long after new records the next ones are read: what comes in quick succession is read together. */
const GATHER_MS = 20;
const RETRY_MS = 200;
const FROM_THE_START = '0-0';

/** Reads a log from its start and then for ever, and notices when the log has begun anew. */
export class LogFollower<R> {
  private readonly options: FollowerOptions<R>;
  private readonly stopping = new AbortController();
  private readonly firstReplay = Promise.withResolvers<void>();
  private lastId = FROM_THE_START;
  /** undefined before the first read; null while there is no log. */
  private epoch: string | null | undefined;
  private atEnd = false;
  private isReplayed = false;
  private loop: Promise<void> = Promise.resolve();

  constructor(options: FollowerOptions<R>) {
    this.options = options;
  }

  /** Whether the whole log has been read once. */
  get replayed(): boolean {
    return this.isReplayed;
  }

  start(): void {
    this.loop = this.run();
  }

  /** Resolves when the whole log has been read once; waits for Redis as long as it takes. */
  whenReplayed(): Promise<void> {
    return this.firstReplay.promise;
  }

  /** Ends the loop and its connection. */
  async stop(): Promise<void> {
    this.stopping.abort();
    this.options.redis.disconnect();
    await this.loop;
  }

  private async run(): Promise<void> {
    const { signal } = this.stopping;
    // A read that was never sent, because Redis is away, would not end with its connection.
    const stopped = new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
    await Promise.race([this.readForever(signal), stopped]);
  }

  private async readForever(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        const records = await this.readOnce();
        if (this.atEnd && records > 0 && records < BATCH) await delay(GATHER_MS, undefined, { signal }).catch(() => undefined); // aborted: the loop ends by itself
      } catch (error) {
        // The connection's own outages are logged where it is opened; the loop has only to outlive them.
        if (!signal.aborted && isUp(this.options.redis)) this.options.logger.warn({ err: error, log: this.options.log.key }, 'reading a log failed, trying again');
        await delay(RETRY_MS, undefined, { signal }).catch(() => undefined); // aborted: the loop ends by itself
      }
    }
  }

  /** How many records there were. */
  private async readOnce(): Promise<number> {
    const { redis, log } = this.options;
    const from = ['STREAMS', log.key, this.lastId] as const;
    const reply = await (this.atEnd ? redis.xread('COUNT', BATCH, 'BLOCK', BLOCK_MS, ...from) : redis.xread('COUNT', BATCH, ...from));
    // Asked after the records: records of a new log are never taken for those of the old one.
    const epoch = await redis.get(log.epochKey);
    if (this.stopping.signal.aborted) return 0;
    if (this.epoch !== undefined && epoch !== this.epoch) {
      this.epoch = epoch;
      this.lastId = FROM_THE_START;
      this.atEnd = false;
      this.options.onReset();
      return 0;
    }
    this.epoch = epoch;
    const records = reply?.[0]?.[1] ?? [];
    this.atEnd = records.length === 0 || this.atEnd;
    await this.take(records);
    if (this.atEnd && !this.isReplayed) {
      this.isReplayed = true;
      this.firstReplay.resolve();
    }
    return records.length;
  }

  private async take(records: [id: string, fields: string[]][]): Promise<void> {
    const known = records.map(([, fields]) => this.options.read(fields)).filter((record) => record !== null);
    if (known.length < records.length) this.options.logger.warn({ skipped: records.length - known.length, log: this.options.log.key }, 'a log holds records of another version');
    this.lastId = records.at(-1)?.[0] ?? this.lastId;
    if (known.length > 0) await this.options.onRecords(known);
  }
}
