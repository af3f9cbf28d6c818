import { TROUBLES } from '@deja/contracts';
import { defineScript, runScript, type RedisClient } from '@deja/redis';
import { z } from 'zod';
import type { Standing } from './standing.ts';

/** Hash of field → Standing (JSON), and `revision`. Shared by all router replicas. */
const HEALTH_KEY = 'deja:routing:health';
/** Exists for a moment after the gateways were told of latencies. */
const LATENCIES_KEY = 'deja:routing:latencies-shown';
const REVISION = 'revision';
/** Each replica writes one batch at a time, so only as many are in each other's way as there are replicas. */
const ATTEMPTS = 16;

/** Field of a credential. A new value starts with a clean record: the version is part of its name. */
export const credentialField = (id: string, version: string): string => `c:${id}@${version}`;
export const deploymentField = (id: string): string => `d:${id}`;

export interface PoolHealth {
  /** Grows with every change that gateways are to hear of. 0 when nothing was ever recorded. */
  revision: number;
  of: ReadonlyMap<string, Standing>;
}

const HEALTH = z.object({
  trouble: z.enum(TROUBLES),
  failures: z.number(),
  failedAtMs: z.number(),
  untilMs: z.number(),
});
const WINDOW = z.object({
  seconds: z.array(z.tuple([z.number(), z.number(), z.number()])),
  failuresInARow: z.number(),
  sinceMs: z.number(),
});
const LATENCY = z.object({
  sumMs: z.number(),
  weight: z.number(),
  atMs: z.number(),
  shownMs: z.number().nullable(),
});
const USE = z.object({ answeredAtMs: z.number(), failedAtMs: z.number() });
const STANDING = z.object({
  health: HEALTH.nullable(),
  window: WINDOW.nullable(),
  latency: LATENCY.nullable(),
  elsewhere: WINDOW.nullable().default(null),
  uses: z.record(z.string(), USE).nullable().default(null),
});

/**
 * Sets fields if they still are what they were read as, and gives the record a new revision if gateways are to hear of it. The revision
 * follows the clock, so that it also grows over a loss of the hash. ARGV: 1 for a new revision, then field, text before, text after, …
 */
const COMPARE_AND_SET = defineScript(`
for i = 2, #ARGV, 3 do
  if (redis.call('HGET', KEYS[1], ARGV[i]) or '') ~= ARGV[i + 1] then return 0 end
end
for i = 2, #ARGV, 3 do
  if ARGV[i + 2] == '' then redis.call('HDEL', KEYS[1], ARGV[i]) else redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 2]) end
end
if ARGV[1] == '0' then return 1 end
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local before = tonumber(redis.call('HGET', KEYS[1], '${REVISION}') or '0')
redis.call('HSET', KEYS[1], '${REVISION}', string.format('%.0f', math.max(now, before + 1)))
return 1
`);

/**
 * One change: a field, and what becomes of it. It may run several times, when replicas write at the same moment. `of` is any other field
 * that is changed together with it, as the changes before have left it.
 */
export interface StandingChange {
  field: string;
  after: (standing: Standing | null, of: (field: string) => Standing | null) => Standing | null;
}

export interface ChangedStanding {
  field: string;
  before: Standing | null;
  after: Standing | null;
}

/**
 * The one record of all credentials and deployments, in Redis, so that replicas judge by the same. Calls that went well are counted in it
 * too, because a breaker that saw only one replica's successes would open at a low share of failures; that costs a write for each batch
 * that comes from a gateway, and no new snapshot.
 */
export class HealthStore {
  constructor(private readonly redis: RedisClient) {}

  async read(): Promise<PoolHealth> {
    const { [REVISION]: revision, ...fields } = await this.redis.hgetall(HEALTH_KEY);
    const entries = Object.entries(fields).flatMap(([field, text]): [string, Standing][] => {
      const standing = parsed(text);
      return standing === null ? [] : [[field, standing]];
    });
    return { revision: Number(revision ?? 0), of: new Map(entries) };
  }

  async revision(): Promise<number> {
    return Number((await this.redis.hget(HEALTH_KEY, REVISION)) ?? 0);
  }

  /** Applies the changes one after the other and returns what really changed. Throws when Redis is away. */
  async change(changes: StandingChange[]): Promise<ChangedStanding[]> {
    const fields = [...new Set(changes.map((change) => change.field))];
    if (fields.length === 0) return [];
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const texts = await this.redis.hmget(HEALTH_KEY, ...fields);
      const before = new Map(fields.map((field, index) => [field, parsed(texts[index] ?? '')]));
      const after = new Map(before);
      const of = (field: string): Standing | null => after.get(field) ?? null;
      for (const { field, after: next } of changes) after.set(field, next(of(field), of));

      const changed = fields.flatMap((field, index) => {
        const [was, is] = [before.get(field) ?? null, after.get(field) ?? null];
        return was === is ? [] : [{ field, text: texts[index] ?? '', before: was, after: is }];
      });
      if (changed.length === 0) return [];
      const args = changed.flatMap((entry) => [entry.field, entry.text, entry.after === null ? '' : JSON.stringify(entry.after)]);
      if ((await runScript(this.redis, COMPARE_AND_SET, [HEALTH_KEY], [changed.some(concernsGateways) ? 1 : 0, ...args])) === 1) return changed;
    }
    throw new Error(`the health record was being changed by others ${ATTEMPTS} times in a row`);
  }

  /** True for one replica, once in so many milliseconds. */
  async mayShowLatencies(everyMs: number): Promise<boolean> {
    return (await this.redis.set(LATENCIES_KEY, '1', 'PX', everyMs, 'NX')) === 'OK';
  }
}

/** Whether a change shows in the snapshot; counts and averages do not. */
export function concernsGateways({ before, after }: ChangedStanding): boolean {
  return (before?.health ?? null) !== (after?.health ?? null) || (before?.latency?.shownMs ?? null) !== (after?.latency?.shownMs ?? null);
}

function parsed(text: string): Standing | null {
  if (text === '') return null;
  try {
    return STANDING.parse(JSON.parse(text));
  } catch {
    return null; // what nobody can read speaks against nobody; the next change replaces it
  }
}
