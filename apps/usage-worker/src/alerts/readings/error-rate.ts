import type { Reader } from './reading-context.ts';
import { windowSums } from './window-sums.ts';

/** Share of the window's requests whose outcome is `error`, in [0, 1]. */
export const errorRate: Reader = async (condition, context) => {
  const sums = await windowSums(condition, false, context);
  return sums.map(({ labels, requests, errors }) => ({ labels, value: requests === 0 || requests < condition.minRequests ? null : errors / requests }));
};
