const STEPS = 5;

/**
 * What `work` comes to, or null when it is not there within `ms`, or failed. What comes of it later, null if nothing, is handed
 * to `late`, which must not throw. Never rejects.
 *
 * Time in which this process itself was busy does not count, because an answer may lie unread meanwhile: the deadline passes in
 * steps, each of which lets the event loop turn.
 */
export function inTime<T>(work: Promise<T>, ms: number, late: (value: T | null) => void = () => undefined): Promise<T | null> {
  const { promise, resolve } = Promise.withResolvers<T | null>();
  let given = false;
  let steps = STEPS;
  const step = (): void => {
    steps -= 1;
    if (steps > 0) timer = setTimeout(step, ms / STEPS);
    else setImmediate(giveUp); // once more, what has arrived is read first
  };
  const giveUp = (): void => {
    given = true;
    resolve(null);
  };
  let timer = setTimeout(step, ms / STEPS);
  const ended = (value: T | null): void => {
    clearTimeout(timer);
    if (given) late(value);
    else resolve(value);
  };
  work.then(ended, () => ended(null));
  return promise;
}
