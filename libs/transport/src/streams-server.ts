import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { context as active, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import { Server, type CustomTransportStrategy } from '@nestjs/microservices';
import type { ServiceName } from '@deja/contracts';
import { isUp, openRedis, whenReady, type OutageLogger } from '@deja/redis';
import { contextOf } from '@deja/telemetry';
import type { Redis } from 'ioredis';
import { isObservable, lastValueFrom } from 'rxjs';
import { ConsumerGroup } from './consumer-group.ts';
import { toWire } from './errors.ts';
import { InFlight, type Work } from './in-flight.ts';
import { cancelChannel, deadKey, DEAD_MAX_LENGTH, decode, entryTimeMs, eventsKey, requestsKey, type StreamEntry, type WireMessage, type WireReply } from './protocol.ts';
import { StreamsContext } from './streams-context.ts';

export interface StreamsServerOptions {
  service: ServiceName;
  redisUrl: string;
  logger: OutageLogger & { error(fields: object, message: string): void };
  /** Messages handled at the same time by this replica; more wait in Redis, for whichever replica is free. */
  maxInFlight?: number;
  /** How long a stopping replica waits for what it is handling. */
  drainMs?: number;
  /** An event whose replica was not heard of for this long is taken over. Failed ones are tried again after it. */
  claimIdleMs?: number;
  /** Tries before an event is set aside. */
  maxDeliveries?: number;
  blockMs?: number;
}

const DEFAULTS = { maxInFlight: 256, drainMs: 10_000, claimIdleMs: 30_000, maxDeliveries: 5, blockMs: 5000 };
const CONNECT_MS = 30_000;
/** A seat that has been silent for this many claim intervals belongs to a replica that is gone. */
const DEAD_AFTER_CLAIMS = 10;

/** Nest transport over Redis Streams: each message is handled by one replica of a service. docs/transport.md says what it promises. */
export class StreamsServer extends Server implements CustomTransportStrategy {
  override readonly transportId = Symbol.for('deja.streams');
  override readonly propagatesEventHandlerErrors = true;
  private readonly o: StreamsServerOptions & typeof DEFAULTS;
  private readonly connections: Redis[] = [];
  private readonly inFlight: InFlight;
  private readonly commands: Redis;
  private readonly requests: ConsumerGroup;
  private readonly events: ConsumerGroup;
  private readonly readerNames: Set<string>;
  private loops: Promise<void>[] = [];
  private running = false;
  private closing: Promise<void> | null = null;
  private upkeep: NodeJS.Timeout | null = null;
  /** Redis's clock minus ours, so that deadlines hold between machines whose clocks differ. */
  private clockOffsetMs = 0;

  constructor(options: StreamsServerOptions) {
    super();
    this.o = { ...DEFAULTS, ...options };
    this.initializeSerializer({});
    this.initializeDeserializer({});
    this.inFlight = new InFlight(this.o.maxInFlight);
    const consumer = `${process.pid}-${randomUUID().slice(0, 8)}`;
    const { service } = this.o;
    this.commands = this.connection('commands', 'server');
    this.readerNames = new Set(['requests', 'events'].map((purpose) => `${service}-${purpose}-${consumer}`));
    this.requests = new ConsumerGroup(this.connection('blocking', `requests-${consumer}`), this.commands, requestsKey(service), service, consumer, true);
    this.events = new ConsumerGroup(this.connection('blocking', `events-${consumer}`), this.commands, eventsKey(service), service, consumer, false);
  }

  async listen(callback: (error?: unknown) => void): Promise<void> {
    try {
      await whenReady(this.commands, CONNECT_MS);
      await Promise.all([this.requests.create(), this.events.create()]);
      await this.followClock();
      await this.hearCancellations();
      this.running = true;
      this.loops = [this.readLoop(this.requests, (entry) => this.handleRequestEntry(entry)), this.readLoop(this.events, (entry) => this.handleEventEntry(entry))];
      this.upkeep = setInterval(() => void this.keepUp(), this.o.claimIdleMs / 3).unref();
      callback();
    } catch (error) {
      callback(error);
    }
  }

  /** Stops reading, finishes what runs, answers it, and leaves the group. */
  close(): Promise<void> {
    return (this.closing ??= this.stop());
  }

  private async stop(): Promise<void> {
    this.running = false;
    if (this.upkeep) clearInterval(this.upkeep);
    await this.unblockReaders();
    await Promise.all(this.loops);
    await this.inFlight.drained(this.o.drainMs);
    this.inFlight.abortAll();
    if (isUp(this.commands)) await Promise.allSettled([this.requests.leave(), this.events.leave()]);
    for (const redis of this.connections) redis.disconnect();
  }

  on(): void {
    // No events of its own: outages are the connections' to log.
  }

  unwrap<T>(): T {
    return this.connections as T;
  }

  private connection(role: 'commands' | 'blocking' | 'subscriber', purpose: string): Redis {
    const redis = openRedis(this.o.redisUrl, { role, name: `${this.o.service}-${purpose}`, logger: this.o.logger });
    this.connections.push(redis);
    return redis;
  }

  private async readLoop(group: ConsumerGroup, handle: (entry: StreamEntry) => Promise<void>): Promise<void> {
    while (this.running) {
      await this.inFlight.room();
      try {
        for (const entry of await group.read(Math.max(1, this.inFlight.free >> 1), this.o.blockMs)) {
          handle(entry).catch((error: unknown) => this.o.logger.error({ err: error, entry: entry[0] }, 'a message could not be finished'));
        }
      } catch {
        if (this.running) await delay(100); // the connection logs its own outages
      }
    }
  }

  private async handleRequestEntry([entryId, fields]: StreamEntry): Promise<void> {
    const message = decode(fields);
    if (message?.id === undefined || message.inbox === undefined || message.budgetMs === undefined) return;
    const { id, inbox } = message;
    const deadlineMs = entryTimeMs(entryId) - this.clockOffsetMs + message.budgetMs;
    const callId = `${inbox} ${id}`;
    if (deadlineMs <= Date.now() || this.inFlight.wasCancelled(callId)) return; // nobody is waiting any more
    await this.inFlight.run(callId, deadlineMs - Date.now(), async (work) => {
      const reply = await this.produceReply(id, message, new StreamsContext([message.pattern, entryId, work.signal, deadlineMs]));
      if (!work.signal.aborted) await this.commands.publish(inbox, JSON.stringify(reply));
    });
  }

  private async produceReply(id: string, message: WireMessage, context: StreamsContext): Promise<WireReply> {
    const handler = this.getHandlerByPattern(message.pattern);
    if (!handler) return { id, error: { kind: 'failure', message: `no handler for ${message.pattern}` } };
    try {
      return { id, data: await this.invoke(message, context, () => handler(message.data, context)) };
    } catch (error) {
      return { id, error: toWire(error) };
    }
  }

  private async handleEventEntry([entryId, fields]: StreamEntry): Promise<void> {
    const message = decode(fields);
    const handler = message && this.getHandlerByPattern(message.pattern);
    if (!message || !handler) return this.setAside(entryId, fields, message ? `no handler for ${message.pattern}` : 'not a message');
    await this.inFlight.run(entryId, null, async (work: Work) => {
      try {
        const context = new StreamsContext([message.pattern, entryId, work.signal, null]);
        await this.invoke(message, context, () => handler(message.data, context));
      } catch (error) {
        this.o.logger.warn({ err: error, pattern: message.pattern, entry: entryId }, 'an event could not be handled and is tried again');
        return;
      }
      await this.events.acknowledge(entryId);
    });
  }

  /** Runs a handler inside the trace that the message brought. */
  private async invoke(message: WireMessage, context: StreamsContext, handler: () => unknown): Promise<unknown> {
    const parent = contextOf(message.trace ?? {});
    const span = trace.getTracer('deja').startSpan(`${this.o.service}.${message.pattern}`, { kind: context.deadlineMs === null ? SpanKind.CONSUMER : SpanKind.SERVER }, parent);
    try {
      return await active.with(trace.setSpan(parent, span), async () => {
        const result = await handler();
        return isObservable(result) ? await lastValueFrom(result, { defaultValue: undefined }) : result;
      });
    } catch (error) {
      span.setStatus({ code: SpanStatusCode.ERROR });
      throw error;
    } finally {
      span.end();
    }
  }

  /** What must be done now and then: renew, take over, set aside, tidy. */
  private async keepUp(): Promise<void> {
    if (!isUp(this.commands)) return;
    const { claimIdleMs, maxDeliveries } = this.o;
    try {
      await this.followClock();
      await this.events.renew(this.inFlight.ids().filter((id) => !id.includes(' ')));
      for (const { entryId, deliveries } of await this.events.abandoned(claimIdleMs)) {
        const entry = await this.events.claim(entryId, claimIdleMs);
        if (entry === null) continue;
        if (deliveries >= maxDeliveries) await this.setAside(entryId, entry[1], `failed ${deliveries} times`);
        else void this.handleEventEntry(entry);
      }
      for (const group of [this.requests, this.events]) await group.removeDead(claimIdleMs * DEAD_AFTER_CLAIMS);
    } catch (error) {
      if (isUp(this.commands)) this.o.logger.warn({ err: error }, 'upkeep of the message streams failed; it is tried again');
    }
  }

  /** A poison message leaves the way of the others and stays to be looked at. */
  private async setAside(entryId: string, fields: string[], reason: string): Promise<void> {
    this.o.logger.error({ entry: entryId, reason }, 'an event was set aside');
    await this.commands.xadd(deadKey(this.o.service), 'MAXLEN', '~', DEAD_MAX_LENGTH, '*', 'reason', reason, 'entry', entryId, ...fields);
    await this.events.acknowledge(entryId);
  }

  private async followClock(): Promise<void> {
    const [seconds, micros] = await this.commands.time();
    this.clockOffsetMs = Number(seconds) * 1000 + Number(micros) / 1000 - Date.now();
  }

  private async hearCancellations(): Promise<void> {
    const subscriber = this.connection('subscriber', 'cancellations');
    subscriber.on('message', (_channel: string, callId: string) => this.inFlight.cancel(callId));
    await subscriber.subscribe(cancelChannel(this.o.service));
  }

  /** A blocked read returns at once, with nothing read and nothing lost. */
  private async unblockReaders(): Promise<void> {
    const readers = this.connections.filter(({ options }) => this.readerNames.has(options.connectionName ?? ''));
    if (!isUp(this.commands)) {
      for (const reader of readers) reader.disconnect();
      return;
    }
    const clients = String(await this.commands.client('LIST')).split('\n');
    const ids = clients.filter((line) => this.readerNames.has(/ name=(\S*)/.exec(line)?.[1] ?? '')).flatMap((line) => /^id=(\d+)/.exec(line)?.[1] ?? []);
    await Promise.all(ids.map((id) => this.commands.client('UNBLOCK', Number(id))));
  }
}
