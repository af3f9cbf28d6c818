/**
 * Work that may be left off wherever it yields, so that somebody else gets a turn, and ends with its result. It knows no clock: who
 * does it decides how long a turn is.
 */
export type Work<T> = Generator<undefined, T, undefined>;

/** All of it in one turn. */
export function finished<T>(work: Work<T>): T {
  for (;;) {
    const { done, value } = work.next();
    if (done === true) return value;
  }
}
