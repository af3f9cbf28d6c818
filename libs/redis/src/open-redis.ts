import { Redis, type RedisOptions } from 'ioredis';

export type RedisRole = 'commands' | 'blocking' | 'subscriber';

/** What a connection needs of a logger. */
export interface OutageLogger {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
}

export interface OpenRedisOptions {
  role: RedisRole;
  /** Who is connected: for `CLIENT LIST` and the log. */
  name: string;
  logger: OutageLogger;
  /** `commands` only: how long a command may take before it is given up. Milliseconds, 2000 by default. */
  commandTimeoutMs?: number;
}

const CONNECT_TIMEOUT_MS = 2000;
const KEEP_ALIVE_MS = 10_000;

/**
 * A connection with the policy of its role, which opens in the background and comes back by itself. `commands` fail at
 * once while there is no connection; `blocking` waits as long as Redis takes; `subscriber` subscribes again after an
 * outage. An outage is logged once when it begins and once when it ends.
 */
export function openRedis(url: string, options: OpenRedisOptions): Redis {
  const redis = new Redis(url, { ...policy(options), connectionName: options.name });
  followOutages(redis, options);
  return redis;
}

function policy({ role, commandTimeoutMs }: OpenRedisOptions): RedisOptions {
  const common: RedisOptions = {
    connectTimeout: CONNECT_TIMEOUT_MS,
    keepAlive: KEEP_ALIVE_MS,
    retryStrategy: (times) => Math.min(50 * 2 ** Math.min(times, 5), 1000),
  };
  if (role === 'commands') return { ...common, enableOfflineQueue: false, enableAutoPipelining: true, maxRetriesPerRequest: 0, commandTimeout: commandTimeoutMs ?? 2000 };
  if (role === 'blocking') return { ...common, maxRetriesPerRequest: null };
  return { ...common, maxRetriesPerRequest: null, autoResubscribe: true };
}

function followOutages(redis: Redis, { name, logger }: OpenRedisOptions): void {
  let downSinceMs: number | null = null;
  const lost = (error: unknown): void => {
    if (downSinceMs !== null) return;
    downSinceMs = Date.now();
    logger.warn({ connection: name, err: error }, 'Redis is unreachable');
  };
  redis.on('error', lost);
  redis.on('close', () => {
    if (redis.status !== 'end') lost(undefined);
  });
  redis.on('ready', () => {
    if (downSinceMs !== null) logger.info({ connection: name, down_ms: Date.now() - downSinceMs }, 'Redis is back');
    downSinceMs = null;
  });
}

/** Whether a command sent now has a connection to go to. */
export const isUp = (redis: Redis): boolean => redis.status === 'ready';

/** Resolves when the connection stands; rejects when it does not within `deadlineMs`. */
export async function whenReady(redis: Redis, deadlineMs: number): Promise<void> {
  if (isUp(redis)) return;
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const timer = setTimeout(() => reject(new Error(`Redis did not answer within ${deadlineMs} ms`)), deadlineMs);
  redis.once('ready', resolve);
  try {
    await promise;
  } finally {
    clearTimeout(timer);
    redis.off('ready', resolve);
  }
}
