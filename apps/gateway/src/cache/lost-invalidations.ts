import { includes, type Invalidation } from '@deja/contracts';

/**
 * Invalidations that are known here and that Redis has lost, by an outage or a failover: one that is missing was taken out rightly only
 * where another includes it, or where it is old enough for its answers to have been deleted.
 * @param withinMs how old they may be to be missed; Infinity where Redis knows none at all
 * @param nowMs Unix ms by Redis's clock
 */
export function lostOf(known: readonly Invalidation[], loaded: readonly Invalidation[], withinMs: number, nowMs: number): Invalidation[] {
  const ids = new Set(loaded.map(({ id }) => id));
  const isLost = (rule: Invalidation): boolean => !ids.has(rule.id) && nowMs - rule.madeAtMs < withinMs && !loaded.some((other) => includes(other, rule));
  return known.filter(isLost);
}
