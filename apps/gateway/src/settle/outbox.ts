import { gatewayAliveKey, gatewayOpsKey, GATEWAY_HEARTBEAT_S, GATEWAYS_KEY, type LateAttempt, type OpenOperation, type OperationRecord, type UsageBatch, type UsageEvent } from '@deja/contracts';
import { isUp, onReady, openPipeline, type Pipeline, type RedisClient } from '@deja/redis';
import type { Logger } from '@deja/telemetry';
import { lineId, type Spool, type SpoolLine } from './spool.ts';

/** Puts one batch on the usage queue; resolves when Redis has it. */
export type Enqueue = (batch: UsageBatch) => Promise<void>;

const BATCH_MS = 20;
const BATCH_SIZE = 200;
const REPLAY_MS = 1000;

/**
 * The way of a settled operation to the usage-worker. First its record replaces the opening in this process's hash in
 * Redis, so that it survives a kill; then batches go on the queue; then the hash forgets it. What Redis cannot take goes
 * to the spool and is replayed. A shadow's record takes the same steps under its own id.
 */
export class Outbox {
  private waiting: UsageEvent[] = [];
  private timer: NodeJS.Timeout | null = null;
  private flushing: Promise<void> | null = null;
  private readonly timers: NodeJS.Timeout[] = [];
  /** Operations under way in this process. */
  private readonly open = new Set<string>();
  private replaying = false;
  /** Live gateway processes, as of the last heartbeat. */
  replicas = 1;

  constructor(
    private readonly redis: RedisClient,
    private readonly enqueue: Enqueue,
    private readonly spool: Spool,
    private readonly o: { instance: string; leaseS: number; logger: Pick<Logger, 'error' | 'info'> },
  ) {}

  /** Announces this process, keeps its lease and replays what the spool holds. */
  async start(): Promise<void> {
    await this.heartbeat();
    const beatMs = Math.min(GATEWAY_HEARTBEAT_S * 1000, (this.o.leaseS * 1000) / 4);
    this.timers.push(setInterval(() => void this.heartbeat(), beatMs).unref());
    this.timers.push(setInterval(() => void this.replay(), REPLAY_MS).unref());
    onReady(this.redis, () => void this.heartbeat());
  }

  /** Remembers that an operation was opened; `recorded` says whether Redis knows it already. */
  opened(operation: OpenOperation, recorded: boolean): void {
    this.open.add(operation.id);
    if (!recorded) this.toSpool([operation]);
  }

  /** Adds the first step, the record in place of the opening, to a pipeline. */
  queue(pipeline: Pipeline, record: OperationRecord): void {
    pipeline.hset(gatewayOpsKey(this.o.instance), record.id, JSON.stringify(record));
  }

  /** Takes a settled operation; `recorded` says whether Redis has its record. Never throws: settlement must not fail a request that was answered. */
  settled(record: OperationRecord, recorded: boolean): void {
    this.open.delete(record.id);
    this.take(record, recorded);
  }

  /** Takes a shadow attempt by itself, in the same steps. Never throws. */
  async late(event: LateAttempt): Promise<void> {
    const recorded = isUp(this.redis) && (await this.redis.hset(gatewayOpsKey(this.o.instance), lineId(event), JSON.stringify(event)).then(() => true, () => false));
    this.take(event, recorded);
  }

  private take(event: UsageEvent, recorded: boolean): void {
    if (!recorded) return this.toSpool([event]);
    this.waiting.push(event);
    if (this.waiting.length >= BATCH_SIZE) void this.flush();
    else this.timer ??= setTimeout(() => void this.flush(), BATCH_MS);
  }

  /** Sends what is waiting; one batch is under way at a time. */
  async flush(): Promise<void> {
    if (this.timer) clearTimeout(this.timer);
    this.timer = null;
    while (this.flushing) await this.flushing;
    if (this.waiting.length === 0) return;
    this.flushing = this.send(this.waiting.splice(0, BATCH_SIZE)).finally(() => {
      this.flushing = null;
      if (this.waiting.length > 0) this.timer ??= setTimeout(() => void this.flush(), 0);
    });
    await this.flushing;
  }

  /** Hands everything over; gives the lease back when nothing of this process is left open. */
  async close(): Promise<void> {
    for (const timer of this.timers) clearInterval(timer);
    while (this.waiting.length > 0 || this.flushing) await this.flush();
    await this.replay();
    this.spool.close();
    if (this.open.size > 0 || !isUp(this.redis)) return;
    const left = await this.redis.hlen(gatewayOpsKey(this.o.instance));
    if (left === 0) await openPipeline(this.redis).srem(GATEWAYS_KEY, this.o.instance).del(gatewayAliveKey(this.o.instance)).exec();
  }

  private async send(events: UsageEvent[]): Promise<void> {
    try {
      await this.enqueue({ v: 1, events });
    } catch {
      this.toSpool(events);
      return;
    }
    await this.redis.hdel(gatewayOpsKey(this.o.instance), ...events.map(lineId)).catch((error: unknown) => {
      // Harmless: inserting twice changes nothing, and the sweep takes what stays.
      this.o.logger.info({ err: error }, 'settled operations stay listed as open until the next sweep');
    });
  }

  private toSpool(lines: SpoolLine[]): void {
    try {
      this.spool.append(lines);
    } catch (error) {
      this.o.logger.error({ err: error, records: lines.map(lineId) }, 'neither Redis nor the disk takes usage records; these are lost');
    }
  }

  private async heartbeat(): Promise<void> {
    if (!isUp(this.redis)) return;
    try {
      const replies = await openPipeline(this.redis).sadd(GATEWAYS_KEY, this.o.instance).set(gatewayAliveKey(this.o.instance), '1', 'EX', this.o.leaseS).scard(GATEWAYS_KEY).exec();
      this.replicas = Math.max(1, Number(replies?.[2]?.[1] ?? this.replicas));
    } catch {
      // The next beat tries again; the lease outlives several.
    }
  }

  /** Sends spooled records to the queue, and openings of processes that are gone to the sweep. */
  private async replay(): Promise<void> {
    if (this.replaying || !isUp(this.redis)) return;
    this.replaying = true;
    try {
      await this.replayFiles();
    } finally {
      this.replaying = false;
    }
  }

  private async replayFiles(): Promise<void> {
    for (const path of this.spool.waiting()) {
      const claimed = this.spool.claim(path);
      if (!claimed) continue;
      const { instance, lines } = claimed.content;
      try {
        const settled = lines.filter((line) => line.kind !== 'open');
        for (let i = 0; i < settled.length; i += BATCH_SIZE) await this.enqueue({ v: 1, events: settled.slice(i, i + BATCH_SIZE) });
        const openings = lines.filter((line) => line.kind === 'open' && (instance !== this.o.instance || this.open.has(line.id)));
        for (const line of openings) await openPipeline(this.redis).hset(gatewayOpsKey(instance), lineId(line), JSON.stringify(line)).sadd(GATEWAYS_KEY, instance).exec();
        claimed.done();
        this.o.logger.info({ settled: settled.length, open: openings.length }, 'spooled usage records were replayed');
      } catch {
        return; // still away: the claimed file is found again at the next try
      }
    }
  }
}
