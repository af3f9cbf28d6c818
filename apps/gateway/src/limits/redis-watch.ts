import { tenantRevisionKey } from '@deja/contracts';
import { isUp, type RedisClient } from '@deja/redis';
import type { Logger } from '@deja/telemetry';
import { inTime } from './in-time.ts';
import { afterProbe, afterTrouble, beginProbe, FAST, type Standing } from './redis-standing.ts';

export interface WatchOptions {
  /** How long an answer may take, ms. */
  deadlineMs: number;
  /** All shards are on one Redis, and stand or fall together. */
  merged: boolean;
  now: () => number;
  /** In [0, 1). */
  random: () => number;
  logger: Pick<Logger, 'info' | 'warn'>;
}

/** Which shards of Redis are asked at the moment. A probe is a read that charges nothing and that no request waits for. */
export class RedisWatch {
  /** Those that are not fast. */
  private readonly standings = new Map<string, Standing>();
  private readonly timers = new Map<string, NodeJS.Timeout>();
  private onRecovery: (shard: string | null) => void = () => undefined;

  constructor(
    private readonly redis: RedisClient,
    private readonly o: WatchOptions,
  ) {}

  /** Told of every shard that is asked again; null: of all. */
  recovered(listener: (shard: string | null) => void): void {
    this.onRecovery = listener;
  }

  mayAsk(shard: string): boolean {
    if (!isUp(this.redis)) this.troubled(shard);
    return !this.standings.has(this.placeOf(shard));
  }

  /** An answer of this shard did not come in time. */
  troubled(shard: string): void {
    const place = this.placeOf(shard);
    if (this.standings.has(place)) return;
    this.o.logger.warn({ shard: place }, 'Redis is away or slow: limits and budgets are decided by their degraded modes');
    this.becomes(place, afterTrouble(FAST, this.o.now(), this.o.random()));
  }

  get isDegraded(): boolean {
    return this.standings.size > 0 || !isUp(this.redis);
  }

  close(): void {
    for (const timer of this.timers.values()) clearTimeout(timer);
  }

  private becomes(place: string, standing: Standing): void {
    if (standing.kind === 'fast') {
      this.standings.delete(place);
      this.timers.delete(place);
      this.o.logger.info({ shard: place }, 'Redis answers in time: it decides limits and budgets again');
      this.onRecovery(this.o.merged ? null : place);
      return;
    }
    this.standings.set(place, standing);
    if (standing.kind === 'slow') this.timers.set(place, setTimeout(() => void this.probe(place), Math.max(1, standing.probeAtMs - this.o.now())).unref());
  }

  private async probe(place: string): Promise<void> {
    const { now, random, deadlineMs } = this.o;
    const before = this.standings.get(place) ?? FAST;
    const standing = beginProbe(before, Math.max(now(), before.kind === 'slow' ? before.probeAtMs : 0)); // a timer may be early by a fraction
    this.becomes(place, standing);
    const answered = isUp(this.redis) && (await inTime(this.redis.exists(tenantRevisionKey(place)), deadlineMs)) !== null;
    this.becomes(place, afterProbe(standing, answered, now(), random()));
  }

  private placeOf(shard: string): string {
    return this.o.merged ? 'all' : shard;
  }
}
