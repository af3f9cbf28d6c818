/** After so long a connection that a worker has not taken is given to another one. */
export const TAKEN_BACK_AFTER_MS = 1000;

/**
 * Whoever has said within so long that a connection is its own may be sure that this is heard before the connection is taken back. Whoever was slower, as one that
 * was stopped in between, has to ask, or two processes would read from one connection.
 */
export const SURELY_HEARD_MS = 500;

/** Milliseconds of the clock that all processes of a machine share and nobody sets. `performance.now()` begins anew with each process, and `Date.now()` is set. */
export function machineMs(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1000 + nanoseconds / 1e6;
}
