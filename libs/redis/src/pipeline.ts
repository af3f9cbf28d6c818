import type { ChainableCommander, Cluster } from 'ioredis';
import { isCluster, type RedisClient } from './client.ts';

/** Commands that travel together; `exec` resolves to one reply for each, in their order. */
export type Pipeline = ChainableCommander;

/** The error of a command, or what it answered. */
export type PipelineReply = [error: Error | null, value: unknown];

/** Not commands of their own, and nothing that could be divided among nodes. */
const INDIVISIBLE = new Set(['multi', 'pipeline', 'watch', 'unwatch', 'subscribe', 'disconnect', 'quit']);

/**
 * A pipeline on one Redis, or on a cluster. There every command goes to the node of its keys at once, none waits for another, and each is
 * redirected by itself where a slot has moved; commands of one node keep their order. `exec` never rejects on a cluster: a node that is
 * away is the error of those commands that needed it.
 */
export function openPipeline(client: RedisClient): Pipeline {
  return isCluster(client) ? clusterPipeline(client) : client.pipeline();
}

type Command = (...args: unknown[]) => Promise<unknown>;

/** ioredis's own pipeline on a cluster refuses commands of different nodes. */
function clusterPipeline(cluster: Cluster): Pipeline {
  const queued: (() => Promise<unknown>)[] = [];
  const exec = async (): Promise<PipelineReply[]> => {
    const replies = await Promise.allSettled(queued.splice(0).map(async (send) => await send()));
    return replies.map((reply) => (reply.status === 'fulfilled' ? [null, reply.value] : [asError(reply.reason), undefined]));
  };
  const pipeline: Pipeline = new Proxy({} as Pipeline, {
    get: (_, name) => {
      if (name === 'exec') return exec;
      if (name === 'length') return queued.length;
      const command: unknown = Reflect.get(cluster, name);
      if (typeof command !== 'function') return undefined;
      if (INDIVISIBLE.has(String(name))) throw new Error(`${String(name)} cannot be part of a pipeline on a cluster`);
      return (...args: unknown[]) => {
        queued.push(() => (command as Command).apply(cluster, args));
        return pipeline;
      };
    },
  });
  return pipeline;
}

const asError = (reason: unknown): Error => (reason instanceof Error ? reason : new Error(String(reason)));
