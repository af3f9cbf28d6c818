import { Cluster, type Command, type Redis, type RedisOptions } from 'ioredis';
import type { RedisAddress } from './address.ts';
import { followClusterOutages, serversIn, type OutageLogger } from './outages.ts';

/** How often a cluster is asked anew for its nodes while one of them is away: it may be back, or another in its place. */
const LOOK_MS = 500;
/** And how often in quiet times. */
const REFRESH_MS = 10_000;
/** Who can wait for a master that is away asks again after this. */
const RETRY_MS = 100;

export interface ClusterClientOptions {
  role: 'commands' | 'blocking';
  name: string;
  logger: OutageLogger;
  commandTimeoutMs: number;
}

/** A client of a cluster, with the policy of its role for each of its nodes. */
export function openCluster(address: RedisAddress, connection: RedisOptions, o: ClusterClientOptions): Cluster {
  const { retryStrategy: _ofOneServer, ...redisOptions } = connection;
  const isPatient = o.role === 'blocking';
  const cluster = new Cluster(address.nodes, {
    // A certificate names the host, so names are not replaced by addresses; and each connection looks them up anew.
    dnsLookup: (name, found) => found(null, name),
    clusterRetryStrategy: (times) => Math.min(50 * 2 ** Math.min(times, 5), 1000),
    slotsRefreshInterval: REFRESH_MS,
    retryDelayOnFailover: isPatient ? RETRY_MS : 0,
    retryDelayOnClusterDown: isPatient ? RETRY_MS : 0,
    ...(isPatient && { maxRedirections: Infinity }),
    redisOptions: {
      ...redisOptions,
      // A pipeline made up by ioredis fails as a whole where one slot has moved.
      enableAutoPipelining: false,
      ...(address.username !== null && { username: address.username }),
      ...(address.password !== null && { password: address.password }),
      ...(address.tls && { tls: {} }),
    },
  });
  followClusterOutages(cluster, o.name, o.logger);
  if (o.role === 'commands') failFast(cluster, o.commandTimeoutMs);
  return cluster;
}

/**
 * Commands wait for the first attempt to find the cluster, and each for the first to connect to its node. From then on those for a node
 * that is away fail at once: ioredis would try to connect for each.
 */
function failFast(cluster: Cluster, commandTimeoutMs: number): void {
  const away = nodesAway(cluster);
  const found = Promise.withResolvers<void>();
  let isOpening = true;
  cluster.once('ready', found.resolve);
  cluster.once('close', found.resolve);
  void found.promise.then(() => {
    isOpening = false;
  });
  const send = cluster.sendCommand.bind(cluster);
  cluster.sendCommand = (command: Command, stream, node?: Destination) => {
    if (command.name === 'cluster') return send(command, stream, node); // how it is found in the first place
    command.setTimeout(commandTimeoutMs);
    if (isOpening) {
      void found.promise.then(() => void cluster.sendCommand(command, stream, node));
      return command.promise;
    }
    if (command.isSettled) return command.promise;
    const slot = node === undefined ? (command.getSlot() as number | null) : node.slot;
    const server = slot === null ? undefined : cluster.slots[slot]?.[0];
    if (cluster.status === 'ready' && (server === undefined || !away.has(server))) {
      return send(command, stream, node ?? (slot === null ? anyNode(cluster) : undefined));
    }
    command.reject(new Error(`there is no connection to Redis at ${server ?? 'any node of the cluster'}`));
    return command.promise;
  };
}

/** Where a pipeline of ioredis's own goes. */
interface Destination {
  slot: number | null;
  redis?: Redis;
}

/** A command without keys may go anywhere: to a node that is there, as long as there is one. */
function anyNode(cluster: Cluster): Destination | undefined {
  const up = cluster.nodes('master').filter((node) => node.status === 'ready');
  const redis = up[Math.floor(Math.random() * up.length)];
  return redis && { slot: null, redis };
}

/**
 * The servers that could not be connected to when it was last tried. Every node is connected to before it is needed, and again and again
 * while it is away, as long as the cluster counts it as one of its own.
 */
function nodesAway(cluster: Cluster): ReadonlySet<string> {
  const away = new Set<string>();
  cluster.on('+node', (node: Redis) => {
    const server = `${node.options.host}:${node.options.port}`;
    node.on('ready', () => away.delete(server));
    node.on('end', () => {
      if (cluster.status === 'ready') away.add(server);
    });
    if (node.status === 'wait') node.connect().catch(() => undefined); // logged as an outage
  });
  cluster.on('refresh', () => {
    if (away.size === 0) return;
    const servers = serversIn(cluster);
    for (const server of away) if (!servers.has(server)) away.delete(server);
  });
  // ioredis itself asks after a redirection only, which a node that is away cannot give.
  const timer = setInterval(() => {
    if (away.size > 0 && cluster.status === 'ready') cluster.refreshSlotsCache();
  }, LOOK_MS).unref();
  cluster.once('end', () => clearInterval(timer));
  return away;
}
