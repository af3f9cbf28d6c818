import { randomUUID } from 'node:crypto';
import { semanticPresenceKey } from '@deja/contracts';
import { defineScript, runScript } from '@deja/redis';
import type { Redis } from 'ioredis';
import type { IndexEntry } from '../index/entry.ts';
import { parseStore } from './messages.ts';

/** Every stored entry, oldest first: a Redis stream that all replicas read from start to end. */
export const LOG_KEY = 'deja:cache:{log}';
/** Names this life of the log. Another value, or none, means that Redis was emptied in between. */
export const EPOCH_KEY = 'deja:cache:{log}:epoch';

const APPEND = defineScript(`
local epoch = redis.call('GET', KEYS[2])
if not epoch or redis.call('EXISTS', KEYS[1]) == 0 then redis.call('SET', KEYS[2], ARGV[1]) end
return redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[2], '*', 'e', ARGV[3])`);

/** The partition holds something until the last of its entries is over: a longer life is never cut short. */
const ANNOUNCE = defineScript(`
local leftMs = redis.call('PTTL', KEYS[1])
if leftMs == -1 or leftMs >= tonumber(ARGV[1]) then return 0 end
redis.call('SET', KEYS[1], '1', 'PX', ARGV[1])
return 1`);

const TRIM_BATCH = 500;

/** Writes the log. Redis errors are the caller's: a stored event is delivered again. */
export class EntryLog {
  private readonly redis: Redis;
  private readonly maxEntries: number;

  constructor(redis: Redis, options: { maxEntries: number }) {
    this.redis = redis;
    this.maxEntries = options.maxEntries;
  }

  /** Makes an entry known to all replicas, then lets gateways know that its partition is worth a look-up. */
  async append(entry: IndexEntry, nowMs: number): Promise<void> {
    await runScript(this.redis, APPEND, [LOG_KEY, EPOCH_KEY], [randomUUID(), this.maxEntries, JSON.stringify(entry)]);
    const presence = semanticPresenceKey(entry.tenant, entry.scope, entry.fingerprint);
    await runScript(this.redis, ANNOUNCE, [presence], [Math.max(1, Math.ceil(entry.expiresAtMs - nowMs))]);
  }

  /** Drops the expired head of the log: customers' text is not kept longer than the answers to it. Any replica may. */
  async trimExpired(nowMs: number): Promise<void> {
    for (;;) {
      const head = await this.redis.xrange(LOG_KEY, '-', '+', 'COUNT', TRIM_BATCH);
      const live = head.findIndex(([, fields]) => (entryOf(fields)?.expiresAtMs ?? Infinity) > nowMs);
      if (live === 0 || head.length === 0) return;
      const firstKept = head[live]?.[0] ?? idAfter(head.at(-1)?.[0] ?? '0-0');
      await this.redis.xtrim(LOG_KEY, 'MINID', '=', firstKept);
      if (live > 0 || head.length < TRIM_BATCH) return;
    }
  }
}

/** The entry of one record of the log; null when it is not one of ours. */
export function entryOf(fields: readonly string[]): IndexEntry | null {
  try {
    return parseStore(JSON.parse(fields[1] ?? ''));
  } catch {
    return null; // written by another version: as good as absent
  }
}

/** The smallest stream id above this one. */
function idAfter(id: string): string {
  const [ms = '0', sequence = '0'] = id.split('-');
  return `${ms}-${BigInt(sequence) + 1n}`;
}
