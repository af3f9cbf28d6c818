import { TROUBLES } from '@deja/contracts';
import { defineScript, runScript } from '@deja/redis';
import type { Redis } from 'ioredis';
import { z } from 'zod';
import type { Health } from './health.ts';

/** Hash of field → Health (JSON), and `revision`. Shared by all router replicas. */
const HEALTH_KEY = 'deja:routing:health';
const REVISION = 'revision';
const ATTEMPTS = 8;

/** Field of a credential. A new value starts with a clean record: the version is part of its name. */
export const credentialField = (id: string, version: string): string => `c:${id}@${version}`;
export const deploymentField = (id: string): string => `d:${id}`;

export interface PoolHealth {
  /** Grows with every change. 0 when nothing was ever recorded. */
  revision: number;
  of: ReadonlyMap<string, Health>;
}

const HEALTH = z.object({
  trouble: z.enum(TROUBLES),
  failures: z.number(),
  failedAtMs: z.number(),
  untilMs: z.number(),
});

/** Sets fields if they still are what they were read as. The revision follows the clock, so that it also grows over a loss of the hash. */
const COMPARE_AND_SET = defineScript(`
for i = 1, #ARGV, 3 do
  if (redis.call('HGET', KEYS[1], ARGV[i]) or '') ~= ARGV[i + 1] then return 0 end
end
for i = 1, #ARGV, 3 do
  if ARGV[i + 2] == '' then redis.call('HDEL', KEYS[1], ARGV[i]) else redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 2]) end
end
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local before = tonumber(redis.call('HGET', KEYS[1], '${REVISION}') or '0')
redis.call('HSET', KEYS[1], '${REVISION}', string.format('%.0f', math.max(now, before + 1)))
return 1
`);

/** One change: a field, and what becomes of its health. It may run several times, when replicas write at the same moment. */
export interface HealthChange {
  field: string;
  after: (health: Health | null) => Health | null;
}

/** The health of all credentials and deployments, in Redis, so that replicas judge by the same record. */
export class HealthStore {
  constructor(private readonly redis: Redis) {}

  async read(): Promise<PoolHealth> {
    const { [REVISION]: revision, ...fields } = await this.redis.hgetall(HEALTH_KEY);
    const entries = Object.entries(fields).flatMap(([field, text]): [string, Health][] => {
      const health = parsed(text);
      return health === null ? [] : [[field, health]];
    });
    return { revision: Number(revision ?? 0), of: new Map(entries) };
  }

  async revision(): Promise<number> {
    return Number((await this.redis.hget(HEALTH_KEY, REVISION)) ?? 0);
  }

  /** Applies the changes one after the other and returns what really changed. Throws when Redis is away. */
  async change(changes: HealthChange[]): Promise<{ field: string; before: Health | null; after: Health | null }[]> {
    const fields = [...new Set(changes.map((change) => change.field))];
    if (fields.length === 0) return [];
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const texts = await this.redis.hmget(HEALTH_KEY, ...fields);
      const before = new Map(fields.map((field, index) => [field, parsed(texts[index] ?? '')]));
      const after = new Map(before);
      for (const { field, after: next } of changes) after.set(field, next(after.get(field) ?? null));

      const changed = fields.flatMap((field, index) => {
        const [was, is] = [before.get(field) ?? null, after.get(field) ?? null];
        return was === is ? [] : [{ field, text: texts[index] ?? '', before: was, after: is }];
      });
      if (changed.length === 0) return [];
      const args = changed.flatMap((entry) => [entry.field, entry.text, entry.after === null ? '' : JSON.stringify(entry.after)]);
      if ((await runScript(this.redis, COMPARE_AND_SET, [HEALTH_KEY], args)) === 1) return changed;
    }
    throw new Error(`the health record was being changed by others ${ATTEMPTS} times in a row`);
  }
}

function parsed(text: string): Health | null {
  if (text === '') return null;
  try {
    return HEALTH.parse(JSON.parse(text));
  } catch {
    return null; // what nobody can read speaks against nobody; the next change replaces it
  }
}
