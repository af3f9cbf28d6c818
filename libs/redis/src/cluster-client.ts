import { Cluster, type Command, type Redis, type RedisOptions } from 'ioredis';
import type { RedisAddress } from './address.ts';
import { failFastAfterFirstAttempt } from './connection-policy.ts';
import { followClusterOutages, type OutageLogger } from './outages.ts';

/** How often a cluster is asked anew for its nodes while one of them is away: another may have taken its place. */
const LOOK_MS = 500;
/** And how often in quiet times. */
const REFRESH_MS = 10_000;
/** When no node has answered for so long, the cluster is looked for where it was first: all its addresses may have changed. */
const START_ANEW_MS = 5000;
/** Without a replica's promotion a slot may stay without a master for long; who can wait asks again after this. */
const RETRY_MS = 100;

export interface ClusterClientOptions {
  role: 'commands' | 'blocking';
  name: string;
  logger: OutageLogger;
  commandTimeoutMs: number;
}

/** A client of a cluster, with the policy of its role for each node: connections to nodes come back by themselves, as that to a single Redis does. */
export function openCluster(address: RedisAddress, connection: RedisOptions, o: ClusterClientOptions): Cluster {
  const { retryStrategy = null, ...redisOptions } = connection;
  const isPatient = o.role === 'blocking';
  const cluster = new Cluster(address.nodes, {
    // A certificate names the host, so names are not replaced by addresses; and each connection looks them up anew.
    dnsLookup: (name, found) => found(null, name),
    clusterRetryStrategy: (times) => Math.min(50 * 2 ** Math.min(times, 5), 1000),
    clusterNodeRetryStrategy: retryStrategy,
    retryDelayOnFailover: isPatient ? RETRY_MS : 0,
    retryDelayOnClusterDown: isPatient ? RETRY_MS : 0,
    slotsRefreshInterval: REFRESH_MS,
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
  lookForNodes(cluster);
  return cluster;
}

/** Commands wait for the first attempt to find the cluster, and then for the first to connect to their node; from then on they fail at once. */
function failFast(cluster: Cluster, commandTimeoutMs: number): void {
  cluster.on('+node', (node: Redis) => {
    failFastAfterFirstAttempt(node);
    // Connected before it is needed, but for replicas, which nobody asks.
    if (node.status === 'wait' && node.options.readOnly !== true) node.connect().catch(() => undefined); // logged as an outage
  });
  const found = Promise.withResolvers<void>();
  let isOpening = true;
  cluster.once('ready', found.resolve);
  cluster.once('close', found.resolve);
  void found.promise.then(() => {
    isOpening = false;
  });
  const send = cluster.sendCommand.bind(cluster);
  cluster.sendCommand = (command: Command, stream, node: unknown) => {
    if (command.name === 'cluster') return send(command, stream, node); // how it is found in the first place
    command.setTimeout(commandTimeoutMs);
    if (isOpening) {
      void found.promise.then(() => cluster.sendCommand(command, stream, node));
    } else if (!command.isSettled) {
      if (cluster.status === 'ready') return send(command, stream, node ?? (stream === undefined ? anyNodeFor(cluster, command) : undefined));
      command.reject(new Error('there is no connection to the Redis cluster'));
    }
    return command.promise;
  };
}

/** A command without keys may go anywhere: to a node that is there, as long as there is one. */
function anyNodeFor(cluster: Cluster, command: Command): { slot: null; redis: Redis } | undefined {
  if ((command.getSlot() as number | null) !== null) return undefined;
  const up = cluster.nodes('master').filter((node) => node.status === 'ready');
  const redis = up[Math.floor(Math.random() * up.length)];
  return redis && { slot: null, redis };
}

/** ioredis learns of changes by redirections only, which a node that is away cannot give. */
function lookForNodes(cluster: Cluster): void {
  let silentSinceMs: number | null = null;
  const look = (): void => {
    const isWhole = cluster.nodes('master').every(({ status }) => status === 'ready' || status === 'wait');
    if (cluster.status !== 'ready' || isWhole) {
      silentSinceMs = null;
      return;
    }
    cluster.refreshSlotsCache((error) => {
      if (error == null) silentSinceMs = null;
      else silentSinceMs ??= Date.now();
      if (silentSinceMs === null || Date.now() - silentSinceMs < START_ANEW_MS || cluster.status !== 'ready') return;
      silentSinceMs = null;
      cluster.disconnect(true);
    });
  };
  const timer = setInterval(look, LOOK_MS).unref();
  cluster.once('end', () => clearInterval(timer));
}
