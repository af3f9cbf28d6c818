import { Command, type Redis } from 'ioredis';
import { isCluster, type RedisClient } from './client.ts';
import { encodedCommand, type Value } from './encoded-command.ts';

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

/** The error of a command, or what it answered. */
export type PipelineReply = [error: Error | null, value: unknown];

/**
 * A pipeline on one Redis, or on a cluster. There every command goes to the node of its keys at once, none waits for another, and each is
 * redirected by itself where a slot has moved; commands of one node keep their order.
 */
export function openPipeline(client: RedisClient): Pipeline {
  return new SentTogether(client);
}

/** As text, or as the bytes that they are. */
type ReplyEncoding = 'utf8' | null;

/**
 * Not ioredis's own pipeline, which costs more than twice the processor time (docs/performance.md) and on a cluster refuses commands of different
 * nodes: each command is sent by itself, and what is sent to one server within one turn of the event loop, by whomever, leaves in one write.
 */
class SentTogether implements Pipeline {
  private readonly client: RedisClient;
  private readonly isOne: boolean;
  private commands: Command[] = [];

  constructor(client: RedisClient) {
    this.client = client;
    this.isOne = !isCluster(client);
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
    const { commands, client } = this;
    this.commands = [];
    if (commands.length === 0) return Promise.resolve([]);
    const replied = allReplies(commands, isCluster(client) ? null : (client.options.commandTimeout ?? null));
    if (!isCluster(client)) gatherWrites(client);
    for (const command of commands) void client.sendCommand(command);
    return replied;
  }

  private add(name: string, args: Value[], replyEncoding: ReplyEncoding = 'utf8'): this {
    this.commands.push(this.isOne ? new Plain(name, args, { replyEncoding }) : new Command(name, args, { replyEncoding }));
    return this;
  }
}

/**
 * One of a pipeline's commands. The pipeline watches the clock for all: a timer for each took a third of what sending them takes. None of them
 * blocks, and their values are plain: what ioredis does for others, it need not do for these.
 */
class Plain extends Command {
  private readonly values: Value[];

  constructor(name: string, values: Value[], options: { replyEncoding: ReplyEncoding }) {
    super(name, [], options);
    this.values = values;
    this.args = values; // for whoever shows or redirects it
  }

  override setTimeout(): void {
    // Never.
  }

  override extractBlockingTimeout(): undefined {
    return undefined;
  }

  override toWritable(): string | Buffer {
    return encodedCommand(this.name, this.values);
  }
}

/** @param deadlineMs null: each command has its own */
function allReplies(commands: readonly Command[], deadlineMs: number | null): Promise<PipelineReply[]> {
  return new Promise((resolve) => {
    const replies = Array.from<PipelineReply>({ length: commands.length });
    let left = commands.length;
    const late = (): void => {
      for (const command of commands) command.reject(new Error('Command timed out'));
    };
    const timer = deadlineMs === null ? undefined : setTimeout(late, deadlineMs);
    const take = (at: number, reply: PipelineReply): void => {
      replies[at] = reply;
      left -= 1;
      if (left > 0) return;
      clearTimeout(timer);
      resolve(replies);
    };
    for (const [at, { promise }] of commands.entries()) promise.then((value: unknown) => take(at, [null, value]), (error: unknown) => take(at, [asError(error), undefined]));
  });
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

const asError = (reason: unknown): Error => (reason instanceof Error ? reason : new Error(String(reason)));
