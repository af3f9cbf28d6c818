/**
 * What `work` comes to, or null when it is not there within `ms`, or failed. What comes of it later, null if nothing, is handed
 * to `late`, which must not throw. Never rejects.
 */
export function inTime<T>(work: Promise<T>, ms: number, late: (value: T | null) => void = () => undefined): Promise<T | null> {
  const { promise, resolve } = Promise.withResolvers<T | null>();
  let given = false;
  // Where this process itself was busy, the answer lies unread beside the timer: one turn of the event loop reads it first.
  const timer = setTimeout(() => setImmediate(() => {
    given = true;
    resolve(null);
  }), ms);
  const ended = (value: T | null): void => {
    clearTimeout(timer);
    if (given) late(value);
    else resolve(value);
  };
  work.then(ended, () => ended(null));
  return promise;
}
