import 'reflect-metadata';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { Controller, Module, type INestMicroservice } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Ctx, EventPattern, MessagePattern, Payload, type CustomStrategy } from '@nestjs/microservices';
import { DejaError } from '@deja/contracts';
import { ownRedis, silent, until, type OwnRedis } from './redis-server.ts';
import { RpcErrorFilter } from '../src/rpc-error.filter.ts';
import { StreamsClient } from '../src/streams-client.ts';
import { StreamsContext } from '../src/streams-context.ts';
import { StreamsServer, type StreamsServerOptions } from '../src/streams-server.ts';

interface Seen {
  handled: string[];
  aborted: string[];
  running: number;
  mostRunning: number;
  failures: number;
}

function controllerFor(seen: Seen): new () => object {
  @Controller()
  class Handlers {
    @MessagePattern('echo')
    echo(@Payload() data: { n: string }): object {
      seen.handled.push(data.n);
      return { echoed: data.n };
    }

    @MessagePattern('slow')
    async slow(@Payload() data: { n: string; ms: number }, @Ctx() context: StreamsContext): Promise<string> {
      seen.mostRunning = Math.max(seen.mostRunning, ++seen.running);
      try {
        await delay(data.ms, undefined, { signal: context.signal });
      } catch (error) {
        seen.aborted.push(data.n);
        throw error;
      } finally {
        seen.running--;
      }
      seen.handled.push(data.n);
      return 'done';
    }

    @MessagePattern('refuse')
    refuse(@Payload() _data: unknown): never {
      throw new DejaError('model_not_found', 'no such model', { param: 'model', retryAfterMs: 7, cause: new Error('inner secret') });
    }

    @MessagePattern('crash')
    crash(@Payload() _data: unknown): never {
      throw new Error('internal detail');
    }

    @EventPattern('event')
    event(@Payload() data: { n: string }): void {
      seen.handled.push(data.n);
    }

    @EventPattern('poison')
    poison(@Payload() _data: unknown): void {
      seen.failures++;
      throw new Error('cannot be handled');
    }
  }
  return Handlers;
}

let redis: OwnRedis;
const running: { close(): Promise<unknown> }[] = [];

async function replica(options: Partial<StreamsServerOptions> = {}): Promise<{ app: INestMicroservice; seen: Seen }> {
  const seen: Seen = { handled: [], aborted: [], running: 0, mostRunning: 0, failures: 0 };
  @Module({ controllers: [controllerFor(seen)] })
  class App {}
  const app = await NestFactory.createMicroservice<CustomStrategy>(App, {
    strategy: new StreamsServer({ service: 'router', redisUrl: redis.url, logger: silent, claimIdleMs: 200, blockMs: 500, drainMs: 2000, ...options }),
    logger: false,
  });
  app.useGlobalFilters(new RpcErrorFilter(silent));
  await app.listen();
  running.push(app);
  return { app, seen };
}

async function client(options: { maxEvents?: number } = {}): Promise<StreamsClient> {
  const made = new StreamsClient({ service: 'router', redisUrl: redis.url, logger: silent, ...options });
  running.push(made);
  await made.connect();
  return made;
}

beforeAll(async () => {
  redis = await ownRedis();
});
afterEach(async () => {
  for (const one of running.splice(0)) await one.close();
  await redis.redis.flushall();
});
afterAll(() => redis.stop());

const names = (count: number): string[] => Array.from({ length: count }, (_, i) => `m${i}`);

describe('requests', () => {
  test('with two replicas each is handled by exactly one, and both work', async () => {
    const [a, b, caller] = [await replica(), await replica(), await client()];
    const replies = await Promise.all(names(200).map((n) => caller.call<{ echoed: string }>('echo', { n }, { deadlineMs: 5000 })));
    expect(replies.map((r) => r.echoed)).toEqual(names(200));
    expect([...a.seen.handled, ...b.seen.handled].sort()).toEqual(names(200).sort());
  });

  test('without a server the caller gets its error at the deadline, and a server that comes later does not handle it', async () => {
    const caller = await client();
    await expect(caller.call('echo', { n: 'late' }, { deadlineMs: 50 })).rejects.toMatchObject({ name: 'RpcTimeout' });
    const { seen } = await replica();
    await caller.call('echo', { n: 'in time' }, { deadlineMs: 5000 });
    expect(seen.handled).toEqual(['in time']);
  });

  test('a caller that gives up aborts the handler', async () => {
    const [{ seen }, caller] = [await replica(), await client()];
    const given = new AbortController();
    const call = caller.call('slow', { n: 'x', ms: 60_000 }, { deadlineMs: 60_000, signal: given.signal });
    await until(() => seen.running === 1);
    given.abort();
    await expect(call).rejects.toMatchObject({ name: 'RpcCancelled' });
    await until(() => seen.aborted.length === 1);
  });

  test('the deadline aborts the handler too', async () => {
    const [{ seen }, caller] = [await replica(), await client()];
    await expect(caller.call('slow', { n: 'x', ms: 60_000 }, { deadlineMs: 100 })).rejects.toMatchObject({ name: 'RpcTimeout' });
    await until(() => seen.aborted.length === 1);
  });

  test('a DejaError crosses with its public part; of anything else only that it happened', async () => {
    await replica();
    const caller = await client();
    const error = await caller.call('refuse', {}, { deadlineMs: 5000 }).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(DejaError);
    expect(error).toMatchObject({ code: 'model_not_found', message: 'no such model', param: 'model', retryAfterMs: 7 });
    await expect(caller.call('crash', {}, { deadlineMs: 5000 })).rejects.toMatchObject({ name: 'RpcFailure' });
    await expect(caller.call('nobody handles this', {}, { deadlineMs: 5000 })).rejects.toMatchObject({ name: 'RpcFailure' });
  });

  test('a replica handles no more at once than it may', async () => {
    const [{ seen }, caller] = [await replica({ maxInFlight: 4 }), await client()];
    await Promise.all(names(20).map((n) => caller.call('slow', { n, ms: 5 }, { deadlineMs: 10_000 })));
    expect(seen.handled).toHaveLength(20);
    expect(seen.mostRunning).toBeLessThanOrEqual(4);
  });

  test('a stopping replica answers what it has begun and leaves its seat', async () => {
    const [{ app, seen }, caller] = [await replica(), await client()];
    const call = caller.call('slow', { n: 'begun', ms: 300 }, { deadlineMs: 10_000 });
    await until(() => seen.running === 1);
    await app.close();
    await expect(call).resolves.toBe('done');
    expect(await redis.redis.xinfo('CONSUMERS', 'deja:rpc:{router}', 'router')).toEqual([]);
  });

  test('through Nest’s own client too', async () => {
    await replica();
    const caller = await client();
    expect(await new Promise((resolve, reject) => caller.send('echo', { n: 'nest' }).subscribe({ next: resolve, error: reject }))).toEqual({ echoed: 'nest' });
  });
});

