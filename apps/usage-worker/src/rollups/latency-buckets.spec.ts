import fc from 'fast-check';
import { BUCKETS, BUCKET_COLUMNS, BUCKET_RATIO, bucketOf, percentileOf } from './latency-buckets.ts';

/** From what an exact hit takes to what the longest stream does; of a millisecond and less only that much is known. */
const duration = fc.double({ min: 1, minExcluded: true, max: 700_000, noNaN: true });
const durations = fc.array(duration, { minLength: 1, maxLength: 200 });
const share = fc.double({ min: 0, max: 1, noNaN: true });

const countsOf = (all: number[]): number[] => {
  const counts = Array.from({ length: BUCKETS }, () => 0);
  for (const ms of all) counts[bucketOf(ms)]! += 1;
  return counts;
};
/** The smallest that at least `share` of all do not exceed. */
const truePercentile = (all: number[], of: number): number => all.toSorted((a, b) => a - b)[Math.max(1, Math.ceil(of * all.length)) - 1]!;

test('a bucket ends with its upper bound, and the next begins behind it', () => {
  for (let i = 0; i < BUCKETS - 1; i += 1) {
    const upperMs = 2 ** (i / 4);
    expect([bucketOf(upperMs), bucketOf(upperMs * (1 + Number.EPSILON))]).toEqual([i, i + 1]);
  }
});

test('whatever took less than a millisecond is in the first bucket, and whatever took longer than twelve minutes in the last', () => {
  expect([-5, 0, 0.001, 1].map(bucketOf)).toEqual([0, 0, 0, 0]);
  expect([742_000, 1e9, Number.MAX_VALUE].map(bucketOf)).toEqual([79, 79, 79]);
  expect(BUCKET_COLUMNS).toHaveLength(BUCKETS);
  expect([BUCKET_COLUMNS[0], BUCKET_COLUMNS[79]]).toEqual(['l00', 'l79']);
});

test('a percentile is within one bucket’s ratio of the true one', () => {
  fc.assert(
    fc.property(durations, share, (all, of) => {
      const ratio = percentileOf(countsOf(all), of)! / truePercentile(all, of);
      expect(ratio).toBeLessThanOrEqual(BUCKET_RATIO * (1 + 1e-12));
      expect(ratio).toBeGreaterThanOrEqual(1 / BUCKET_RATIO / (1 + 1e-12));
    }),
    { numRuns: 500 },
  );
});

test('merging is adding: the histograms of two parts have the percentiles of the whole', () => {
  fc.assert(
    fc.property(durations, durations, share, (some, others, of) => {
      const counts = countsOf(others);
      const merged = countsOf(some).map((count, i) => count + counts[i]!);
      expect(merged).toEqual(countsOf([...some, ...others]));
      expect(percentileOf(merged, of)).toBe(percentileOf(countsOf([...some, ...others]), of));
    }),
  );
});

test('a higher share is never a lower duration', () => {
  fc.assert(
    fc.property(durations, share, share, (all, a, b) => {
      const [less, more] = [Math.min(a, b), Math.max(a, b)].map((of) => percentileOf(countsOf(all), of)!);
      expect(more).toBeGreaterThanOrEqual(less!);
    }),
  );
});

test('nothing has no percentile, and what was over the last bound has the bound', () => {
  expect(percentileOf(countsOf([]), 0.5)).toBeNull();
  expect(percentileOf(countsOf([1e9]), 0.95)).toBe(2 ** (78 / 4));
  expect(percentileOf(countsOf([0, 0]), 1)).toBe(1);
});
