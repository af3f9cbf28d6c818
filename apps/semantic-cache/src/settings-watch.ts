import { SNAPSHOT_KEY, type RoutingSnapshot, type SemanticSettings } from '@deja/contracts';
import { isUp, type RedisClient } from '@deja/redis';
import type { Logger } from '@deja/telemetry';

const POLL_MS = 500;
const VERSION = /^\{"version":(\d+),/;
const HEADER_BYTES = 64;

/** Follows what deja.yaml says of the semantic cache, which routers publish with the routing snapshot. */
export class SettingsWatch {
  private readonly redis: RedisClient;
  private readonly onSettings: (settings: SemanticSettings) => void;
  private readonly logger: Pick<Logger, 'warn'>;
  private version = '';
  private timer: NodeJS.Timeout | null = null;
  private looking: Promise<void> = Promise.resolve();

  constructor(parts: { redis: RedisClient; onSettings: (settings: SemanticSettings) => void; logger: Pick<Logger, 'warn'> }) {
    this.redis = parts.redis;
    this.onSettings = parts.onSettings;
    this.logger = parts.logger;
  }

  start(): void {
    const next = (): void => {
      this.timer = setTimeout(() => {
        this.looking = this.look().finally(() => {
          if (this.timer !== null) next();
        });
      }, POLL_MS);
    };
    this.looking = this.look();
    next();
  }

  async close(): Promise<void> {
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
    await this.looking;
  }

  /** Never rejects: what was known stays in force. */
  private async look(): Promise<void> {
    if (!isUp(this.redis)) return;
    try {
      const [, version] = VERSION.exec(await this.redis.getrange(SNAPSHOT_KEY, 0, HEADER_BYTES)) ?? [];
      if (version === undefined || version === this.version) return;
      const snapshot = JSON.parse((await this.redis.get(SNAPSHOT_KEY)) ?? 'null') as RoutingSnapshot | null;
      if (snapshot === null) return;
      this.version = version;
      this.onSettings(snapshot.settings.cache.semantic);
    } catch (error) {
      this.logger.warn({ err: error }, 'the settings could not be read, trying again');
    }
  }
}
