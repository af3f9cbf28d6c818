import { defineScript, runScript, type RedisClient } from '@deja/redis';

/** Asked by way of a key, so that the server answers which has it: those of a cluster may differ. KEYS: stream. */
const TIME = defineScript(`return redis.call('TIME')`);

/**
 * What time it is in Redis, so that the age of a message is measured on the one clock that stamped it: those of the
 * machines that send and handle may differ.
 */
export class RedisClock {
  private readonly key: string;
  /** To be added to `performance.now()`. */
  #offsetMs = performance.timeOrigin;

  /** @param key the stream whose entries are stamped */
  constructor(key: string) {
    this.key = key;
  }

  /** Asks Redis. Its answer was made somewhere within the round trip, so the error is half of that at most. */
  async synchronise(redis: RedisClient): Promise<void> {
    const askedMs = performance.now();
    const [seconds, micros] = (await runScript(redis, TIME, [this.key], [])) as [string, string];
    const answeredMs = performance.now();
    this.#offsetMs = Number(seconds) * 1000 + Number(micros) / 1000 - (askedMs + answeredMs) / 2;
  }

  /** Unix milliseconds. */
  nowMs(): number {
    return performance.now() + this.#offsetMs;
  }
}
