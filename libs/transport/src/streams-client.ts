import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { context as active, SpanKind, SpanStatusCode, trace, type Context } from '@opentelemetry/api';
import { ClientProxy, type ReadPacket, type WritePacket } from '@nestjs/microservices';
import type { ServiceName } from '@deja/contracts';
import { InFlightMap } from '@deja/in-flight';
import { isUp, runScript, type OutageLogger } from '@deja/redis';
import { carrierOf, SPAN } from '@deja/telemetry';
import { Batcher } from './batcher.ts';
import { ClientLink } from './client-link.ts';
import { CallDurations } from './durations.ts';
import { fromWire, RpcCancelled, RpcTimeout, RpcUnavailable } from './errors.ts';
import { rpcAttributes } from './message-span.ts';
import { callIdOf, cancelChannel, encode, EVENTS_MAX_LENGTH, eventsKey, inboxChannel, REQUESTS_MAX_LENGTH, requestsKey, type WireMessage, type WireReply } from './protocol.ts';
import { sentNow } from './sent-now.ts';
import { ADD_EVENTS } from './stream-scripts.ts';

export interface StreamsClientOptions {
  service: ServiceName;
  redisUrl: string;
  logger: OutageLogger;
  /** For Nest's `send()`, which has no deadline of its own. */
  defaultDeadlineMs?: number;
  /** Backlog of events beyond which `notify` refuses. */
  maxEvents?: number;
}

export interface CallOptions {
  /** Milliseconds from now. */
  deadlineMs: number;
  /** Aborting gives the call up here and tells the handler. */
  signal?: AbortSignal;
  /** Trace context of the caller; the active one by default. */
  parent?: Context;
}

interface Pending {
  pattern: string;
  resolve(data: unknown): void;
  reject(error: Error): void;
}

const DEFAULT_DEADLINE_MS = 5000;
const CONNECT_MS = 10_000;
/** Events that come in quicker succession go together, so many at most: their receivers do not wait for them. */
const EVENTS_EVERY_MS = 20;
const MOST_EVENTS = 64;
/** How long a client that is closed waits for Redis to have its last events. */
const LAST_EVENTS_MS = 1000;

/** Calls a service over Redis Streams. Requests are at most once with a deadline; events at least once. */
export class StreamsClient extends ClientProxy {
  private readonly o: StreamsClientOptions;
  private readonly link: ClientLink;
  private readonly durations: CallDurations;
  private readonly events: Batcher<string, number>;
  private readonly inbox = inboxChannel(randomUUID());
  private readonly pending = new InFlightMap<string, Pending>();
  private sequence = 0;
  private isOpening = true;

  constructor(options: StreamsClientOptions) {
    super();
    this.o = options;
    this.durations = new CallDurations(options.service);
    this.events = new Batcher({ send: (messages) => this.addEvents(messages), everyMs: EVENTS_EVERY_MS, most: MOST_EVENTS });
    this.link = new ClientLink({ redisUrl: options.redisUrl, name: `rpc-${options.service}`, logger: options.logger }, this.inbox, {
      message: (text) => this.receive(text),
      lost: (reason) => this.failAll(reason),
    });
    void this.link.opened.then(() => {
      this.isOpening = false;
    });
  }

  /** Resolves when calls can be made; rejects with RpcUnavailable when that takes too long. */
  async connect(): Promise<void> {
    for (const untilMs = Date.now() + CONNECT_MS; !this.isReady; await delay(10)) {
      if (Date.now() > untilMs) throw new RpcUnavailable(`no connection to Redis within ${CONNECT_MS} ms`);
    }
  }

  get isReady(): boolean {
    return this.link.isUp;
  }

  /**
   * One request, one reply. Rejects with RpcTimeout at the deadline, RpcUnavailable at once when there is no connection,
   * RpcCancelled when the signal aborts, RpcFailure or the other side's DejaError. The very first call waits for the
   * connection to open.
   */
  async call<T>(pattern: string, data: unknown, { deadlineMs, signal, parent = active.active() }: CallOptions): Promise<T> {
    const span = trace.getTracer('deja').startSpan(`${this.o.service}.${pattern}`, { kind: SpanKind.CLIENT, attributes: rpcAttributes(this.o.service, pattern) }, parent);
    const startedMs = performance.now();
    let failure: unknown;
    try {
      const sendByMs = startedMs + deadlineMs;
      if (!this.isReady) await this.firstConnection(pattern, deadlineMs);
      if (signal?.aborted) throw new RpcCancelled(pattern, { cause: signal.reason });
      const message = { pattern, data, trace: carrierOf(trace.setSpan(parent, span)), inbox: this.inbox };
      return (await this.exchange(message, { deadlineMs, remainingMs: sendByMs - performance.now(), signal })) as T;
    } catch (error) {
      failure = error;
      const type = error instanceof Error ? error.name : '_OTHER';
      span.setAttribute(SPAN.errorType, type);
      span.setStatus({ code: SpanStatusCode.ERROR, message: type });
      throw error;
    } finally {
      span.end();
      this.durations.ended(pattern, performance.now() - startedMs, failure);
    }
  }

