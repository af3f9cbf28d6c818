const STEPS = 5;
/** A step that comes so much later than it should says that this process, or the whole machine, was held up. */
const HELD_UP_MS = 10;
/** However long it is held up, the deadline is over after so many times its length. */
const MOST_TIMES = 10;

/**
 * What `work` comes to, or null when it is not there within `ms`, or failed. What comes of it later, null if nothing, is handed
 * to `late`, which must not throw. Never rejects.
 *
 * Time in which this process itself was busy does not count, because an answer may lie unread meanwhile, or whoever is to give it
 * may have been kept waiting by the same crowd: the deadline passes in steps, each of which lets the event loop turn, and a step
 * that was held up is none.
 */
export function inTime<T>(work: Promise<T>, ms: number, late: (value: T | null) => void = () => undefined): Promise<T | null> {
  const { promise, resolve } = Promise.withResolvers<T | null>();
  const stepMs = ms / STEPS;
  const beganMs = performance.now();
  let given = false;
  let steps = STEPS;
  let lastMs = beganMs;
  const step = (): void => {
    const nowMs = performance.now();
    if (nowMs - lastMs < stepMs + HELD_UP_MS || nowMs - beganMs >= MOST_TIMES * ms) steps -= 1;
    lastMs = nowMs;
    if (steps > 0) timer = setTimeout(step, stepMs);
    else setImmediate(giveUp); // once more, what has arrived is read first
  };
  const giveUp = (): void => {
    given = true;
    resolve(null);
  };
  let timer = setTimeout(step, stepMs);
  const ended = (value: T | null): void => {
    clearTimeout(timer);
    if (given) late(value);
    else resolve(value);
  };
  work.then(ended, () => ended(null));
  return promise;
}
