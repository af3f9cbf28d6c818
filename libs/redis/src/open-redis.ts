import { Redis, type RedisOptions } from 'ioredis';
import { redisAddress } from './address.ts';
import type { RedisClient } from './client.ts';
import { openCluster } from './cluster-client.ts';
import { openClusterSubscriber } from './cluster-subscriber.ts';
import { failFastAfterFirstAttempt, tolerateLostSubscriptions } from './connection-policy.ts';
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
 *
 * The URL may name a cluster (see `redisAddress`). The policy then holds for each node by itself: commands for a master that is away fail
 * at once while those for the others go on. A `subscriber` is one connection to any of the nodes, which all pass on what is published.
 */
export function openRedis(url: string, options: OpenRedisOptions & { role: 'subscriber' }): Redis;
export function openRedis(url: string, options: OpenRedisOptions): RedisClient;
export function openRedis(url: string, options: OpenRedisOptions): RedisClient {
  const { role, name, logger } = options;
  const connection = { ...policy(options), connectionName: name };
  const address = redisAddress(url);
  if (address.isCluster) {
    if (role === 'subscriber') return openClusterSubscriber(address, connection, { name, logger });
    return openCluster(address, connection, { role, name, logger, commandTimeoutMs: options.commandTimeoutMs ?? COMMAND_TIMEOUT_MS });
  }
  const redis = new Redis(url, connection);
  followOutages(redis, name, logger);
  if (role === 'commands') failFastAfterFirstAttempt(redis);
  if (role === 'subscriber') tolerateLostSubscriptions(redis);
  return redis;
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
