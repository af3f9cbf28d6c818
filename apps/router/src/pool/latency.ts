/** The time to the first byte of one deployment: an average in which a sample counts less the older it is, exponentially. */
export interface Latency {
  /** Samples (ms), each times its weight at `atMs`. */
  sumMs: number;
  weight: number;
  /** Time of the newest sample, Unix ms. */
  atMs: number;
  /** What the gateways were told; null: nothing yet. */
  shownMs: number | null;
}

/** A sample counts a third after this time. */
const MEMORY_MS = 30_000;
/** The gateways are told when it moved by more than this share. */
const NOTICEABLE = 0.2;
const SHOWN_DIGITS = 2;

/** The average with one more sample. Samples may come in any order: the result is the same, but for rounding. */
export function latencyAfter(latency: Latency | null, sampleMs: number, atMs: number): Latency {
  if (latency === null) return { sumMs: sampleMs, weight: 1, atMs, shownMs: null };
  const newestMs = Math.max(latency.atMs, atMs);
  const [kept, added] = [weightOf(newestMs - latency.atMs), weightOf(newestMs - atMs)];
  return { ...latency, sumMs: latency.sumMs * kept + sampleMs * added, weight: latency.weight * kept + added, atMs: newestMs };
}

const weightOf = (ageMs: number): number => Math.exp(-ageMs / MEMORY_MS);

export const averageMs = ({ sumMs, weight }: Latency): number => sumMs / weight;

/** The latency with what the gateways are to be told now; the same object when that is what they know. */
export function shownAgain(latency: Latency): Latency {
  const nowMs = averageMs(latency);
  const { shownMs } = latency;
  if (shownMs !== null && Math.abs(nowMs - shownMs) <= NOTICEABLE * shownMs) return latency;
  const rounded = Number(nowMs.toPrecision(SHOWN_DIGITS));
  return rounded === shownMs ? latency : { ...latency, shownMs: rounded };
}
