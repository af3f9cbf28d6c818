import { SNAPSHOT_KEY, type RoutingSnapshot } from '@deja/contracts';
import { isUp, type RedisClient } from '@deja/redis';

const VERSION = /^\{"version":(\d+),/;
const HEADER_BYTES = 64;

/** Follows deja.yaml and what routers say of deployments and credentials, as they publish it in the routing snapshot. */
export class SettingsWatch {
  private version = '';
  private last: RoutingSnapshot | null = null;

  constructor(private readonly redis: RedisClient) {}

  /** The newest that was seen; null until there was one. */
  snapshot(): RoutingSnapshot | null {
    return this.last;
  }

  /** The newest there is, for what goes by what was in force when it was asked for. While Redis is away it is the newest that was seen. */
  async newest(): Promise<RoutingSnapshot | null> {
    await this.look().catch(() => undefined); // the next look says so
    return this.last;
  }

  /** Looks whether there is a newer one: a few bytes, mostly. While Redis is away, or has lost it, what was known stays. Rejects when Redis fails. */
  async look(): Promise<void> {
    if (!isUp(this.redis)) return;
    const [, version] = VERSION.exec(await this.redis.getrange(SNAPSHOT_KEY, 0, HEADER_BYTES)) ?? [];
    if (version === undefined || version === this.version) return;
    const snapshot = JSON.parse((await this.redis.get(SNAPSHOT_KEY)) ?? 'null') as RoutingSnapshot | null;
    if (snapshot === null) return;
    this.version = version;
    this.last = snapshot;
  }
}
