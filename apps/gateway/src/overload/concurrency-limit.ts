import { CALM_SHARE, GROWTH, LIMIT, SHRINK } from './bounds.ts';

export interface Look {
  /** How late the event loop is, ms. */
  latenessMs: number;
  /** How late it may be, ms. */
  boundMs: number;
  /** The most requests that were being prepared at once since the last look. */
  peak: number;
}

/**
 * How many requests may be prepared at once from now on. Additive increase, multiplicative decrease, as in TCP (RFC 5681) and in Netflix's concurrency-limits: a
 * late loop takes away in proportion to its lateness. A limit that nobody came near held nothing back, so what counts on the way down is what there was.
 */
export function nextLimit(limit: number, { latenessMs, boundMs, peak }: Look): number {
  if (latenessMs >= boundMs) {
    const share = Math.min(SHRINK.least, Math.max(SHRINK.most, boundMs / latenessMs));
    return Math.max(LIMIT.least, Math.floor(Math.min(limit, Math.max(peak, LIMIT.least)) * share));
  }
  if (latenessMs < boundMs * CALM_SHARE) return Math.min(LIMIT.most, Math.floor(limit * (1 + GROWTH)) + 1);
  return limit;
}
