import type { Redis } from 'ioredis';

/**
 * What time it is in Redis, so that the age of a message is measured on the one clock that stamped it: those of the
 * machines that send and handle may differ.
 */
export class RedisClock {
  /** To be added to `performance.now()`. */
  #offsetMs = performance.timeOrigin;

  /** Asks Redis. Its answer was made somewhere within the round trip, so the error is half of that at most. */
  async synchronise(redis: Redis): Promise<void> {
    const askedMs = performance.now();
    const [seconds, micros] = await redis.time();
    const answeredMs = performance.now();
    this.#offsetMs = Number(seconds) * 1000 + Number(micros) / 1000 - (askedMs + answeredMs) / 2;
  }

  /** Unix milliseconds. */
  nowMs(): number {
    return performance.now() + this.#offsetMs;
  }
}
