import type { Redis } from 'ioredis';

/** What a connection needs of a logger. */
export interface OutageLogger {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
}

interface Outage {
  sinceMs: number;
  /** Connections without Redis, and when each was last heard trying. */
  down: Map<Redis, number>;
}

/** A lost connection tries again about once a second; one that is silent for so long was closed, which it does not always tell. */
const GIVEN_UP_MS = 10_000;

/** By logger and then by server: the connections of one process to one Redis share one outage. */
const outages = new WeakMap<OutageLogger, Map<string, Outage>>();

/**
 * Logs that Redis is unreachable once when the first connection of this process to that server is lost, and that it is
 * back once when the last one is. A connection that was closed on purpose takes no part.
 */
export function followOutages(redis: Redis, name: string, logger: OutageLogger): void {
  const byServer = outages.get(logger) ?? new Map<string, Outage>();
  outages.set(logger, byServer);
  const server = serverOf(redis);

  const lost = (error: unknown): void => {
    const outage = byServer.get(server);
    if (outage !== undefined) {
      outage.down.set(redis, Date.now());
      return;
    }
    byServer.set(server, { sinceMs: Date.now(), down: new Map([[redis, Date.now()]]) });
    logger.warn({ server, connection: name, err: error }, 'Redis is unreachable');
  };
  const recovered = (): void => {
    const outage = leave();
    if (outage) logger.info({ server, connection: name, down_ms: Date.now() - outage.sinceMs }, 'Redis is back');
  };
  /** The outage, if it is over with this connection. */
  const leave = (): Outage | undefined => {
    const outage = byServer.get(server);
    if (!outage?.down.delete(redis)) return undefined;
    const stillTrying = [...outage.down.values()].some((triedMs) => Date.now() - triedMs < GIVEN_UP_MS);
    if (stillTrying) return undefined;
    byServer.delete(server);
    return outage;
  };

  redis.on('error', lost);
  redis.on('reconnecting', () => lost(undefined));
  redis.on('ready', recovered);
  redis.on('end', leave);
}

/** Host and port only: a URL may hold a password. */
function serverOf(redis: Redis): string {
  return `${redis.options.host ?? 'localhost'}:${redis.options.port ?? 6379}`;
}
