import type { Cluster, Redis } from 'ioredis';

/** What a connection needs of a logger. */
export interface OutageLogger {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
}

interface Outage {
  sinceMs: number;
  /** Clients without this server, and when each was last heard trying. */
  down: Map<object, number>;
}

/** A lost connection tries again about once a second; one that is silent for so long was closed, which it does not always tell. */
const GIVEN_UP_MS = 10_000;

/** The connections of one process to one server share one outage: a line when the first loses it, a line when the last has it back. */
class Outages {
  static readonly #all = new WeakMap<OutageLogger, Outages>();
  readonly #byServer = new Map<string, Outage>();

  readonly #logger: OutageLogger;

  private constructor(logger: OutageLogger) {
    this.#logger = logger;
  }

  static of(logger: OutageLogger): Outages {
    const outages = Outages.#all.get(logger) ?? new Outages(logger);
    Outages.#all.set(logger, outages);
    return outages;
  }

  lost(server: string, who: object, connection: string, error?: unknown): void {
    const outage = this.#byServer.get(server);
    if (outage !== undefined) {
      outage.down.set(who, Date.now());
      return;
    }
    this.#byServer.set(server, { sinceMs: Date.now(), down: new Map([[who, Date.now()]]) });
    this.#logger.warn({ server, connection, err: error }, 'Redis is unreachable');
  }

  recovered(server: string, who: object, connection: string): void {
    const outage = this.left(server, who);
    if (outage !== null) this.#logger.info({ server, connection, down_ms: Date.now() - outage.sinceMs }, 'Redis is back');
  }

  /** Takes no part any more, as after a close on purpose. Returns the outage if it is over with that. */
  left(server: string, who: object): Outage | null {
    const outage = this.#byServer.get(server);
    if (!outage?.down.delete(who)) return null;
    if ([...outage.down.values()].some((triedMs) => Date.now() - triedMs < GIVEN_UP_MS)) return null;
    this.#byServer.delete(server);
    return outage;
  }
}

/**
 * Logs that a server is unreachable once when the first connection of this process to it is lost, and that it is back once when the last
 * one is. A connection that was closed on purpose takes no part.
 */
export function followOutages(redis: Redis, name: string, logger: OutageLogger): void {
  const outages = Outages.of(logger);
  /** Usually one; the subscriber of a cluster tries one after the other. */
  const tried = new Set<string>();
  const lost = (error?: unknown): void => {
    tried.add(serverOf(redis));
    outages.lost(serverOf(redis), redis, name, error);
  };
  const leave = (): void => {
    for (const server of tried) outages.left(server, redis);
    tried.clear();
  };
  redis.on('error', lost);
  redis.on('reconnecting', () => lost());
  redis.on('ready', () => {
    tried.delete(serverOf(redis));
    outages.recovered(serverOf(redis), redis, name);
    leave();
  });
  redis.on('end', leave);
}

/** The same for every node of a cluster. A node that no longer belongs to it takes no part. */
export function followClusterOutages(cluster: Cluster, name: string, logger: OutageLogger): void {
  const outages = Outages.of(logger);
  const down = new Set<string>();
  const lost = (server: string, error?: unknown): void => {
    down.add(server);
    outages.lost(server, cluster, name, error);
  };
  cluster.on('+node', (node: Redis) => {
    const server = serverOf(node);
    node.on('error', (error: unknown) => lost(server, error));
    node.on('end', () => {
      if (cluster.status === 'ready' && serversIn(cluster).has(server)) lost(server);
    });
    node.on('ready', () => {
      down.delete(server);
      outages.recovered(server, cluster, name);
    });
  });
  // Nodes that were asked for the others, over a connection of its own.
  cluster.on('node error', (error: unknown, server: string) => lost(server, error));
  cluster.on('error', () => undefined); // its nodes' errors say more
  const leave = (stays: ReadonlySet<string>): void => {
    for (const server of down) {
      if (stays.has(server)) continue;
      down.delete(server);
      const outage = outages.left(server, cluster);
      if (outage !== null && stays.size > 0) logger.info({ server, connection: name, down_ms: Date.now() - outage.sinceMs }, 'the Redis cluster goes on without this node');
    }
  };
  cluster.on('refresh', () => down.size > 0 && leave(serversIn(cluster)));
  cluster.on('end', () => leave(new Set()));
}

/** `host:port` of every node that holds slots, or is a replica of one that does. */
export function serversIn(cluster: Cluster): Set<string> {
  return new Set([...new Set(cluster.slots)].flatMap((servers) => servers ?? []));
}

/** Host and port only: a URL may hold a password. */
function serverOf(redis: Redis): string {
  return `${redis.options.host ?? 'localhost'}:${redis.options.port ?? 6379}`;
}
