import { randomUUID } from 'node:crypto';
import { context as active, SpanKind, SpanStatusCode, trace, type Context, type Span } from '@opentelemetry/api';
import { ClientProxy, type ReadPacket, type WritePacket } from '@nestjs/microservices';
import type { ServiceName } from '@deja/contracts';
import { isUp, openRedis, runScript, whenReady, type OutageLogger } from '@deja/redis';
import { carrierOf } from '@deja/telemetry';
import type { Redis } from 'ioredis';
import { fromWire, RpcCancelled, RpcTimeout, RpcUnavailable } from './errors.ts';
import { ADD_EVENT, cancelChannel, encode, EVENTS_MAX_LENGTH, eventsKey, inboxChannel, REQUESTS_MAX_LENGTH, requestsKey, type WireMessage, type WireReply } from './protocol.ts';

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
  settle(reply: WireReply | Error): void;
}

const DEFAULT_DEADLINE_MS = 5000;
const CONNECT_MS = 10_000;

/** Calls a service over Redis Streams. Requests are at most once with a deadline; events at least once. */
export class StreamsClient extends ClientProxy {
  private readonly publisher: Redis;
  private readonly subscriber: Redis;
  private readonly inbox = inboxChannel(randomUUID());
  private readonly pending = new Map<string, Pending>();
  private readonly subscribed: Promise<unknown>;
  private listening = false;
  private sequence = 0;

  constructor(private readonly o: StreamsClientOptions) {
    super();
    this.initializeSerializer({});
    this.initializeDeserializer({});
    this.publisher = openRedis(o.redisUrl, { role: 'commands', name: `rpc-${o.service}`, logger: o.logger });
    this.subscriber = openRedis(o.redisUrl, { role: 'subscriber', name: `rpc-${o.service}-inbox`, logger: o.logger });
    this.subscriber.on('message', (_channel: string, text: string) => this.receive(text));
    // A reply that is published while nobody listens is lost: its call need not wait for its deadline.
    this.subscriber.on('close', () => this.failAll('the connection for replies broke'));
    this.publisher.on('close', () => this.failAll('the connection for requests broke'));
    this.subscriber.on('ready', () => void this.listen());
    this.subscribed = whenReady(this.subscriber, CONNECT_MS).then(() => this.listen());
    this.subscribed.catch(() => undefined); // told by connect(); until then calls say they cannot be made
  }

  /** Resolves when calls can be made; rejects when that takes too long. */
  async connect(): Promise<void> {
    await Promise.all([this.subscribed, whenReady(this.publisher, CONNECT_MS)]);
  }

  get isReady(): boolean {
    return this.listening && isUp(this.publisher) && isUp(this.subscriber);
  }

  /**
   * One request, one reply. Rejects with RpcTimeout at the deadline, RpcUnavailable at once when there is no connection,
   * RpcCancelled when the signal aborts, RpcFailure or the other side's DejaError.
   */
  async call<T>(pattern: string, data: unknown, { deadlineMs, signal, parent = active.active() }: CallOptions): Promise<T> {
    if (!this.isReady) throw new RpcUnavailable('there is no connection to Redis');
    if (signal?.aborted) throw new RpcCancelled(pattern);
    const span = trace.getTracer('deja').startSpan(`${this.o.service}.${pattern}`, { kind: SpanKind.CLIENT, attributes: { 'rpc.system': 'deja', 'rpc.service': this.o.service, 'rpc.method': pattern } }, parent);
    try {
      return (await this.exchange(pattern, data, deadlineMs, signal, carrierOf(trace.setSpan(parent, span)))) as T;
    } catch (error) {
      failed(span, error);
      throw error;
    } finally {
      span.end();
    }
  }

  /** One event, handled at least once. Resolves when Redis has it; rejects with RpcUnavailable when it cannot be taken. */
  async notify(pattern: string, data: unknown, parent: Context = active.active()): Promise<void> {
    if (!isUp(this.publisher)) throw new RpcUnavailable('there is no connection to Redis');
    const message = encode({ pattern, data, trace: carrierOf(parent) });
    const added = await runScript(this.publisher, ADD_EVENT, [eventsKey(this.o.service)], [this.o.maxEvents ?? EVENTS_MAX_LENGTH, message]).catch((cause: unknown) => {
      throw new RpcUnavailable('the event could not be sent', { cause });
    });
    if (added === null) throw new RpcUnavailable(`${this.o.service} has too many unhandled events`);
  }

  async close(): Promise<void> {
    this.failAll('the client was closed');
    this.listening = false;
    this.publisher.disconnect();
    this.subscriber.disconnect();
  }

  unwrap<T>(): T {
    return [this.publisher, this.subscriber] as T;
  }

  protected publish(packet: ReadPacket, callback: (packet: WritePacket) => void): () => void {
    const given = new AbortController();
    this.call(this.normalizePattern(packet.pattern), packet.data, { deadlineMs: this.o.defaultDeadlineMs ?? DEFAULT_DEADLINE_MS, signal: given.signal }).then(
      (response) => callback({ response, isDisposed: true }),
      (err: unknown) => callback({ err, isDisposed: true }),
    );
    return () => given.abort();
  }

  protected async dispatchEvent<T = unknown>(packet: ReadPacket): Promise<T> {
    await this.notify(this.normalizePattern(packet.pattern), packet.data);
    return undefined as T;
  }

  private async exchange(pattern: string, data: unknown, deadlineMs: number, signal: AbortSignal | undefined, carrier: WireMessage['trace']): Promise<unknown> {
    const id = `${this.sequence++}`;
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    const settle = (outcome: WireReply | Error): void => {
      this.pending.delete(id);
      if (outcome instanceof Error) reject(outcome);
      else if (outcome.error) reject(fromWire(outcome.error, pattern));
      else resolve(outcome.data);
    };
    const giveUp = (error: Error): void => {
      if (!this.pending.has(id)) return;
      settle(error);
      this.publisher.publish(cancelChannel(this.o.service), `${this.inbox} ${id}`).catch(() => undefined); // a courtesy: the deadline tells the handler too
    };
    const timer = setTimeout(() => giveUp(new RpcTimeout(pattern, deadlineMs)), deadlineMs);
    const onAbort = (): void => giveUp(new RpcCancelled(pattern));
    signal?.addEventListener('abort', onAbort, { once: true });
    this.pending.set(id, { pattern, settle });
    const message = encode({ pattern, data, id, inbox: this.inbox, budgetMs: deadlineMs, ...(carrier && { trace: carrier }) });
    this.publisher.xadd(requestsKey(this.o.service), 'MAXLEN', '~', REQUESTS_MAX_LENGTH, '*', 'm', message).catch((cause: unknown) => {
      settle(new RpcUnavailable('the request could not be sent', { cause }));
    });
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
    }
  }

  private async listen(): Promise<void> {
    await this.subscriber.subscribe(this.inbox);
    this.listening = true;
  }

  private receive(text: string): void {
    const reply = JSON.parse(text) as WireReply;
    this.pending.get(reply.id)?.settle(reply);
  }

  private failAll(reason: string): void {
    this.listening = isUp(this.subscriber) && this.listening;
    for (const { settle } of [...this.pending.values()]) settle(new RpcUnavailable(reason));
  }
}

function failed(span: Span, error: unknown): void {
  span.setStatus({ code: SpanStatusCode.ERROR, message: error instanceof Error ? error.name : 'error' });
}
