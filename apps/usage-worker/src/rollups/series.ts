import { hash } from 'node:crypto';
import { storable } from '../ledger/json.ts';
import type { OperationRow, SeriesRow } from '../schema/tables.ts';

/** Who and what an operation was, as far as sums tell it apart. */
export type Described = Pick<OperationRow, 'tenant' | 'key' | 'user' | 'tags' | 'endpoint' | 'requested_model' | 'model' | 'provider' | 'cache' | 'cache_reason' | 'price_version'>;

/** What a series is, and the list of it as JSON: equal for equal series and for no others. */
export interface SeriesName {
  json: string;
  row: Omit<SeriesRow, 'id' | 'first_at'>;
}

/** Equal for operations that count in the same series. */
export const describe = ({ tenant, key, user, tags, endpoint, requested_model, model, provider, cache, cache_reason, price_version }: Described): string =>
  JSON.stringify([tenant, key, user, tags, endpoint, requested_model, model, provider, cache, cache_reason, price_version]);

/** Each series an operation counts in: one of everything, one of its user, and one for each of its tags, or of none. */
export function seriesOf(operation: Described): SeriesName[] {
  const { endpoint, requested_model, model, provider, cache, price_version, tenant, key, user } = operation;
  const name = (row: Pick<SeriesRow, 'cube' | 'user' | 'tag' | 'cache_reason'>): SeriesName =>
    named({ cube: row.cube, tenant, key, user: row.user, tag: row.tag, endpoint, requested_model, model, provider, cache, cache_reason: row.cache_reason, price_version });
  const tags = Object.entries(operation.tags);
  return [
    name({ cube: 'all', user: null, tag: null, cache_reason: operation.cache_reason }),
    name({ cube: 'user', user, tag: null, cache_reason: null }),
    ...(tags.length === 0 ? [null] : tagsOf(tags)).map((tag) => name({ cube: 'tag', user: null, tag, cache_reason: null })),
  ];
}

/** Sums of one cube stand together in the primary key of the sums' tables: a question reads those of one. */
const CUBE_DIGITS = { all: '0', user: '1', tag: '2' } as const;

/** The id of a series, as `usage.series_id` makes it too. */
export const seriesId = ({ json, row: { cube } }: SeriesName): string => (CUBE_DIGITS[cube] + hash('sha256', json).slice(0, 31)).replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');

function named(row: SeriesName['row']): SeriesName {
  const json = JSON.stringify(Object.values(row));
  // What Postgres would not store as it is, NUL and halves of surrogate pairs, stands in JSON as an escape. (Text that itself looks like one only takes the longer way.)
  if (!/\\u(?:0000|d[89a-f])/.test(json)) return { json, row };
  const stored = Object.fromEntries(Object.entries(row).map(([column, value]) => [column, value === null ? null : storable(value)])) as SeriesName['row'];
  return { json: JSON.stringify(Object.values(stored)), row: stored };
}

/** `k=v`. Keys that Postgres cannot tell apart are one, of which the last counts, as in the operation's row. */
function tagsOf(tags: [string, string][]): string[] {
  const stored = tags.some(([key]) => storable(key) !== key) ? Object.entries(Object.fromEntries(tags.map(([key, value]) => [storable(key), value]))) : tags;
  return stored.map(([key, value]) => `${key}=${value}`);
}
