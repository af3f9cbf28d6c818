import { COUNTING_GATEWAYS_KEY, gatewayAcceptedKey, gatewayAliveKey, gatewayOpsKey, GATEWAYS_KEY, type OpenOperation, type UsageEvent } from '@deja/contracts';
import { defineScript, openPipeline, runScript, type Pipeline, type RedisClient } from '@deja/redis';
import type { Logger } from '@deja/telemetry';
import { ACCEPTED_TTL_S, type AcceptedCount } from './accepted.ts';
import { BATCH_SIZE } from './batching.ts';
import type { ClaimedFile, Spool, SpoolFile } from './spool.ts';
import type { SpoolEntry } from './spool-lines.ts';

/** A count of a process that is gone stands beside what it wrote to Redis itself: the larger one is the later. */
const KEEP_LARGER = defineScript(`
  for i = 1, #ARGV, 2 do
    if tonumber(redis.call('HGET', KEYS[1], ARGV[i]) or 0) < tonumber(ARGV[i + 1]) then redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1]) end
  end
  return redis.call('EXPIRE', KEYS[1], ${ACCEPTED_TTL_S})`);

export interface ReplayParts {
  redis: RedisClient;
  spool: Spool;
  instance: string;
  isOpen: (id: string) => boolean;
  /** Whether the queue has room for another batch. */
  hasRoom: () => boolean;
  /** Puts events on the queue and takes them out of the hash of this gateway process. */
  post: (events: UsageEvent[], instance: string) => Promise<void>;
  logger: Pick<Logger, 'info' | 'warn'>;
}

/**
 * Brings what is on the disk to where it belongs, the oldest first and as far as the queue has room: what was settled to the queue, openings to the hash of their
 * gateway process, and what a process accepted that is gone to its counts. Whatever breaks off is done again; nothing of it counts twice.
 */
export class Replay {
  private readonly parts: ReplayParts;
  private current: { file: ClaimedFile; events: UsageEvent[]; sent: number } | null = null;

  constructor(parts: ReplayParts) {
    this.parts = parts;
  }

  /** One round; true when nothing is left to do. Never rejects: what is still away is tried again. */
  async run(): Promise<boolean> {
    return await this.round().catch(() => false);
  }

  private async round(): Promise<boolean> {
    const { spool, hasRoom } = this.parts;
    if (!(await this.goOn())) return false;
    for (const waiting of spool.waiting()) {
      if (!(await this.mayTake(waiting))) continue;
      if (!hasRoom()) return false;
      const file = spool.claim(waiting);
      if (file === null) continue;
      await this.begin(file);
      if (!(await this.goOn())) return false;
    }
    return true;
  }

  /** Process ids of another machine, or container, say nothing here. As long as a process has its lease it lives. */
  private async mayTake({ instance }: SpoolFile): Promise<boolean> {
    return instance === this.parts.instance || (await this.parts.redis.exists(gatewayAliveKey(instance))) === 0;
  }

  private async begin(file: ClaimedFile): Promise<void> {
    const { instance, isOpen } = this.parts;
    const { entries, accepted } = file.content;
    const isOwn = file.instance === instance;
    if (!isOwn) await this.count(file.instance, accepted);
    await this.open(file.instance, entries.filter((entry) => entry.kind === 'open').filter(({ id }) => !isOwn || isOpen(id)));
    this.current = { file, events: entries.filter(isEvent), sent: 0 };
  }

  /** False where the queue has no room for the rest. */
  private async goOn(): Promise<boolean> {
    const { current } = this;
    if (current === null) return true;
    const { file, events } = current;
    while (current.sent < events.length) {
      if (!this.parts.hasRoom()) return false;
      const batch = events.slice(current.sent, current.sent + BATCH_SIZE);
      await this.parts.post(batch, file.instance);
      current.sent += batch.length;
    }
    file.done();
    this.current = null;
    const { unreadable } = file.content;
    const told = { records: events.length, gateway: file.instance };
    if (unreadable > 0) this.parts.logger.warn({ ...told, unreadable }, 'spooled usage records were replayed; what was being written when the process or the disk failed cannot be read');
    else this.parts.logger.info(told, 'spooled usage records were replayed');
    return true;
  }

  private async count(instance: string, accepted: AcceptedCount[]): Promise<void> {
    if (accepted.length === 0) return;
    const { redis } = this.parts;
    await redis.sadd(COUNTING_GATEWAYS_KEY, instance);
    await runScript(redis, KEEP_LARGER, [gatewayAcceptedKey(instance)], accepted.flatMap(({ quarterMs, operations }) => [quarterMs, operations]));
  }

  /** Where something of the operation is already, that is no older. */
  private async open(instance: string, openings: OpenOperation[]): Promise<void> {
    for (let at = 0; at < openings.length; at += BATCH_SIZE) {
      const pipeline = openPipeline(this.parts.redis).sadd(GATEWAYS_KEY, instance);
      for (const opening of openings.slice(at, at + BATCH_SIZE)) pipeline.hsetnx(gatewayOpsKey(instance), opening.id, JSON.stringify(opening));
      await done(pipeline);
    }
  }
}

/** Resolves when all of it is done; rejects with the first error. */
async function done(pipeline: Pipeline): Promise<void> {
  const failed = (await pipeline.exec())?.find(([error]) => error !== null);
  if (failed !== undefined) throw failed[0];
}

const isEvent = (entry: SpoolEntry): entry is UsageEvent => entry.kind !== 'open';
