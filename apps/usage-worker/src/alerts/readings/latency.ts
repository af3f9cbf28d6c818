import { percentileOf } from '../../rollups/latency-buckets.ts';
import type { Reader } from './reading-context.ts';
import { windowSums } from './window-sums.ts';

/** Percentile of the durations of the window's requests, milliseconds. */
export const latency: Reader = async (condition, context) => {
  const sums = await windowSums(condition, true, context);
  return sums.map(({ labels, requests, latencies }) => ({ labels, value: requests < condition.minRequests ? null : percentileOf(latencies, condition.percentile / 100) }));
};
