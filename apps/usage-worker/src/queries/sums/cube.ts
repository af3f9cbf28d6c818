import type { Filters } from '../question.ts';

/** What of a question sums can be chosen by. */
export type SummedFilters = Pick<Filters, 'tenant' | 'key' | 'user' | 'model' | 'provider' | 'endpoint' | 'cache' | 'tag'>;

/** Which sums tell apart what a question asks for; see migration 0004_rollups. */
export type Cube = 'all' | 'user' | 'tag';

/** The smallest cube that has all columns and filters of a question; null where none has, and rows have to be counted. */
export function cubeOf(columns: readonly string[], filters: SummedFilters): Cube | null {
  const user = columns.includes('user') || filters.user !== undefined;
  const tag = columns.includes('tag') || filters.tag !== undefined;
  if (user && tag) return null;
  // Sums of a tag do not say which other tags the same requests had.
  if (columns.includes('tag') && filters.tag !== undefined) return null;
  const cube = user ? 'user' : tag ? 'tag' : 'all';
  if (cube !== 'all' && (columns.includes('minute') || columns.includes('cache_reason'))) return null;
  return cube;
}
