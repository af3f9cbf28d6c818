import { Redis, type RedisOptions } from 'ioredis';
import { followOutages, type OutageLogger } from './outages.ts';

export type RedisRole = 'commands' | 'blocking' | 'subscriber';

export interface OpenRedisOptions {
  role: RedisRole;
  /** Who is connected: for `CLIENT LIST` and the log. */
  name: string;
  logger: OutageLogger;
  /** `commands` only: how long a command may take before it is given up. Milliseconds, 2000 by default. */
  commandTimeoutMs?: number;
  /**
   * How long Redis may be silent while a reply is due before the connection is given up and made anew; finds a peer that
   * vanished without a word. Milliseconds; for `commands` 5000 or more by default, for the others none: a blocking
   * command may rightly take for ever, so only its caller can know.
   */
  silenceMs?: number;
}

const CONNECT_TIMEOUT_MS = 2000;
const DISCONNECT_TIMEOUT_MS = 500;
const KEEP_ALIVE_MS = 10_000;
const COMMAND_TIMEOUT_MS = 2000;
const LEAST_SILENCE_MS = 5000;

/**
 * A connection with the policy of its role, which opens in the background and comes back by itself. `commands` wait for
 * the first attempt to connect and from then on fail at once while there is no connection; `blocking` waits as long as
 * Redis takes; `subscriber` subscribes again after an outage. An outage is logged once per process and server when it
 * begins and once when it ends.
 */
export function openRedis(url: string, options: OpenRedisOptions): Redis {
  const redis = new Redis(url, { ...policy(options), connectionName: options.name });
  followOutages(redis, options.name, options.logger);
  if (options.role === 'commands') {
    const failFast = (): void => {
      redis.options.enableOfflineQueue = false;
    };
    redis.once('ready', failFast);
    redis.once('close', failFast);
  }
  if (options.role === 'subscriber') tolerateLostSubscriptions(redis);
  return redis;
}

/**
 * After an outage ioredis subscribes again by itself, and when the connection breaks at that moment too, nobody holds the
 * promise: the process would end over an unhandled rejection, although the next connection subscribes once more.
 */
function tolerateLostSubscriptions(redis: Redis): void {
  const subscribe = redis.subscribe.bind(redis) as (...args: unknown[]) => Promise<unknown>;
  const tolerant = (...args: unknown[]): Promise<unknown> => {
    const subscribed = subscribe(...args);
    subscribed.catch(() => undefined); // who awaits it still learns of it
    return subscribed;
  };
  redis.subscribe = tolerant as Redis['subscribe'];
}

function policy({ role, commandTimeoutMs = COMMAND_TIMEOUT_MS, silenceMs }: OpenRedisOptions): RedisOptions {
  const common: RedisOptions = {
    connectTimeout: CONNECT_TIMEOUT_MS,
    disconnectTimeout: DISCONNECT_TIMEOUT_MS,
    keepAlive: KEEP_ALIVE_MS,
    retryStrategy: (times) => Math.min(50 * 2 ** Math.min(times, 5), 1000),
    ...(silenceMs !== undefined && { socketTimeout: silenceMs }),
  };
  if (role === 'commands') {
    return {
      ...common,
      enableAutoPipelining: true,
      maxRetriesPerRequest: 0,
      commandTimeout: commandTimeoutMs,
      socketTimeout: silenceMs ?? Math.max(2 * commandTimeoutMs, LEAST_SILENCE_MS),
    };
  }
  if (role === 'blocking') return { ...common, maxRetriesPerRequest: null };
  return { ...common, maxRetriesPerRequest: null, autoResubscribe: true };
}

/** Whether a command sent now has a connection to go to. */
export const isUp = (redis: Redis): boolean => redis.status === 'ready';

/** Resolves when the connection stands; rejects when it does not within `deadlineMs`. */
export async function whenReady(redis: Redis, deadlineMs: number): Promise<void> {
  if (isUp(redis)) return;
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const timer = setTimeout(() => reject(new Error(`Redis did not answer within ${deadlineMs} ms`)), deadlineMs);
  const ended = (): void => reject(new Error('the connection to Redis was closed'));
  redis.once('ready', resolve);
  redis.once('end', ended);
  try {
    await promise;
  } finally {
    clearTimeout(timer);
    redis.off('ready', resolve);
    redis.off('end', ended);
  }
}
