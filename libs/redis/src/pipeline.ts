import { Command, type Cluster, type Redis } from 'ioredis';
import { isCluster, type RedisClient } from './client.ts';
import type { Value } from './encoded-command.ts';
import { asError, GatheredCommand, Replies, type PipelineReply, type ReplyEncoding } from './gathered-command.ts';

export type { PipelineReply } from './gathered-command.ts';

/** Commands that travel together. */
export interface Pipeline {
  hset(key: string, ...fieldsAndValues: Value[]): Pipeline;
  hsetnx(key: string, field: string, value: Value): Pipeline;
  hdel(key: string, ...fields: string[]): Pipeline;
  get(key: string): Pipeline;
  getBuffer(key: string): Pipeline;
  getrangeBuffer(key: string, from: number, to: number): Pipeline;
  set(key: string, value: Value, ...options: (string | number)[]): Pipeline;
  strlen(key: string): Pipeline;
  exists(...keys: string[]): Pipeline;
  expire(key: string, seconds: number): Pipeline;
  del(...keys: string[]): Pipeline;
  unlink(...keys: string[]): Pipeline;
  sadd(key: string, ...members: string[]): Pipeline;
  srem(key: string, ...members: string[]): Pipeline;
  scard(key: string): Pipeline;
  evalsha(sha1: string, keys: number, ...keysAndArgs: Value[]): Pipeline;
  /** One reply for each, in their order. Never rejects: a connection that breaks, or takes too long, is the error of each that had no answer by then. */
  exec(): Promise<PipelineReply[]>;
}

/**
 * A pipeline on one Redis, or on a cluster. There every command goes to the node of its keys at once, none waits for another, and each is
 * redirected by itself where a slot has moved; commands of one node keep their order.
 */
export function openPipeline(client: RedisClient): Pipeline {
  return new OpenPipeline(client);
}

interface Queued {
  name: string;
  values: Value[];
  replyEncoding: ReplyEncoding;
}

/**
 * Not ioredis's own pipeline, which costs more than twice the processor time (docs/performance.md) and on a cluster refuses commands of different
 * nodes: each command is sent by itself, and what is sent to one server within one turn of the event loop, by whomever, leaves in one write.
 */
class OpenPipeline implements Pipeline {
  private readonly client: RedisClient;
  private queued: Queued[] = [];

  constructor(client: RedisClient) {
    this.client = client;
  }

  hset(...args: Value[]): this {
    return this.add('hset', args);
  }

  hsetnx(...args: Value[]): this {
    return this.add('hsetnx', args);
  }

  hdel(...args: Value[]): this {
    return this.add('hdel', args);
  }

  get(key: string): this {
    return this.add('get', [key]);
  }

  getBuffer(key: string): this {
    return this.add('get', [key], null);
  }

  getrangeBuffer(...args: Value[]): this {
    return this.add('getrange', args, null);
  }

  set(...args: Value[]): this {
    return this.add('set', args);
  }

  strlen(key: string): this {
    return this.add('strlen', [key]);
  }

  exists(...keys: string[]): this {
    return this.add('exists', keys);
  }

  expire(...args: Value[]): this {
    return this.add('expire', args);
  }

  del(...keys: string[]): this {
    return this.add('del', keys);
  }

  unlink(...keys: string[]): this {
    return this.add('unlink', keys);
  }

  sadd(...args: Value[]): this {
    return this.add('sadd', args);
  }

  srem(...args: Value[]): this {
    return this.add('srem', args);
  }

  scard(key: string): this {
    return this.add('scard', [key]);
  }

  evalsha(...args: Value[]): this {
    return this.add('evalsha', args);
  }

  exec(): Promise<PipelineReply[]> {
    const { queued, client } = this;
    this.queued = [];
    if (queued.length === 0) return Promise.resolve([]);
    return isCluster(client) ? sentApart(client, queued) : sentTogether(client, queued);
  }

  private add(name: string, values: Value[], replyEncoding: ReplyEncoding = 'utf8'): this {
    this.queued.push({ name, values, replyEncoding });
    return this;
  }
}

function sentTogether(client: Redis, queued: readonly Queued[]): Promise<PipelineReply[]> {
  const commands = queued.map(({ name, values, replyEncoding }, at) => new GatheredCommand(name, values, replyEncoding, at));
  const replies = new Replies(commands, client.options.commandTimeout ?? null);
  gatherWrites(client);
  for (const command of commands) {
    command.answerTo(replies);
    void client.sendCommand(command);
  }
  return replies.all;
}

/** Each has its own way, and its own time. */
function sentApart(client: Cluster, queued: readonly Queued[]): Promise<PipelineReply[]> {
  return Promise.all(
    queued.map(({ name, values, replyEncoding }): Promise<PipelineReply> => {
      const command = new Command(name, values, { replyEncoding });
      void client.sendCommand(command);
      return command.promise.then((value: unknown): PipelineReply => [null, value], (error: unknown): PipelineReply => [asError(error), undefined]);
    }),
  );
}

/** Connections whose writes wait for the end of this turn. */
const gathering = new WeakSet<Redis['stream']>();

/** What is sent from now on waits for the end of this turn: a write is a call of the system, dearer than all else about a command, and with many requests in one turn of the event loop they share one. */
export function gatherWrites({ stream }: Redis): void {
  // There is none before the first attempt to connect.
  if ((stream as Redis['stream'] | undefined) === undefined || gathering.has(stream)) return;
  gathering.add(stream);
  stream.cork();
  setImmediate(() => {
    gathering.delete(stream);
    stream.uncork();
  });
}
