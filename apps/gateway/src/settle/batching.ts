/** Events of one job at most. */
export const BATCH_SIZE = 200;
const SHORTEST_MS = 20;
const LONGEST_MS = 1000;
/** Jobs that wait for a worker: so many are no sign of anything yet; with so many nobody waits for the newest event any more. */
const CALM_JOBS = 64;
const DEEP_JOBS = 256;

/**
 * How long events gather before they go on the queue, ms. While workers keep up, the ledger is a moment behind; when they do not, a job in Redis costs
 * the less for each event the more it has of them.
 */
export function batchMs(waitingJobs: number): number {
  const depth = Math.min(1, Math.max(0, (waitingJobs - CALM_JOBS) / (DEEP_JOBS - CALM_JOBS)));
  return Math.round(SHORTEST_MS + depth * (LONGEST_MS - SHORTEST_MS));
}
