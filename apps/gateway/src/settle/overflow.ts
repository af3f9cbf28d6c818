import type { UsageEvent } from '@deja/contracts';
import type { Logger } from '@deja/telemetry';
import type { AcceptedCount } from './accepted.ts';
import type { OutboxMetrics } from './metrics.ts';
import type { Spool } from './spool.ts';
import { lineId } from './spool-lines.ts';

export type Place = 'disk' | 'redis' | 'memory' | 'lost';
export type SpoolReason = 'queue_full' | 'redis_away';

type OverflowMetrics = Pick<OutboxMetrics, 'spooled' | 'held' | 'lost'>;
type OverflowLog = Pick<Logger, 'error' | 'warn' | 'info'>;

/** Records that wait in this process's memory when neither Redis nor the disk takes them. */
const MOST_IN_MEMORY = 10_000;
/** How many ids a line in the log has. */
const MOST_NAMED = 1000;
const TOLD = {
  disk: 'usage records go to the disk: Redis does not take them, or the usage queue has no room',
  redis: 'usage records stay in Redis until the usage queue has room: the disk takes no more',
  memory: 'usage records stay in memory: neither Redis nor the disk takes them',
};

/** Where records are that the queue does not take: on the disk; where that has no room in Redis, which has them anyway; and in memory, for as long as there is some, where both fail. */
export class Overflow {
  private readonly spool: Spool;
  private readonly metrics: OverflowMetrics;
  private readonly logger: OverflowLog;
  readonly inMemory: UsageEvent[] = [];
  private lost: string[] = [];
  /** What the log was told last; null: that all is well. */
  private told: keyof typeof TOLD | null = null;

  constructor(spool: Spool, metrics: OverflowMetrics, logger: OverflowLog) {
    this.spool = spool;
    this.metrics = metrics;
    this.logger = logger;
  }

  /** Finds a place for records; `inRedis`: this process's hash has them. `counts` go to the disk with them. */
  keep(events: UsageEvent[], { inRedis, why, counts = [] }: { inRedis: boolean; why: SpoolReason; counts?: AcceptedCount[] }): Place {
    try {
      this.spool.append([...counts, ...events]);
      this.metrics.spooled(events.length, why);
      this.tell('disk');
      return 'disk';
    } catch (error) {
      if (inRedis) return this.leave(events, error);
      if (this.inMemory.length + events.length > MOST_IN_MEMORY) {
        this.lost.push(...events.map(lineId));
        this.metrics.lost(events.length);
        return 'lost';
      }
      this.inMemory.push(...events);
      this.tell('memory', error);
      return 'memory';
    }
  }

  /** Leaves records where they are, in this process's hash; `reason`: why the disk does not take them, null where it was not asked. */
  leave(events: UsageEvent[], reason: unknown): Place {
    this.metrics.held(events.length);
    if (reason !== null) this.tell('redis', reason);
    return 'redis';
  }

  /** Nothing is left anywhere. */
  empty(): void {
    if (this.told !== null) this.logger.info({}, 'usage records are on the queue again');
    this.told = null;
  }

  /** Those in memory are lost with this process. */
  giveUp(): void {
    this.metrics.lost(this.inMemory.length);
    this.lost.push(...this.inMemory.splice(0).map(lineId));
    this.tellLost();
  }

  tellLost(): void {
    const records = this.lost.splice(0);
    if (records.length > 0) this.logger.error({ count: records.length, records: records.slice(0, MOST_NAMED) }, 'neither Redis nor the disk takes usage records; these are lost');
  }

  private tell(where: keyof typeof TOLD, error?: unknown): void {
    if (this.told === where) return;
    this.told = where;
    if (where === 'disk') this.logger.warn({}, TOLD[where]);
    else this.logger.error({ err: error }, TOLD[where]);
  }
}
