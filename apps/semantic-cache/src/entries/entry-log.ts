import type { Invalidation } from '@deja/contracts';
import type { RedisClient } from '@deja/redis';
import { parseInvalidation, parseStore, type StoreMessage } from './messages.ts';
import { LogWriter, readRecord, type StreamLog } from './stream-log.ts';

/** Every stored entry and every invalidation, oldest first. */
export const ENTRY_LOG: StreamLog = { key: 'deja:cache:{log}', epochKey: 'deja:cache:{log}:epoch' };

const TRIM_BATCH = 500;
/** An entry that an invalidation covers was written before it or, where its event was late, not much later. */
export const INVALIDATION_LIFE_MS = 3_600_000;

/** What one record of the log says. */
export type LogRecord = { entry: StoreMessage } | { invalidation: Invalidation };

/** Writes the log. Redis errors are the caller's: a stored event is delivered again. */
export class EntryLog {
  private readonly redis: RedisClient;
  private readonly writer: LogWriter;

  constructor(redis: RedisClient, options: { maxEntries: number }) {
    this.redis = redis;
    this.writer = new LogWriter(redis, ENTRY_LOG, options.maxEntries);
  }

  /** Makes an entry known to all replicas. */
  async append(entry: StoreMessage): Promise<void> {
    await this.writer.append('e', entry);
  }

  /** Has all replicas forget what it covers. */
  async appendInvalidation(invalidation: Invalidation): Promise<void> {
    await this.writer.append('i', invalidation);
  }

  /** Drops the expired head of the log: customers' text is not kept longer than the answers to it. Any replica may. */
  async trimExpired(nowMs: number): Promise<void> {
    for (;;) {
      const head = await this.redis.xrange(ENTRY_LOG.key, '-', '+', 'COUNT', TRIM_BATCH);
      const live = head.findIndex(([, fields]) => expiryOf(recordOf(fields)) > nowMs);
      if (live === 0 || head.length === 0) return;
      const firstKept = head[live]?.[0] ?? idAfter(head.at(-1)?.[0] ?? '0-0');
      await this.redis.xtrim(ENTRY_LOG.key, 'MINID', '=', firstKept);
      if (live > 0 || head.length < TRIM_BATCH) return;
    }
  }
}

/** What one record of the log says; null when it is not one of ours. */
export const recordOf = (fields: readonly string[]): LogRecord | null =>
  readRecord<LogRecord>(fields, { e: (data) => ({ entry: parseStore(data) }), i: (data) => ({ invalidation: parseInvalidation(data) }) });

/** Unix ms; what is not ours is not ours to drop. */
function expiryOf(record: LogRecord | null): number {
  if (record === null) return Infinity;
  return 'entry' in record ? record.entry.expiresAtMs : record.invalidation.madeAtMs + INVALIDATION_LIFE_MS;
}

/** The smallest stream id above this one. */
function idAfter(id: string): string {
  const [ms = '0', sequence = '0'] = id.split('-');
  return `${ms}-${BigInt(sequence) + 1n}`;
}
