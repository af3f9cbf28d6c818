/**
 * How durations are counted in the sums: an exponential histogram of scale 2 (https://opentelemetry.io/docs/specs/otel/metrics/data-model/#exponentialhistogram),
 * four buckets for each doubling. Histograms are merged by adding bucket to bucket.
 */

/** Bucket 0: up to 1 ms; bucket i: in (2^((i-1)/4), 2^(i/4)] ms; the last: all that took longer, 12 minutes and more. */
export const BUCKETS = 80;

/** 2^(1/4): a percentile is no further from the true one than this factor. */
export const BUCKET_RATIO = 1.189207115002721;

const STEPS = [1, BUCKET_RATIO, 1.4142135623730951, 1.681792830507429] as const;
/** Of all buckets but the last. Numbers times powers of two, so that they are the same to a bit on every machine and in `usage.latency_bucket`. */
const UPPER_MS: readonly number[] = Array.from({ length: BUCKETS / STEPS.length }, (_, doublings) => STEPS.map((step) => step * 2 ** doublings))
  .flat()
  .slice(0, BUCKETS - 1);

/** The columns of the sums, `l00` to `l79`. */
export const BUCKET_COLUMNS: readonly string[] = Array.from({ length: BUCKETS }, (_, i) => `l${String(i).padStart(2, '0')}`);

/** The bucket of a duration: how many upper bounds lie below it. */
export function bucketOf(ms: number): number {
  let [from, to] = [0, UPPER_MS.length];
  while (from < to) {
    const middle = (from + to) >>> 1;
    if ((UPPER_MS[middle] ?? Infinity) < ms) from = middle + 1;
    else to = middle;
  }
  return from;
}

/**
 * The duration, ms, that `share` (in [0, 1]) of those counted did not exceed; null when nothing was counted. Within its bucket it is
 * interpolated geometrically, so it lies within a factor of BUCKET_RATIO of the true one, above 1 ms and up to 12 minutes. Of what took longer than that, the
 * least that it took.
 */
export function percentileOf(counts: readonly number[], share: number): number | null {
  const total = counts.reduce((sum, count) => sum + count, 0);
  if (total === 0) return null;
  const rank = Math.min(total, Math.max(1, Math.ceil(share * total)));
  let below = 0;
  for (const [bucket, count] of counts.entries()) {
    if (below + count >= rank) return within(bucket, (rank - below) / count);
    below += count;
  }
  return within(BUCKETS - 1, 1);
}

function within(bucket: number, part: number): number {
  const upperMs = UPPER_MS[bucket];
  const lowerMs = UPPER_MS[bucket - 1];
  if (lowerMs === undefined) return part;
  return upperMs === undefined ? lowerMs : lowerMs * (upperMs / lowerMs) ** part;
}
