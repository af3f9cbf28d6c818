import type { ServiceName } from '@deja/contracts';
import { isUp, type RedisClient } from '@deja/redis';
import type { ConsumerGroup } from './consumer-group.ts';
import { toWire } from './errors.ts';
import { runHandler, UnknownPattern, type Handlers } from './handler-run.ts';
import type { InFlight } from './in-flight.ts';
import { callIdOf, decode, entryTimeMs, type StreamEntry, type WireMessage, type WireReply } from './protocol.ts';
import type { RedisClock } from './redis-clock.ts';
import { sentNow } from './sent-now.ts';
import type { ServerCounts } from './server-counts.ts';
import { StreamsContext } from './streams-context.ts';
import type { StreamsLogger } from './streams-logger.ts';

const REMEMBERED_CANCELLATIONS = 1000;
/** Handled requests leave the stream in lots of this size, and whenever there is nothing else to do. */
const TRIM_EVERY = 100;

export interface RequestParts {
  service: ServiceName;
  handlers: Handlers;
  commands: RedisClient;
  group: ConsumerGroup;
  inFlight: InFlight;
  clock: RedisClock;
  counts: ServerCounts;
  logger: StreamsLogger;
}

/** Requests: handled at most once, answered in time or not at all. */
export class RequestHandling {
  private readonly parts: RequestParts;
  /** Given up before they were read. */
  private readonly cancelled = new Set<string>();
  private lastRead: string | null = null;
  private untrimmed = 0;

  constructor(parts: RequestParts) {
    this.parts = parts;
  }

  /** Takes what one read brought; an empty one means that nothing is waiting. Every entry begins at once. */
  take(entries: StreamEntry[]): void {
    for (const entry of entries) this.begin(entry);
    this.lastRead = entries.at(-1)?.[0] ?? this.lastRead;
    this.untrimmed += entries.length;
    if (this.untrimmed >= TRIM_EVERY || (entries.length === 0 && this.untrimmed > 0)) this.trim();
  }

  /** The caller of this request has given up. It may not have been read yet, or another replica may have it. */
  cancel(callId: string): void {
    if (this.parts.inFlight.abort(callId, 'the caller gave up')) return;
    this.cancelled.add(callId);
    const [oldest] = this.cancelled;
    if (this.cancelled.size > REMEMBERED_CANCELLATIONS && oldest !== undefined) this.cancelled.delete(oldest);
  }

  private begin([entryId, fields]: StreamEntry): void {
    const { clock, counts, inFlight, logger } = this.parts;
    const message = decode(fields);
    if (message?.id === undefined || message.inbox === undefined || message.budgetMs === undefined) {
      counts.add('requests', 'malformed');
      return;
    }
    const remainingMs = entryTimeMs(entryId) + message.budgetMs - clock.nowMs();
    const callId = callIdOf(message.inbox, message.id);
    if (remainingMs <= 0) return counts.add('requests', 'expired'); // nobody is waiting any more
    if (this.cancelled.delete(callId)) return counts.add('requests', 'cancelled');
    const deadlineMs = Date.now() + remainingMs;
    const context = new StreamsContext([{ pattern: message.pattern, entryId, deliveries: 1, deadlineMs, abortAtMs: deadlineMs }]);
    inFlight.begin(callId, context);
    this.handle(message, context)
      .catch((error: unknown) => logger.error({ err: error, pattern: message.pattern }, 'a reply could not be made'))
      .finally(() => inFlight.end(callId));
  }

  private async handle(message: WireMessage, context: StreamsContext): Promise<void> {
    const { handlers, service, counts } = this.parts;
    const id = message.id ?? '';
    let reply: WireReply;
    try {
      reply = { id, data: await counts.timed(message.pattern, () => runHandler(handlers, service, message, context)) };
      counts.add('requests', 'ok');
    } catch (error) {
      reply = { id, error: toWire(error) };
      counts.add('requests', error instanceof UnknownPattern ? 'unknown_pattern' : 'error');
    }
    if (!context.isOver) this.send(message.inbox ?? '', JSON.stringify(reply));
  }

  /** Not waited for: while Redis is away the caller has already been told so by its own connection. */
  private send(inbox: string, reply: string): void {
    sentNow(this.parts.commands, 'publish', [inbox, reply]).catch(() => this.parts.counts.add('requests', 'reply_lost'));
  }

  private trim(): void {
    const { commands, group } = this.parts;
    if (this.lastRead === null || !isUp(commands)) return;
    this.untrimmed = 0;
    group.trimThrough(this.lastRead).catch(() => undefined); // the next one trims this too
  }
}
