import type { Measure } from './ask.ts';

export interface MeasureFacts {
  counts: 'requests' | 'tokens' | 'concurrency';
  /** Length of its sliding window, seconds; null: it has none. */
  windowS: number | null;
  /** What stands behind "per" in a message; null where there is no window. */
  per: 'minute' | 'day' | null;
}

/** In the order in which a ceiling is read. */
export const MEASURES: Record<Measure, MeasureFacts> = {
  requests_per_minute: { counts: 'requests', windowS: 60, per: 'minute' },
  tokens_per_minute: { counts: 'tokens', windowS: 60, per: 'minute' },
  requests_per_day: { counts: 'requests', windowS: 86_400, per: 'day' },
  tokens_per_day: { counts: 'tokens', windowS: 86_400, per: 'day' },
  concurrency: { counts: 'concurrency', windowS: null, per: null },
};

export const MEASURE_NAMES = Object.keys(MEASURES) as Measure[];
