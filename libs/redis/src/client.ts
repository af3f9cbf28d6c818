import { Cluster, type Redis } from 'ioredis';

/** One Redis, or a Redis Cluster. Both take the same commands; one with keys in different slots fails on a cluster. */
export type RedisClient = Redis | Cluster;

export const isCluster = (client: RedisClient): client is Cluster => client instanceof Cluster;

/** Whether a command sent now has a connection to go to; of a cluster, whether at least one of its masters has. */
export function isUp(client: RedisClient): boolean {
  return client.status === 'ready' && (!isCluster(client) || nodesOf(client).some(isUp));
}

/** The servers that hold the keys: one, or all masters that are known of. */
export const nodesOf = (client: RedisClient): Redis[] => (isCluster(client) ? client.nodes('master') : [client]);

/** Calls back whenever a connection stands, after each outage again; of a cluster, a connection to any of its nodes. Returns what ends that. */
export function onReady(client: RedisClient, listener: () => void): () => void {
  if (!isCluster(client)) {
    client.on('ready', listener);
    return () => void client.off('ready', listener);
  }
  const follow = (node: Redis): void => void node.on('ready', listener);
  for (const node of client.nodes()) follow(node);
  client.on('+node', follow);
  client.on('ready', listener);
  return () => {
    client.off('+node', follow);
    client.off('ready', listener);
    for (const node of client.nodes()) node.off('ready', listener);
  };
}

/** Resolves when the connection stands; rejects when it does not within `deadlineMs`. */
export async function whenReady(client: RedisClient, deadlineMs: number): Promise<void> {
  if (isUp(client)) return;
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const timer = setTimeout(() => reject(new Error(`Redis did not answer within ${deadlineMs} ms`)), deadlineMs);
  const ended = (): void => reject(new Error('the connection to Redis was closed'));
  const stop = onReady(client, () => {
    if (isUp(client)) resolve();
  });
  client.once('end', ended);
  try {
    await promise;
  } finally {
    clearTimeout(timer);
    stop();
    client.off('end', ended);
  }
}
