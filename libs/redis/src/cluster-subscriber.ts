import { Redis, type RedisOptions } from 'ioredis';
import type { RedisAddress, RedisNode } from './address.ts';
import { tolerateLostSubscriptions } from './connection-policy.ts';
import { followOutages, type OutageLogger } from './outages.ts';

/**
 * A subscriber of a cluster: every node passes on what is published at any of them, so one connection to one of them hears all. When it
 * breaks, the next node is tried; unlike ioredis's own subscriber of a cluster it tells of the break, so that who listens knows that
 * something may have been missed.
 */
export function openClusterSubscriber(address: RedisAddress, connection: RedisOptions, who: { name: string; logger: OutageLogger }): Redis {
  let known: RedisNode[] = address.nodes;
  let next = Math.floor(Math.random() * known.length); // not all processes at the same node
  const choose = (): RedisNode => known[next++ % known.length] ?? address.nodes[0];
  const redis = new Redis({
    ...connection,
    ...choose(),
    ...(address.username !== null && { username: address.username }),
    ...(address.password !== null && { password: address.password }),
    ...(address.tls && { tls: {} }),
  });
  followOutages(redis, who.name, who.logger);
  tolerateLostSubscriptions(redis);
  redis.on('ready', () => {
    void nodesOfCluster(redis).then((nodes) => {
      known = [...nodes, ...address.nodes];
    }, () => undefined); // those known so far will do
  });
  // After the outage was noted, and before the next attempt, which reads these.
  redis.on('reconnecting', () => void Object.assign(redis.options, choose()));
  return redis;
}

type Slots = [from: number, to: number, ...nodes: [host: string | null, port: number, ...unknown[]][]][];

/** Asked over a connection of its own: one that is subscribed takes no other commands. */
async function nodesOfCluster(redis: Redis): Promise<RedisNode[]> {
  const asking = redis.duplicate({ enableOfflineQueue: true, retryStrategy: () => null, maxRetriesPerRequest: 0 });
  asking.on('error', () => undefined); // the command fails too
  try {
    const slots = (await asking.cluster('SLOTS')) as Slots;
    const nodes = slots.flatMap(([, , ...at]) => at).flatMap(([host, port]) => (host === null || host === '' ? [] : [{ host, port }]));
    return [...new Map(nodes.map((node) => [`${node.host}:${node.port}`, node])).values()];
  } finally {
    asking.disconnect();
  }
}
