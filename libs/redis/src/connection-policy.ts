import type { Redis } from 'ioredis';

/** Commands wait for the first attempt to connect; from then on they fail at once while there is no connection. */
export function failFastAfterFirstAttempt(redis: Redis): void {
  const failFast = (): void => {
    redis.options.enableOfflineQueue = false;
  };
  redis.once('ready', failFast);
  redis.once('close', failFast);
}

/**
 * After an outage ioredis subscribes again by itself, and when the connection breaks at that moment too, nobody holds the
 * promise: the process would end over an unhandled rejection, although the next connection subscribes once more.
 */
export function tolerateLostSubscriptions(redis: Redis): void {
  const subscribe = redis.subscribe.bind(redis) as (...args: unknown[]) => Promise<unknown>;
  const tolerant = (...args: unknown[]): Promise<unknown> => {
    const subscribed = subscribe(...args);
    subscribed.catch(() => undefined); // who awaits it still learns of it
    return subscribed;
  };
  redis.subscribe = tolerant as Redis['subscribe'];
}
