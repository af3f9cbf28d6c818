import { gatewayOpsKey, type LateAttempt, type OpenOperation, type OperationRecord, type UsageEvent, type UsageJobData } from '@deja/contracts';
import { InFlightMap } from '@deja/in-flight';
import { isUp, onReady, openPipeline, type Pipeline, type RedisClient } from '@deja/redis';
import type { Logger } from '@deja/telemetry';
import type { AcceptedCount, AcceptedCounts } from './accepted.ts';
import { BATCH_SIZE, batchMs } from './batching.ts';
import { jobData, written, type WrittenEvent } from './job-data.ts';
import { LastSent, type UsageJob } from './last-sent.ts';
import type { OutboxMetrics } from './metrics.ts';
import { NextJobs } from './next-jobs.ts';
import { Overflow, type Place, type SpoolReason } from './overflow.ts';
import { Presence } from './presence.ts';
import type { QueueBound } from './queue-bound.ts';
import { Replay } from './replay.ts';
import type { Spool } from './spool.ts';
import { lineId } from './spool-lines.ts';

/** Puts one job on the usage queue; resolves when Redis has it. */
export type Enqueue = (data: UsageJobData) => Promise<void>;

export interface OutboxOptions {
  instance: string;
  leaseS: number;
  accepted: AcceptedCounts;
  queue: QueueBound;
  metrics: OutboxMetrics;
  logger: Pick<Logger, 'error' | 'warn' | 'info'>;
}

const TICK_MS = 1000;
/** How long a process that stops goes on with what is on its disk; the rest is for the next one there. */
const CLOSING_MS = 5000;
const PAGE = 200;

/**
 * The way of a settled operation to the usage-worker. First its record replaces the opening in this process's hash in Redis, so that it survives a kill; then
 * batches go on the queue; then the hash forgets it. What Redis cannot take, or the queue has no room for, goes to the spool and is replayed. Where the spool is
 * full, or Redis takes too slowly what it has anyway, what is in the hash stays there until there is room. A shadow's record takes the same steps under its own id. Nothing of it fails or delays a request.
 */
export class Outbox {
  private readonly redis: RedisClient;
  private readonly enqueue: Enqueue;
  private readonly spool: Spool;
  private readonly o: OutboxOptions;
  private readonly next: NextJobs;
  private tick: NodeJS.Timeout | null = null;
  private stopFollowing: () => void = () => undefined;
  private closingMs: number | null = null;
  /** Operations under way in this process. */
  private readonly open = new InFlightMap<string, OpenOperation>();
  private readonly lastSent = new LastSent();
  /** What the queue took just before Redis went away. */
  private again: UsageJob[] = [];
  /** The hash has records that wait for room, or of which it is not known whether they are on the queue. */
  private held = false;
  private catchingUp: Promise<void> | null = null;
  private readonly overflow: Overflow;
  private readonly presence: Presence;
  private readonly replay: Replay;

  constructor(redis: RedisClient, enqueue: Enqueue, spool: Spool, o: OutboxOptions) {
    this.redis = redis;
    this.enqueue = enqueue;
    this.spool = spool;
    this.o = o;
    const { instance, leaseS, accepted, queue, metrics, logger } = o;
    this.next = new NextJobs({ send: (events) => this.send(events), gatherMs: (lastEvents) => batchMs(queue.jobs, lastEvents) });
    this.overflow = new Overflow(spool, metrics, logger);
    this.presence = new Presence({ redis, instance, leaseS, accepted, spooled: () => spool.settledByQuarter() });
    this.replay = new Replay({ redis, spool, instance, isOpen: (id) => this.open.has(id), hasRoom: () => !queue.isFull && (this.closingMs === null || Date.now() < this.closingMs + CLOSING_MS), post: (events, of) => this.post(events.map(written), of), logger });
    metrics.watch({ spoolBytes: () => spool.bytes, queueRoomBytes: () => queue.roomBytes });
  }

  /** Live gateway processes. */
  get replicas(): number {
    return this.presence.replicas;
  }

  /** Settled operations in memory that wait for a job. */
  get inMemory(): number {
    return this.next.length;
  }

