import { DejaError, type ServiceName } from '@deja/contracts';
import type { ConsumerGroup } from './consumer-group.ts';
import { runHandler, UnknownPattern, type Handlers } from './handler-run.ts';
import type { InFlight } from './in-flight.ts';
import { deadKey, DEAD_MAX_LENGTH, decode, type StreamEntry, type WireMessage } from './protocol.ts';
import type { ServerCounts } from './server-counts.ts';
import { StreamsContext } from './streams-context.ts';
import type { StreamsLogger } from './streams-logger.ts';

export interface EventParts {
  service: ServiceName;
  handlers: Handlers;
  group: ConsumerGroup;
  inFlight: InFlight;
  counts: ServerCounts;
  logger: StreamsLogger;
  /** How long an event may rest unacknowledged before it is delivered again, to whichever replica asks first. */
  claimIdleMs: number;
  maxDeliveries: number;
  /** How long a replica may hold an event; after that another may take it over. */
  eventTimeoutMs: number;
}

/** Events: handled at least once, acknowledged after that, and set aside after too many tries. */
export class EventHandling {
  private readonly parts: EventParts;

  constructor(parts: EventParts) {
    this.parts = parts;
  }

  take(entries: StreamEntry[]): void {
    for (const entry of entries) this.begin(entry, 1);
  }

  /** Keeps what is being worked on, and takes over what nobody works on. To be called several times in `claimIdleMs`. */
  async redeliver(): Promise<void> {
    const { group, inFlight, claimIdleMs, maxDeliveries, counts } = this.parts;
    await group.renew(inFlight.ids());
    if (inFlight.free <= 0) return;
    for (const { entryId, deliveries } of await group.abandoned(claimIdleMs, inFlight.max)) {
      if (inFlight.has(entryId) || inFlight.free <= 0) continue;
      if (deliveries >= maxDeliveries) {
        // Whoever had it last did not live to say why it failed.
        await this.setAside(entryId, 'delivered, and never finished', deliveries);
        continue;
      }
      const entry = await group.claim(entryId, claimIdleMs);
      if (entry === null) continue;
      counts.add('events', 'taken_over');
      this.begin(entry, deliveries + 1);
    }
  }

  private begin([entryId, fields]: StreamEntry, deliveries: number): void {
    const { inFlight, logger, eventTimeoutMs } = this.parts;
    const message = decode(fields);
    const context = new StreamsContext([{ pattern: message?.pattern ?? '', entryId, deliveries, deadlineMs: null, abortAtMs: Date.now() + eventTimeoutMs }]);
    inFlight.begin(entryId, context);
    const work = message === null ? this.setAside(entryId, 'not a message', deliveries) : this.handle(message, context);
    work
      // Redis did not take the acknowledgement: the event comes again, which at least once allows.
      .catch((error: unknown) => logger.warn({ err: error, entry: entryId, pattern: message?.pattern }, 'an event could not be acknowledged'))
      .finally(() => inFlight.end(entryId));
  }

  private async handle(message: WireMessage, context: StreamsContext): Promise<void> {
    const { handlers, service, group, counts, logger, maxDeliveries } = this.parts;
    const { entryId, deliveries } = context;
    try {
      await counts.timed(message.pattern, () => runHandler(handlers, service, message, context));
    } catch (error) {
      counts.add('events', error instanceof UnknownPattern ? 'unknown_pattern' : 'error');
      if (deliveries >= maxDeliveries) await this.setAside(entryId, reasonOf(error), deliveries);
      else logger.warn({ err: error, pattern: message.pattern, entry: entryId, deliveries }, 'an event could not be handled and will be tried again');
      return;
    }
    counts.add('events', 'ok');
    await group.acknowledge(entryId);
  }

  /** A poison message leaves the way of the others, and stays to be looked at. */
  private async setAside(entryId: string, reason: string, deliveries: number): Promise<void> {
    const { group, service, counts, logger } = this.parts;
    if (!(await group.setAside(entryId, { key: deadKey(service), maxLength: DEAD_MAX_LENGTH, reason, deliveries }))) return;
    counts.add('events', 'set_aside');
    logger.error({ entry: entryId, reason, deliveries, service }, 'an event was set aside');
  }
}

/** Goes into Redis, so only what is public: the log has the rest. */
function reasonOf(error: unknown): string {
  if (error instanceof DejaError) return `${error.code}: ${error.message}`;
  if (error instanceof UnknownPattern) return error.message;
  return error instanceof Error ? error.name : 'unknown error';
}
