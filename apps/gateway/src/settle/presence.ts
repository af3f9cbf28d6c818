import { COUNTING_GATEWAYS_KEY, SPOOLED_FIELD, gatewayAcceptedKey, gatewayAliveKey, gatewayOpsKey, GATEWAY_HEARTBEAT_S, GATEWAYS_KEY } from '@deja/contracts';
import { isUp, onReady, openPipeline, type RedisClient } from '@deja/redis';
import { ACCEPTED_TTL_S, type AcceptedCounts } from './accepted.ts';

export interface PresenceParts {
  redis: RedisClient;
  instance: string;
  leaseS: number;
  accepted: AcceptedCounts;
  /** Settled operations on this process's disk, by quarter of an hour. */
  spooled: () => Map<number, number>;
}

/** What Redis knows of this process: that it lives, what it accepted, and what of that lies on its disk. Written again and again, so that it is right also after Redis has lost it. */
export class Presence {
  private readonly parts: PresenceParts;
  private timer: NodeJS.Timeout | null = null;
  private stopFollowing: () => void = () => undefined;
  /** Live gateway processes, as of the last beat. */
  replicas = 1;

  constructor(parts: PresenceParts) {
    this.parts = parts;
  }

  async start(): Promise<void> {
    const { redis, leaseS } = this.parts;
    await this.beat();
    this.timer = setInterval(() => void this.beat(), Math.min(GATEWAY_HEARTBEAT_S * 1000, (leaseS * 1000) / 4)).unref();
    this.stopFollowing = onReady(redis, () => void this.beat());
  }

  close(): void {
    if (this.timer) clearInterval(this.timer);
    this.stopFollowing();
  }

  /** Gives the lease back when Redis holds nothing of this process any more. */
  async leave(): Promise<void> {
    const { redis, instance } = this.parts;
    const left = await redis.hlen(gatewayOpsKey(instance));
    if (left === 0) await openPipeline(redis).srem(GATEWAYS_KEY, instance).del(gatewayAliveKey(instance)).exec();
  }

  /** Never rejects: the next beat tries again, and the lease outlives several. */
  async beat(): Promise<void> {
    const { redis, instance, leaseS, accepted, spooled } = this.parts;
    if (!isUp(redis)) return;
    const key = gatewayAcceptedKey(instance);
    const { counts, over } = accepted.all(Date.now());
    const pipeline = openPipeline(redis).sadd(GATEWAYS_KEY, instance).set(gatewayAliveKey(instance), '1', 'EX', leaseS).scard(GATEWAYS_KEY);
    pipeline.sadd(COUNTING_GATEWAYS_KEY, instance).hset(key, SPOOLED_FIELD, JSON.stringify(Object.fromEntries(spooled())));
    for (const count of counts) accepted.queue(pipeline, count);
    if (over.length > 0) pipeline.hdel(key, ...over.map(String));
    const replies = await pipeline.expire(key, ACCEPTED_TTL_S).exec().catch(() => null);
    this.replicas = Math.max(1, Number(replies?.[2]?.[1] ?? this.replicas));
  }
}
