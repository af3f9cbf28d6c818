import { randomUUID } from 'node:crypto';
import { defineScript, runScript, type RedisClient } from '@deja/redis';
import { Batcher } from '@deja/transport';

/** A Redis stream that all replicas read from start to end. Both keys share a hash tag. */
export interface StreamLog {
  key: string;
  /** Names this life of the log. Another value, or none, means that Redis was emptied in between. */
  epochKey: string;
}

const APPEND = defineScript(`
local epoch = redis.call('GET', KEYS[2])
if not epoch or redis.call('EXISTS', KEYS[1]) == 0 then redis.call('SET', KEYS[2], ARGV[1]) end
for i = 3, #ARGV, 2 do redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[2], '*', ARGV[i], ARGV[i + 1]) end`);

/** Written together. */
const MOST_RECORDS = 64;

/** Writes a log. The oldest records make room beyond about `maxRecords`. */
export class LogWriter {
  private readonly records: Batcher<[kind: string, text: string], unknown>;

  constructor(redis: RedisClient, { key, epochKey }: StreamLog, maxRecords: number) {
    // Events that were read together are handled together.
    this.records = new Batcher({ send: (records) => runScript(redis, APPEND, [key, epochKey], [randomUUID(), maxRecords, ...records.flat()]), everyMs: 0, most: MOST_RECORDS });
  }

  /** Adds one record, as JSON under the name of its kind. Rejects when Redis does not take it. */
  async append(kind: string, record: unknown): Promise<void> {
    await this.records.add([kind, JSON.stringify(record)]);
  }
}

/** One record as it was written; null when it is not one of ours, or of another version: as good as absent. */
export function readRecord<R>(fields: readonly string[], kinds: Readonly<Record<string, (data: unknown) => R>>): R | null {
  const [kind = '', text = ''] = fields;
  const read = Object.hasOwn(kinds, kind) ? kinds[kind] : undefined;
  if (read === undefined) return null;
  try {
    return read(JSON.parse(text));
  } catch {
    return null;
  }
}