  /** Announces this process, keeps its lease and replays what the spool holds. */
  async start(): Promise<void> {
    await Promise.all([this.presence.start(), this.o.queue.start(), this.spool.look()]);
    this.tick = setInterval(() => void this.catchUp(), TICK_MS).unref();
    this.stopFollowing = onReady(this.redis, () => void this.afterOutage());
  }

  /** Remembers that an operation was opened; `recorded` says whether Redis knows it already. */
  opened(operation: OpenOperation, recorded: boolean): void {
    this.open.set(operation.id, operation);
    const count = this.o.accepted.opened(operation);
    if (recorded) return;
    try {
      this.spool.append([count, operation]);
    } catch {
      // It is only for the case that this process is killed. Its end will be told of.
    }
  }

  /** Adds the first step, the record in place of the opening, to a pipeline; returns the record as it is written. */
  queue(pipeline: Pipeline, record: OperationRecord): string {
    const { accepted, instance } = this.o;
    if (!accepted.isCounted(record)) {
      // Refused before it was opened. What is sent now comes before what the pipeline sends.
      void accepted.queue(openPipeline(this.redis), accepted.opened(record)).exec().catch(() => undefined); // said again with every beat
    }
    const { text } = written(record);
    pipeline.hset(gatewayOpsKey(instance), record.id, text);
    return text;
  }

  /** Takes a settled operation; `recorded` says whether Redis has its record, `text` is that record where it is at hand. Never throws: settlement must not fail a request that was answered. */
  settled(record: OperationRecord, recorded: boolean, text?: string): void {
    this.open.delete(record.id);
    const count = this.o.accepted.settled(record);
    this.take(record, { recorded, counts: [count], text });
  }

  /** Takes a shadow attempt by itself, in the same steps. Never throws. */
  async late(event: LateAttempt): Promise<void> {
    const { text } = written(event);
    const recorded = isUp(this.redis) && (await this.redis.hset(gatewayOpsKey(this.o.instance), lineId(event), text).then(() => true, () => false));
    this.take(event, { recorded, counts: [], text });
  }

  private take(event: UsageEvent, { recorded, counts, text }: { recorded: boolean; counts: AcceptedCount[]; text: string | undefined }): void {
    if (!recorded) {
      this.overflow.keep([event], { inRedis: false, why: 'redis_away', counts });
      return;
    }
    if (!this.next.add(text === undefined ? written(event) : { event, text })) this.leave([event]);
  }

  /** Sends what is waiting. */
  async flush(): Promise<void> {
    await this.next.flush();
  }

  /** Hands everything over; gives the lease back when nothing of this process is left open. */
  async close(): Promise<void> {
    this.closingMs = Date.now();
    if (this.tick) clearInterval(this.tick);
    this.stopFollowing();
    await this.next.drain();
    await this.catchingUp;
    await this.catchUp();
    this.o.queue.close();
    this.presence.close();
    this.overflow.giveUp();
    await this.spool.sync().catch(() => undefined);
    this.spool.close();
    if (!isUp(this.redis)) return;
    await this.presence.beat();
    if (this.open.size === 0) await this.presence.leave();
  }

  private async send(events: WrittenEvent[]): Promise<void> {
    const keep = (why: SpoolReason): void => this.keep(events.map(({ event }) => event), why);
    if (this.o.queue.isFull) return keep('queue_full');
    await this.post(events, this.o.instance).catch(() => keep('redis_away'));
  }

  /** Records that are in this process's hash. */
  private keep(events: UsageEvent[], why: SpoolReason): void {
    // What is left by a process that stops the sweep takes: nobody has to come back to this disk for it.
    const place = this.closingMs !== null ? this.leave(events) : this.overflow.keep(events, { inRedis: true, why });
    if (place === 'disk') void this.forget(events);
    else this.held = true;
  }

  private leave(events: UsageEvent[]): Place {
    this.held = true;
    return this.overflow.leave(events, null);
  }

  /** On the queue, and then out of the hash. Rejects when the queue has not taken them, as far as is known. */
  private async post(events: WrittenEvent[], instance: string): Promise<void> {
    await this.put({ data: await jobData(events), ids: events.map(({ event }) => lineId(event)) }, instance);
  }

