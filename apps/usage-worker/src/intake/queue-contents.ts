import type { RedisClient } from '@deja/redis';
import { eventsOf } from './batch.ts';

/** More jobs are not read: whoever asks is told that nobody knows. */
const MOST_JOBS = 64;

/** Events of all jobs that are not done, as they came; null where there are too many. `toKey` names BullMQ's keys. */
export async function eventsOnQueue(redis: RedisClient, toKey: (name: string) => string): Promise<unknown[] | null> {
  const lists = await Promise.all(['wait', 'paused', 'active'].map((name) => redis.lrange(toKey(name), 0, MOST_JOBS)));
  const sets = await Promise.all(['delayed', 'prioritized'].map((name) => redis.zrange(toKey(name), '0', String(MOST_JOBS))));
  const ids = [...new Set([...lists, ...sets].flat())];
  if (ids.length > MOST_JOBS) return null;
  const jobs = await Promise.all(ids.map((id) => redis.hget(toKey(id), 'data')));
  return jobs.flatMap((data) => (data === null ? [] : eventsOf(parsed(data))));
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
