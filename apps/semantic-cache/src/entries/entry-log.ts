import { randomUUID } from 'node:crypto';
import { semanticPresenceKey, type Invalidation } from '@deja/contracts';
import { defineScript, runScript, type RedisClient } from '@deja/redis';
import type { IndexEntry } from '../index/entry.ts';
import { parseInvalidation, parseStore } from './messages.ts';

/** Every stored entry and every invalidation, oldest first: a Redis stream that all replicas read from start to end. */
export const LOG_KEY = 'deja:cache:{log}';
/** Names this life of the log. Another value, or none, means that Redis was emptied in between. */
export const EPOCH_KEY = 'deja:cache:{log}:epoch';

const APPEND = defineScript(`
local epoch = redis.call('GET', KEYS[2])
if not epoch or redis.call('EXISTS', KEYS[1]) == 0 then redis.call('SET', KEYS[2], ARGV[1]) end
return redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[2], '*', ARGV[3], ARGV[4])`);

/** The partition holds something until the last of its entries is over: a longer life is never cut short. */
const ANNOUNCE = defineScript(`
local leftMs = redis.call('PTTL', KEYS[1])
if leftMs == -1 or leftMs >= tonumber(ARGV[1]) then return 0 end
redis.call('SET', KEYS[1], '1', 'PX', ARGV[1])
return 1`);

const TRIM_BATCH = 500;
/** An entry that an invalidation covers was written before it or, where its event was late, not much later. */
export const INVALIDATION_LIFE_MS = 3_600_000;

/** What one record of the log says. */
export type LogRecord = { entry: IndexEntry } | { invalidation: Invalidation };

/** Writes the log. Redis errors are the caller's: a stored event is delivered again. */
export class EntryLog {
  private readonly redis: RedisClient;
  private readonly maxEntries: number;

  constructor(redis: RedisClient, options: { maxEntries: number }) {
    this.redis = redis;
    this.maxEntries = options.maxEntries;
  }

  /** Makes an entry known to all replicas, then lets gateways know that its partition is worth a look-up. */
  async append(entry: IndexEntry, nowMs: number): Promise<void> {
    await this.write('e', entry);
    const presence = semanticPresenceKey(entry.tenant, entry.scope, entry.fingerprint);
    await runScript(this.redis, ANNOUNCE, [presence], [Math.max(1, Math.ceil(entry.expiresAtMs - nowMs))]);
  }

  /** Has all replicas forget what it covers. */
  async appendInvalidation(invalidation: Invalidation): Promise<void> {
    await this.write('i', invalidation);
  }

  /** Drops the expired head of the log: customers' text is not kept longer than the answers to it. Any replica may. */
  async trimExpired(nowMs: number): Promise<void> {
    for (;;) {
      const head = await this.redis.xrange(LOG_KEY, '-', '+', 'COUNT', TRIM_BATCH);
      const live = head.findIndex(([, fields]) => expiryOf(recordOf(fields)) > nowMs);
      if (live === 0 || head.length === 0) return;
      const firstKept = head[live]?.[0] ?? idAfter(head.at(-1)?.[0] ?? '0-0');
      await this.redis.xtrim(LOG_KEY, 'MINID', '=', firstKept);
      if (live > 0 || head.length < TRIM_BATCH) return;
    }
  }

  private async write(field: 'e' | 'i', record: IndexEntry | Invalidation): Promise<void> {
    await runScript(this.redis, APPEND, [LOG_KEY, EPOCH_KEY], [randomUUID(), this.maxEntries, field, JSON.stringify(record)]);
  }
}

/** What one record of the log says; null when it is not one of ours. */
export function recordOf([field, text = '']: readonly string[]): LogRecord | null {
  try {
    if (field === 'e') return { entry: parseStore(JSON.parse(text)) };
    return field === 'i' ? { invalidation: parseInvalidation(JSON.parse(text)) } : null;
  } catch {
    return null; // written by another version: as good as absent
  }
}

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
