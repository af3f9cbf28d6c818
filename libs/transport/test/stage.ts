import 'reflect-metadata';
import { Controller, Module, type INestMicroservice } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Ctx, EventPattern, MessagePattern, Payload, type CustomStrategy } from '@nestjs/microservices';
import { trace } from '@opentelemetry/api';
import { DejaError } from '@deja/contracts';
import { eventually, RedisProcess } from '@deja/testing';
import { RpcErrorFilter, StreamsClient, StreamsContext, StreamsServer, type StreamsClientOptions, type StreamsLogger, type StreamsServerOptions } from '../src/index.ts';

export const silent = { info: () => undefined, warn: () => undefined, error: () => undefined };

export const until = (condition: () => boolean | Promise<boolean>): Promise<true> => eventually(String(condition), condition);

export const REQUESTS = 'deja:rpc:{router}';
export const EVENTS = 'deja:events:{router}';
export const DEAD = 'deja:events:{router}:dead';
export const GROUP = 'router';

interface Numbered {
  n: string;
}

/** What the handlers of one replica saw, and what holds them back. */
export class Seen {
  readonly handled: string[] = [];
  readonly begun: string[] = [];
  readonly aborted: string[] = [];
  readonly traceIds: (string | undefined)[] = [];
  running = 0;
  mostRunning = 0;
  failures = 0;
  #gate = Promise.withResolvers<void>();

  /** Lets `held` and `held_event` go on. */
  release(): void {
    this.#gate.resolve();
  }

  /** Resolves after `release`; rejects when the signal aborts. */
  async held(n: string, context: StreamsContext | null): Promise<void> {
    this.begun.push(n);
    this.mostRunning = Math.max(this.mostRunning, ++this.running);
    const aborted = Promise.withResolvers<never>();
    context?.signal.addEventListener('abort', () => {
      this.aborted.push(n);
      aborted.reject(context.signal.reason);
    });
    try {
      await (context ? Promise.race([this.#gate.promise, aborted.promise]) : this.#gate.promise);
      this.handled.push(n);
    } finally {
      this.running--;
    }
  }
}

function controllerFor(seen: Seen): new () => object {
  @Controller()
  class Handlers {
    @MessagePattern('echo')
    echo(@Payload() data: Numbered): object {
      seen.handled.push(data.n);
      seen.traceIds.push(trace.getActiveSpan()?.spanContext().traceId);
      return { echoed: data.n };
    }

    @MessagePattern('nothing')
    nothing(@Payload() data: Numbered): void {
      seen.handled.push(data.n);
    }

    @MessagePattern('held')
    async held(@Payload() data: Numbered, @Ctx() context: StreamsContext): Promise<string> {
      await seen.held(data.n, context);
      return 'done';
    }

    @MessagePattern('deaf')
    async deaf(@Payload() data: Numbered): Promise<void> {
      await seen.held(data.n, null);
    }

    @MessagePattern('deadline')
    deadline(@Payload() _data: unknown, @Ctx() context: StreamsContext): object {
      return { deadlineMs: context.deadlineMs, deliveries: context.deliveries };
    }

    @MessagePattern('refuse')
    refuse(@Payload() _data: unknown): never {
      throw new DejaError('budget_exceeded', 'no money left', { param: 'model', retryAfterMs: 7, type: 'tokens', retry: true, cause: new Error('inner secret') });
    }

    @MessagePattern('crash')
    crash(@Payload() _data: unknown): never {
      throw new Error('internal detail');
    }

    @EventPattern('event')
    event(@Payload() data: Numbered): void {
      seen.handled.push(data.n);
      seen.traceIds.push(trace.getActiveSpan()?.spanContext().traceId);
    }

    @EventPattern('held_event')
    async heldEvent(@Payload() data: Numbered, @Ctx() context: any): Promise<void> {
      await seen.held(data.n, context);
    }

    @EventPattern('poison')
    poison(@Payload() data: Numbered): void {
      seen.failures++;
      throw data.n === 'public' ? new DejaError('invalid_value', 'a public reason') : new TypeError('an internal secret');
    }
  }
  return Handlers;
}

export interface Replica {
  app: INestMicroservice;
  seen: Seen;
}

export type Logged = Record<'info' | 'warn' | 'error', string[]>;

/** Keeps what was logged. */
export function recorder(): { logger: StreamsLogger; logged: Logged } {
  const logged: Logged = { info: [], warn: [], error: [] };
  return {
    logged,
    logger: { info: (_, text) => void logged.info.push(text), warn: (_, text) => void logged.warn.push(text), error: (_, text) => void logged.error.push(text) },
  };
}

/** One Redis, and replicas and clients that come and go with each test. */
export class Stage {
  redis!: RedisProcess;
  /** Where replicas and clients connect to, unless their options say it. */
  redisUrl = '';
  readonly #running: { seen?: Seen; close(): Promise<unknown> }[] = [];

  async open(): Promise<void> {
    this.redis = await RedisProcess.start();
    this.redisUrl = this.redis.url;
  }

  async clear(): Promise<void> {
    await this.leave();
    await this.redis.client.flushall();
  }

  /** Closes the replicas and clients of a test. */
  async leave(): Promise<void> {
    for (const one of this.#running) one.seen?.release();
    for (const one of this.#running.splice(0)) await one.close();
  }

  async close(): Promise<void> {
    await this.redis.stop();
  }

  /** A replica that takes messages. */
  async replica(options: Partial<StreamsServerOptions> = {}): Promise<Replica> {
    const seen = new Seen();
    @Module({ controllers: [controllerFor(seen)] })
    class App {}
    const app = await NestFactory.createMicroservice<CustomStrategy>(App, {
      strategy: new StreamsServer({ service: 'router', redisUrl: this.redisUrl, logger: silent, claimIdleMs: 150, blockMs: 300, drainMs: 3000, ...options }),
      logger: false,
    });
    app.useGlobalFilters(new RpcErrorFilter(silent));
    await app.listen();
    this.#running.push({ seen, close: () => app.close() });
    return { app, seen };
  }

  /** A client whose connection stands. */
  async client(options: Partial<StreamsClientOptions> = {}): Promise<StreamsClient> {
    const made = this.unconnected(options);
    await made.connect();
    return made;
  }

  unconnected(options: Partial<StreamsClientOptions> = {}): StreamsClient {
    const made = new StreamsClient({ service: 'router', redisUrl: this.redisUrl, logger: silent, ...options });
    this.#running.push(made);
    return made;
  }

  backlog(): Promise<number> {
    return this.redis.client.xlen(EVENTS);
  }

  /** Names of the seats in a group. */
  async seats(key: string): Promise<string[]> {
    return ((await this.redis.client.xinfo('CONSUMERS', key, GROUP)) as string[][]).map((fields) => fields[1] ?? '');
  }

  /** Events that were set aside: field → value. */
  async dead(): Promise<Record<string, string>[]> {
    const entries = await this.redis.client.xrange(DEAD, '-', '+');
    return entries.map(([, fields]) => Object.fromEntries(fields.flatMap((name, i) => (i % 2 === 0 ? [[name, fields[i + 1] ?? '']] : []))));
  }
}

export const names = (count: number): string[] => Array.from({ length: count }, (_, i) => `m${i}`);
export const sorted = (list: string[]): string[] => list.toSorted((a, b) => a.localeCompare(b));