  private async put(job: UsageJob, instance: string): Promise<void> {
    await this.enqueue(job.data);
    this.o.queue.sent(job.data.z.length);
    this.lastSent.add(job, Date.now());
    await this.redis.hdel(gatewayOpsKey(instance), ...job.ids).catch((error: unknown) => {
      // Harmless: inserting twice changes nothing.
      this.held = true;
      this.o.logger.info({ err: error }, 'settled operations stay listed as open for a while');
    });
  }

  /** Out of the hash, when the disk has them for good. */
  private async forget(events: UsageEvent[]): Promise<void> {
    try {
      await this.spool.sync();
      await this.redis.hdel(gatewayOpsKey(this.o.instance), ...events.map(lineId));
    } catch {
      this.held = true; // they are in both
    }
  }

  private catchUp(): Promise<void> {
    return (this.catchingUp ??= this.catchUpOnce().finally(() => {
      this.catchingUp = null;
    }));
  }

  /** Brings to the queue what is anywhere else, as far as it has room. Never rejects. */
  private async catchUpOnce(): Promise<void> {
    this.overflow.tellLost();
    await this.spool.look();
    if (!isUp(this.redis)) return;
    try {
      await this.sendAgain();
      await this.fromMemory();
      await this.fromHash();
    } catch {
      return; // away again, or without room: the next round goes on
    }
    if ((await this.replay.run()) && !this.held) this.overflow.empty();
  }

  private async sendAgain(): Promise<void> {
    // Taken out first: Redis may go away and come back meanwhile, and then there are others.
    for (let job = this.again.shift(); job !== undefined; job = this.again.shift()) {
      try {
        await this.put(job, this.o.instance);
      } catch (error) {
        this.again.unshift(job);
        throw error;
      }
    }
  }

  private async fromMemory(): Promise<void> {
    const { inMemory } = this.overflow;
    while (inMemory.length > 0) {
      const events = inMemory.splice(0, BATCH_SIZE);
      await this.post(events.map(written), this.o.instance).catch((error: unknown) => {
        this.overflow.keep(events, { inRedis: false, why: 'redis_away' });
        throw error;
      });
    }
  }

  /** Records in this process's hash that nobody has put on the queue. */
  private async fromHash(): Promise<void> {
    const { instance, queue } = this.o;
    if (!this.held || this.closingMs !== null || this.next.isHalfFull) return;
    this.held = false;
    try {
      for (let cursor = '0'; ; ) {
        if (queue.isFull) throw new Error('the usage queue has no room');
        const [next, flat] = await this.redis.hscan(gatewayOpsKey(instance), cursor, 'COUNT', PAGE);
        const goAnyway = new Set(this.next.events().map(({ event }) => lineId(event)));
        const events = flat.filter((_, i) => i % 2 === 1).map(writtenIn).filter((one) => one !== null).filter(({ event }) => !goAnyway.has(lineId(event)));
        for (let at = 0; at < events.length; at += BATCH_SIZE) await this.post(events.slice(at, at + BATCH_SIZE), instance);
        cursor = next;
        if (cursor !== '0') continue;
        if (!this.held) this.next.forgetLeft(); // on the queue now, all of them
        return;
      }
    } catch (error) {
      this.held = true;
      throw error;
    }
  }

  /** Redis may have come back without what it knew last: the last moments are told again. */
  private async afterOutage(): Promise<void> {
    this.held = true;
    this.again = this.lastSent.all();
    this.next.leftAgain();
    const open = [...this.open.values()];
    for (let at = 0; at < open.length; at += PAGE) {
      const pipeline = openPipeline(this.redis);
      // Checked again here: what has ended meanwhile has no opening.
      for (const one of open.slice(at, at + PAGE)) if (this.open.has(one.id)) pipeline.hsetnx(gatewayOpsKey(this.o.instance), one.id, JSON.stringify(one));
      await pipeline.exec().catch(() => undefined); // away again; its return brings us back here
    }
    await this.catchUp();
  }
}

/** A record or a shadow in the hash; null for an opening, and for what the sweep is to set aside. */
function writtenIn(text: string): WrittenEvent | null {
  try {
    const event = JSON.parse(text) as UsageEvent | OpenOperation;
    return event.kind === 'open' ? null : { event, text };
  } catch {
    return null;
  }
}
