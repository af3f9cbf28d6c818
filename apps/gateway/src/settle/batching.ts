/** Events of one job at most. */
export const BATCH_SIZE = 200;
const SHORTEST_MS = 20;
/** A job costs a gateway, Redis and a worker about the same whatever is in it, so many events are gathered for longer, as far as nobody notices. */
const BUSY_MS = 100;
const LONGEST_MS = 1000;
/** Jobs that wait for a worker: so many are no sign of anything yet; with so many nobody waits for the newest event any more. */
const CALM_JOBS = 64;
const DEEP_JOBS = 256;

/**
 * How long events gather before they go on the queue, ms. While workers keep up, the ledger is a moment behind: the shortest where events come one by
 * one; when workers do not, a job in Redis costs the less for each event the more it has of them. @param lastEvents of the job before
 */
export function batchMs(waitingJobs: number, lastEvents: number): number {
  const calmMs = Math.min(BUSY_MS, SHORTEST_MS * Math.max(1, lastEvents));
  const depth = Math.min(1, Math.max(0, (waitingJobs - CALM_JOBS) / (DEEP_JOBS - CALM_JOBS)));
  return Math.round(calmMs + depth * (LONGEST_MS - calmMs));
}
