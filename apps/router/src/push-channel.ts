import { PUSH_CHANNEL, type Push } from '@deja/contracts';
import type { RedisClient } from '@deja/redis';
import type { Logger } from '@deja/telemetry';

const RETRY_MS = 200;
/** Gateways that were cut off longer than this flush everything when they are back. */
const GIVE_UP_MS = 30_000;

/** What this replica tells every gateway and the other replicas. */
export class PushChannel {
  constructor(
    private readonly redis: RedisClient,
    private readonly logger: Pick<Logger, 'error'>,
  ) {}

  /** Resolves when Redis has passed it on. During an outage of Redis it is tried again in the background, and this resolves at once. */
  async send(push: Push): Promise<void> {
    if (!(await this.#published(push))) void this.#keepTrying(push);
  }

  /** Says that this replica lives. Not tried again: the next one says so too. */
  async sayAlive(): Promise<void> {
    await this.#published({ kind: 'router_alive' });
  }

  async #published(push: Push): Promise<boolean> {
    try {
      await this.redis.publish(PUSH_CHANNEL, JSON.stringify(push));
      return true;
    } catch {
      return false; // the connection logs its own outages
    }
  }

  async #keepTrying(push: Push): Promise<void> {
    const giveUpAtMs = Date.now() + GIVE_UP_MS;
    while (Date.now() < giveUpAtMs) {
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS).unref());
      if (await this.#published(push)) return;
    }
    this.logger.error({ push: push.kind }, 'a change could not be pushed to the gateways');
  }
}

/** A message of the channel; null for one that cannot be read. */
export function readPush(text: string): Push | null {
  try {
    return JSON.parse(text);
  } catch {
    return null; // the caller knows what to do
  }
}