  /** One event, handled at least once. Resolves when Redis has it; rejects with RpcUnavailable when it cannot be taken. */
  async notify(pattern: string, data: unknown, parent: Context = active.active()): Promise<void> {
    const { service, maxEvents = EVENTS_MAX_LENGTH } = this.o;
    const { commands } = this.link;
    if (!isUp(commands) && this.isOpening) await this.link.opened;
    if (!isUp(commands)) throw new RpcUnavailable('there is no connection to Redis');
    const message = encode({ pattern, data, trace: carrierOf(parent) });
    const { reply: taken, place } = await this.events.add(message).catch((cause: unknown) => {
      throw new RpcUnavailable('the event could not be sent', { cause });
    });
    if (place >= taken) throw new RpcUnavailable(`${service} has ${maxEvents} unhandled events and takes no more`);
  }

  /** What was to be told is sent first; with Redis away it is told to have failed. */
  async close(): Promise<void> {
    this.failAll('the client was closed');
    const tooLate = new AbortController();
    await Promise.race([this.events.flush(), delay(LAST_EVENTS_MS, undefined, { signal: tooLate.signal }).catch(() => undefined)]);
    tooLate.abort();
    this.link.close();
  }

  unwrap<T>(): T {
    return this.link.connections as T;
  }

  protected publish(packet: ReadPacket, callback: (packet: WritePacket) => void): () => void {
    const given = new AbortController();
    void this.answer(packet, callback, given.signal);
    return () => given.abort();
  }

  protected async dispatchEvent<T = unknown>(packet: ReadPacket): Promise<T> {
    await this.notify(this.normalizePattern(packet.pattern), packet.data);
    return undefined as T;
  }

  /** How many of them Redis took. */
  private async addEvents(messages: readonly string[]): Promise<number> {
    const { service, maxEvents = EVENTS_MAX_LENGTH } = this.o;
    return Number(await runScript(this.link.commands, ADD_EVENTS, [eventsKey(service)], [maxEvents, ...messages]));
  }

  /** For Nest's `send()`. */
  private async answer(packet: ReadPacket, callback: (packet: WritePacket) => void, signal: AbortSignal): Promise<void> {
    const { defaultDeadlineMs = DEFAULT_DEADLINE_MS } = this.o;
    let reply: WritePacket;
    try {
      reply = { response: await this.call(this.normalizePattern(packet.pattern), packet.data, { deadlineMs: defaultDeadlineMs, signal }) };
    } catch (error) {
      reply = { err: error };
    }
    callback({ ...reply, isDisposed: true });
  }

  private async firstConnection(pattern: string, deadlineMs: number): Promise<void> {
    if (this.isOpening) {
      const tooLate = new AbortController();
      const deadline = delay(deadlineMs, undefined, { signal: tooLate.signal }).catch(() => undefined); // opened in time
      await Promise.race([this.link.opened, deadline]);
      tooLate.abort();
    }
    if (!this.isReady) throw this.isOpening ? new RpcTimeout(pattern, deadlineMs) : new RpcUnavailable('there is no connection to Redis');
  }

  /** `remainingMs` of `deadlineMs` are left. */
  private exchange(message: WireMessage, o: { deadlineMs: number; remainingMs: number; signal: AbortSignal | undefined }): Promise<unknown> {
    const { pattern } = message;
    const id = (this.sequence++).toString(36);
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    const end = (): void => {
      this.pending.delete(id);
      clearTimeout(timer);
      o.signal?.removeEventListener('abort', giveUp);
    };
    const timer = setTimeout(() => pending.reject(new RpcTimeout(pattern, o.deadlineMs)), o.remainingMs);
    const pending: Pending = {
      pattern,
      resolve: (data) => {
        end();
        resolve(data);
      },
      reject: (error) => {
        end();
        reject(error);
      },
    };
    const giveUp = (): void => {
      pending.reject(new RpcCancelled(pattern, { cause: o.signal?.reason }));
      void sent.then((entryId) => this.withdraw(entryId as string | null, id));
    };
    o.signal?.addEventListener('abort', giveUp, { once: true });
    this.pending.set(id, pending);
    const text = encode({ ...message, id, budgetMs: Math.ceil(o.remainingMs) });
    const sent = sentNow(this.link.commands, 'xadd', [requestsKey(this.o.service), 'MAXLEN', '~', REQUESTS_MAX_LENGTH, '*', 'm', text]).catch((cause: unknown) => {
      pending.reject(new RpcUnavailable('the request could not be sent', { cause }));
      return null;
    });
    return promise;
  }

  /** Nobody waits any more: who has not read the request shall not find it, who handles it shall stop. */
  private async withdraw(entryId: string | null, id: string): Promise<void> {
    if (entryId === null) return;
    const { service } = this.o;
    const told = [this.link.commands.xdel(requestsKey(service), entryId), this.link.commands.publish(cancelChannel(service), callIdOf(this.inbox, id))];
    await Promise.allSettled(told); // a courtesy: the deadline tells the handler too
  }

  private receive(text: string): void {
    const reply = JSON.parse(text) as WireReply;
    const pending = this.pending.get(reply.id);
    if (!pending) return; // too late
    if (reply.error) pending.reject(fromWire(reply.error, pending.pattern));
    else pending.resolve(reply.data);
  }

  private failAll(reason: string): void {
    for (const pending of this.pending.values()) pending.reject(new RpcUnavailable(reason));
  }
}