describe('events', () => {
  test('each is handled once by one replica, and leaves nothing behind', async () => {
    const [a, b, sender] = [await replica(), await replica(), await client()];
    await Promise.all(names(200).map((n) => sender.notify('event', { n })));
    await until(() => a.seen.handled.length + b.seen.handled.length >= 200);
    expect([...a.seen.handled, ...b.seen.handled].sort()).toEqual(names(200).sort());
    await until(async () => (await redis.redis.xlen('deja:events:{router}')) === 0);
  });

  test('sent before any replica lives, they wait', async () => {
    const sender = await client();
    await sender.notify('event', { n: 'early' });
    const { seen } = await replica();
    await until(() => seen.handled.includes('early'));
  });

  test('what a dead replica had in hand is handled by another', async () => {
    const sender = await client();
    await redis.redis.xgroup('CREATE', 'deja:events:{router}', 'router', '0', 'MKSTREAM');
    await sender.notify('event', { n: 'orphan' });
    await redis.redis.xreadgroup('GROUP', 'router', 'the-dead', 'COUNT', 10, 'STREAMS', 'deja:events:{router}', '>');
    const { seen } = await replica();
    await until(() => seen.handled.includes('orphan'));
    await until(async () => (await redis.redis.xlen('deja:events:{router}')) === 0);
  });

  test('a poison message is set aside with its reason, and the others go on', async () => {
    const [{ seen }, sender] = [await replica({ maxDeliveries: 2 }), await client()];
    await sender.notify('poison', { n: 'bad' });
    await redis.redis.xadd('deja:events:{router}', '*', 'not', 'a message');
    await sender.notify('event', { n: 'good' });
    await until(() => seen.handled.includes('good'));
    await until(async () => (await redis.redis.xlen('deja:events:{router}:dead')) === 2);
    expect(seen.failures).toBe(2);
    expect(JSON.stringify(await redis.redis.xrange('deja:events:{router}:dead', '-', '+'))).toContain('"reason","Error","deliveries","2"');
    expect(await redis.redis.xlen('deja:events:{router}')).toBe(0);
  });

  test('a full backlog refuses the next one instead of dropping an old one', async () => {
    const sender = await client({ maxEvents: 3 });
    for (const n of names(3)) await sender.notify('event', { n });
    await expect(sender.notify('event', { n: 'too many' })).rejects.toMatchObject({ name: 'RpcUnavailable' });
    const { seen } = await replica();
    await until(() => seen.handled.length === 3);
  });
});

describe('when Redis fails', () => {
  test('a flush takes the groups away, and they come back', async () => {
    const [{ seen }, caller] = [await replica(), await client()];
    await caller.call('echo', { n: 'before' }, { deadlineMs: 5000 });
    await redis.redis.flushall();
    await until(() => caller.call('echo', { n: 'after' }, { deadlineMs: 300 }).then(() => true, () => false));
    await caller.notify('event', { n: 'event after' });
    await until(() => seen.handled.includes('event after'));
  });

  test('calls fail at once while it is away, and work again when it is back', async () => {
    const [, caller] = [await replica(), await client()];
    const waiting = caller.call('slow', { n: 'x', ms: 60_000 }, { deadlineMs: 60_000 });
    const failed = expect(waiting).rejects.toMatchObject({ name: 'RpcUnavailable' });
    await redis.kill();
    await failed;
    await expect(caller.call('echo', { n: 'away' }, { deadlineMs: 60_000 })).rejects.toMatchObject({ name: 'RpcUnavailable' });
    await expect(caller.notify('event', { n: 'away' })).rejects.toMatchObject({ name: 'RpcUnavailable' });
    await redis.restart();
    await until(() => caller.call('echo', { n: 'back' }, { deadlineMs: 500 }).then(() => true, () => false));
  });

  test('an outage is logged once per connection, not per call', async () => {
    let warnings = 0;
    const caller = new StreamsClient({ service: 'router', redisUrl: redis.url, logger: { ...silent, warn: () => void warnings++ } });
    running.push(caller);
    await caller.connect();
    await redis.kill();
    await until(() => warnings > 0);
    for (let i = 0; i < 50; i++) await caller.notify('event', {}).catch(() => undefined);
    expect(warnings).toBeLessThanOrEqual(2);
    await redis.restart();
  });
});
