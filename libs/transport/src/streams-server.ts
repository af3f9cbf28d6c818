import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { setImmediate as nextTurn, setTimeout as delay } from 'node:timers/promises';
import { Server, type CustomTransportStrategy } from '@nestjs/microservices';
import { context as active, ROOT_CONTEXT } from '@opentelemetry/api';
import type { ServiceName } from '@deja/contracts';
import { isUp, nodesOf, onReady, openRedis, whenReady, type RedisClient } from '@deja/redis';
import type { Redis } from 'ioredis';
import { ConsumerGroup } from './consumer-group.ts';
import { EventHandling } from './event-handling.ts';
import type { Handlers } from './handler-run.ts';
import { InFlight } from './in-flight.ts';
import { cancelChannel, eventsKey, requestsKey, type StreamEntry } from './protocol.ts';
import { RedisClock } from './redis-clock.ts';
import { RequestHandling } from './request-handling.ts';
import { ServerCounts } from './server-counts.ts';
import type { StreamsLogger } from './streams-logger.ts';

export interface StreamsServerOptions {
  service: ServiceName;
  redisUrl: string;
  logger: StreamsLogger;
  /** Requests handled at the same time by this replica; more wait in Redis, for whichever replica is free. */
  maxInFlight?: number;
  /** The same for events, so that a backlog of them never stands in the way of requests. */
  maxEventsInFlight?: number;
  /** How long a stopping replica waits for what it is handling. */
  drainMs?: number;
  /** An event whose replica was not heard of for this long is taken over. Failed ones are tried again after it. */
  claimIdleMs?: number;
  /** Tries before an event is set aside. */
  maxDeliveries?: number;
  /** How long handling one event may take before another replica may try it. */
  eventTimeoutMs?: number;
  /** How long after events were read the next ones are: what comes in quick succession is read together. */
  gatherMs?: number;
  /** How long one read waits in Redis. A dead connection is noticed after twice that. */
  blockMs?: number;
  /** Seats of replicas that were silent for so long, and hold nothing, are removed. */
  seatIdleMs?: number;
}

const DEFAULTS = {
  maxInFlight: 256,
  maxEventsInFlight: 64,
  drainMs: 10_000,
  claimIdleMs: 15_000,
  maxDeliveries: 5,
  eventTimeoutMs: 60_000,
  gatherMs: 20,
  blockMs: 5000,
  seatIdleMs: 300_000,
};
const UPKEEPS_PER_CLAIM = 3;
/** One read brings no more, so that a burst is spread over the replicas. */
const READ_COUNT = 32;
const RETRY_MS = 100;
const UNBLOCK_EVERY_MS = 20;

/** What can be handled without waiting for anything is, and its replies leave, before more is read: asking for it is a call of the system that nobody waits for. */
async function nextTurns(): Promise<void> {
  await nextTurn(); // replies leave at the end of this turn
  await nextTurn();
}

/** Nest transport over Redis Streams: each message is handled by one replica of a service. docs/transport.md says what it promises. */
export class StreamsServer extends Server implements CustomTransportStrategy {
  override readonly transportId = Symbol.for('deja.streams');
  override readonly propagatesEventHandlerErrors = true;
  private readonly o: StreamsServerOptions & typeof DEFAULTS;
  private readonly seat = `${hostname()}-${process.pid}-${randomUUID().slice(0, 8)}`;
  private readonly clock: RedisClock;
  private readonly connections: RedisClient[] = [];
  private readonly readerNames: string[] = [];
  private readonly inFlight: { requests: InFlight; events: InFlight };
  private readonly commands: RedisClient;
  private readonly groups: { requests: ConsumerGroup; events: ConsumerGroup };
  private readonly requests: RequestHandling;
  private readonly events: EventHandling;
  private loops: Promise<unknown> = Promise.resolve();
  private closing: Promise<void> | null = null;
  private upkeepTimer: NodeJS.Timeout | null = null;
  private upkeep: Promise<void> | null = null;

  constructor(options: StreamsServerOptions) {
    super();
    this.o = { ...DEFAULTS, ...options };
    const { service, logger, maxInFlight, maxEventsInFlight } = this.o;
    this.inFlight = { requests: new InFlight(maxInFlight), events: new InFlight(maxEventsInFlight) };
    this.clock = new RedisClock(requestsKey(service));
    this.commands = this.connection('commands', 'replies');
    this.groups = { requests: this.group(requestsKey(service), true), events: this.group(eventsKey(service), false) };
    const counts = new ServerCounts(service, this.inFlight);
    const handlers = this.messageHandlers as Handlers;
    this.requests = new RequestHandling({ service, handlers, commands: this.commands, group: this.groups.requests, inFlight: this.inFlight.requests, clock: this.clock, counts, logger });
    this.events = new EventHandling({ ...this.o, handlers, group: this.groups.events, inFlight: this.inFlight.events, counts });
  }

  /** Calls back when this replica takes messages. Without Redis it waits for Redis, until `close`. */
  async listen(callback: (error?: unknown) => void): Promise<void> {
    // Messages bring their own trace; whatever is active at the start of the process is none of theirs.
    await active.with(ROOT_CONTEXT, () => this.start());
    callback();
  }

  /** Stops reading, finishes what runs, answers it, and leaves the groups. */
  close(): Promise<void> {
    return (this.closing ??= this.stop());
  }

  /** Whether messages reach this replica at the moment. */
  get isReady(): boolean {
    return this.closing === null && this.upkeepTimer !== null && this.connections.every(isUp);
  }

  on(): void {
    // No events of its own: outages are the connections' to log.
  }

  unwrap<T>(): T {
    return this.connections as T;
  }

  private async start(): Promise<void> {
    await this.joined();
    if (this.closing !== null) return;
    onReady(this.commands, () => void this.keepUp()); // another Redis may have taken over, with another clock
    this.upkeepTimer = setInterval(() => void this.keepUp(), this.o.claimIdleMs / UPKEEPS_PER_CLAIM).unref();
    const { inFlight, groups } = this;
    this.loops = Promise.all([
      this.readLoop(groups.requests, inFlight.requests, 0, (entries) => this.requests.take(entries)),
      this.readLoop(groups.events, inFlight.events, this.o.gatherMs, (entries) => this.events.take(entries)),
    ]);
  }

  private async joined(): Promise<void> {
    const subscriber = openRedis(this.o.redisUrl, { role: 'subscriber', name: this.nameFor('cancellations'), logger: this.o.logger });
    this.connections.push(subscriber);
    subscriber.on('message', (_channel: string, callId: string) => this.requests.cancel(callId));
    while (this.closing === null) {
      try {
        await whenReady(this.commands, RETRY_MS);
        await Promise.all([this.groups.requests.create(), this.groups.events.create(), this.clock.synchronise(this.commands)]);
        await subscriber.subscribe(cancelChannel(this.o.service));
        return;
      } catch {
        await delay(RETRY_MS); // the connection logs its own outages
      }
    }
  }

  private async readLoop(group: ConsumerGroup, inFlight: InFlight, gatherMs: number, take: (entries: StreamEntry[]) => void): Promise<void> {
    while (this.closing === null) {
      await inFlight.room();
      if (this.closing !== null) return;
      try {
        const most = Math.min(READ_COUNT, inFlight.free);
        const entries = await group.read(most, this.o.blockMs);
        take(entries);
        if (gatherMs > 0 && entries.length > 0 && entries.length < most) await delay(gatherMs);
        else await nextTurns();
      } catch {
        if (this.closing === null) await delay(RETRY_MS); // the connection logs its own outages
      }
    }
  }

  /** What must be done now and then: follow the clock, renew, take over, set aside, tidy. One at a time. */
  private keepUp(): Promise<void> {
    return (this.upkeep ??= this.keepUpOnce().finally(() => {
      this.upkeep = null;
    }));
  }

  private async keepUpOnce(): Promise<void> {
    if (!isUp(this.commands) || this.closing !== null) return;
    const { logger, seatIdleMs } = this.o;
    try {
      await this.clock.synchronise(this.commands);
      await this.events.redeliver();
      for (const group of [this.groups.requests, this.groups.events]) await group.removeDead(seatIdleMs);
    } catch (error) {
      const isExpected = !isUp(this.commands) || String(error).includes('NOGROUP'); // logged as an outage; about to be made again
      if (!isExpected) logger.warn({ err: error }, 'upkeep of the message streams failed; it is tried again');
    }
  }

  private async stop(): Promise<void> {
    const { drainMs, logger, service } = this.o;
    const { requests, events } = this.inFlight;
    if (this.upkeepTimer) clearInterval(this.upkeepTimer);
    const untilMs = Date.now() + drainMs;
    requests.close();
    events.close();
    await this.stopReaders(untilMs);
    const [answered, handled] = await Promise.all([requests, events].map((kind) => kind.drained(untilMs - Date.now())));
    if (!answered || !handled) {
      logger.warn({ service, requests: requests.size, events: events.size }, 'stopping before everything was finished; events come again elsewhere');
      requests.abortAll('the service stops');
      events.abortAll('the service stops');
    }
    // A server answers in order, so the replies have gone out when it has answered this.
    const sent = nodesOf(this.commands).filter(isUp).map((node) => node.ping());
    if (isUp(this.commands)) await Promise.allSettled([this.groups.requests.leave(), this.groups.events.leave(), ...sent]);
    for (const redis of this.connections) redis.disconnect();
  }

  /** A blocked read is told to return, so that nothing it was just given is lost. A read may be about to block, so it is told until it has. */
  private async stopReaders(untilMs: number): Promise<void> {
    let isOver = false;
    const over = this.loops.then(() => {
      isOver = true;
    });
    while (!isOver && Date.now() < untilMs && isUp(this.commands)) {
      await this.unblockReaders().catch(() => undefined); // an outage ends the loop
      await Promise.race([over, delay(UNBLOCK_EVERY_MS)]);
    }
  }

  private async unblockReaders(): Promise<void> {
    await Promise.all(nodesOf(this.commands).filter(isUp).map((node) => this.unblockReadersAt(node)));
  }

  private async unblockReadersAt(node: Redis): Promise<void> {
    const clients = String(await node.client('LIST')).split('\n');
    const ids = clients.filter((line) => this.readerNames.includes(/ name=(\S*)/.exec(line)?.[1] ?? '')).flatMap((line) => /^id=(\d+)/.exec(line)?.[1] ?? []);
    await Promise.all(ids.map((id) => node.client('UNBLOCK', Number(id))));
  }

  private group(key: string, noAck: boolean): ConsumerGroup {
    const purpose = `${noAck ? 'requests' : 'events'}-${this.seat}`;
    this.readerNames.push(this.nameFor(purpose));
    return new ConsumerGroup(this.connection('blocking', purpose, 2 * this.o.blockMs), this.commands, { key, group: this.o.service, consumer: this.seat, noAck });
  }

  private connection(role: 'commands' | 'blocking', purpose: string, silenceMs?: number): RedisClient {
    const redis = openRedis(this.o.redisUrl, { role, name: this.nameFor(purpose), logger: this.o.logger, ...(silenceMs !== undefined && { silenceMs }) });
    this.connections.push(redis);
    return redis;
  }

  private nameFor(purpose: string): string {
    return `${this.o.service}-${purpose}`;
  }
}
