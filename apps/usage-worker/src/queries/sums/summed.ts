import type { QueryOf } from '@deja/admin-api';
import type { PoolClient } from '@deja/postgres';
import { conditions, userCondition, Values, type Asked, type Filters, type TimeSpan } from '../question.ts';
import { cubeOf, type Cube } from './cube.ts';
import { BUCKET_OF_ROW, figureNames, figuresOfRows, figuresOfSum, latenciesOfBucket } from './figures.ts';
import { grainsOf } from './grains.ts';
import { windowsOf } from './windows.ts';

export type SummedFilters = Pick<Filters, 'tenant' | 'key' | 'user' | 'model' | 'provider' | 'endpoint' | 'cache' | 'tag'>;
/** By what sums are told apart. Times are buckets of a time zone; `cache_reason` is of misses and of what went past the cache. */
export type Column = NonNullable<QueryOf<'getUsage'>['group_by']>[number] | 'cache_reason';
export const TIMES: ReadonlySet<Column> = new Set(['minute', 'hour', 'day', 'week', 'month']);

export interface SumsAsked {
  columns: readonly Column[];
  filters: SummedFilters;
  /** Of `received_at`. */
  span: TimeSpan;
  /** IANA, for the columns that are times. */
  zone: string;
  latency: boolean;
}

/** An id has the moment of its request; one that is off by more than this was not made by a gateway. */
const ID_SLACK_MS = 60_000;
/** As many series are looked up one by one; where a question is about more, all sums of the time are read. */
const MOST_SERIES = 1000;

/**
 * A relation, as SQL: columns g1, g2, … (times as timestamptz, anything else as text), the figures, and l00 … l79 where latencies are asked for.
 * Several of its rows may have the same columns. It reads the coarsest sums that give exact figures, and rows only where there are none.
 */
export async function summed(client: PoolClient, asked: Asked, sums: SumsAsked, values: Values): Promise<string> {
  const cube = cubeOf(sums.columns, sums.filters);
  const windows = windowsOf(sums.span, await grainsOf(client, cube, sums));
  const inSums = [
    ...windows.days.map((span) => ['rollup_days', span] as const),
    ...windows.quarters.map((span) => ['rollup_quarters', span] as const),
    ...windows.minutes.map((span) => ['rollup_minutes', span] as const),
  ];
  const series = cube === null || inSums.length === 0 ? null : await seriesOf(client, asked, sums.filters, cube);
  const zone = sums.columns.some((column) => TIMES.has(column)) ? `${values.at(sums.zone)}::text` : '';
  const branches = [
    ...(series === null ? [] : inSums.map(([table, span]) => branchOfSums(table, span, { asked, sums, series, zone }, values))),
    ...windows.rows.map((span) => branchOfRows(span, { asked, sums, zone }, values)),
  ];
  // Of no time at all.
  if (branches.length === 0) branches.push(branchOfRows({ fromMs: 0, toMs: 0 }, { asked, sums, zone }, values));
  return branches.map((branch) => `(${branch})`).join('\nunion all\n');
}

interface Series {
  cube: Cube;
  tenants: string[];
  /** Null where there are too many: they are found by the question's conditions. */
  ids: string[] | null;
}

async function seriesOf(client: PoolClient, asked: Asked, filters: SummedFilters, cube: Cube): Promise<Series> {
  const given = asked.scope ?? filters.tenant;
  const { tenant: _, ...others } = filters;
  if (Object.values(others).every((filter) => filter === undefined)) return { cube, tenants: given === undefined ? await allTenants(client) : [given], ids: null };
  const values = new Values();
  const where = seriesConditions(asked, filters, cube, values);
  const { rows } = await client.query<{ id: string; tenant: string }>(`select s.id, s.tenant from usage.series s where ${where} limit ${MOST_SERIES + 1}`, values.all);
  if (rows.length <= MOST_SERIES) return { cube, tenants: [...new Set(rows.map(({ tenant }) => tenant))], ids: rows.map(({ id }) => id) };
  return { cube, tenants: given === undefined ? await allTenants(client) : [given], ids: null };
}

/** From one tenant to the next in the index: there are many series of each. */
async function allTenants(client: PoolClient): Promise<string[]> {
  const { rows } = await client.query<{ tenant: string }>(`
    with recursive t (tenant) as (
      (select s.tenant from usage.series s order by s.tenant limit 1)
      union all
      select (select s.tenant from usage.series s where s.tenant > t.tenant order by s.tenant limit 1) from t where t.tenant is not null
    ) select t.tenant from t where t.tenant is not null`);
  return rows.map(({ tenant }) => tenant);
}

function seriesConditions(asked: Asked, filters: SummedFilters, cube: Cube, values: Values): string {
  const { tenant, key, user, model, provider, endpoint, cache, tag } = filters;
  const all = [`s.cube = ${values.at(cube)}`];
  const same = (column: string, value: string | null | undefined): void => {
    if (value != null) all.push(`${column} = ${values.at(value)}`);
  };
  same('s.tenant', asked.scope);
  same('s.tenant', tenant);
  same('s.key', key);
  if (user !== undefined) all.push(userCondition('s', user, values));
  same('coalesce(s.model, s.requested_model)', model);
  same('s.provider', provider);
  same('s.endpoint', endpoint);
  same('s.cache', cache);
  if (tag !== undefined) all.push(tagCondition(tag, values));
  return all.join(' and ');
}

/** `k=v`, by the hash that the index has; or `k`, whatever its value. */
function tagCondition(tag: string, values: Values): string {
  if (!tag.includes('=')) return `starts_with(s.tag, ${values.at(`${tag}=`)})`;
  const name = values.at(tag);
  return `hashtextextended(s.tag, 0) = hashtextextended(${name}::text, 0) and s.tag = ${name}`;
}

/** Read by the primary key, one tenant after the other: no plan reads sums of another time. */
function branchOfSums(table: string, span: TimeSpan, o: { asked: Asked; sums: SumsAsked; series: Series; zone: string }, values: Values): string {
  const { asked, sums, series, zone } = o;
  const columns = sums.columns.map((column, i) => `${TIMES.has(column) ? `date_trunc('${column}', r.at, ${zone})` : `s."${column}"`} as g${i + 1}`);
  const within = `r.at >= ${values.at(new Date(span.fromMs))}::timestamptz and r.at < ${values.at(new Date(span.toMs))}::timestamptz${series.ids === null ? '' : ` and r.series = any(${values.at(series.ids)}::uuid[])`}`;
  const [tenant] = series.tenants;
  const found = tenant !== undefined && series.tenants.length === 1
    ? `(select r.* from usage.${table} r where r.tenant = ${values.at(tenant)} and ${within} offset 0) r`
    : `unnest(${values.at(series.tenants)}::text[]) as t (tenant) cross join lateral (select r.* from usage.${table} r where r.tenant = t.tenant and ${within} offset 0) r`;
  const where = series.ids === null ? `where ${seriesConditions(asked, sums.filters, series.cube, values)}` : '';
  return `select ${[...columns, figuresOfSum(sums.latency)].join(', ')} from ${found} join usage.series s on s.id = r.series ${where}`;
}

function branchOfRows(span: TimeSpan, o: { asked: Asked; sums: SumsAsked; zone: string }, values: Values): string {
  const { columns, filters, latency } = o.sums;
  const names = columns.map((_, i) => `g${i + 1}`);
  const selected = columns.map((column, i) => `${rowColumn(column, o.zone)} as g${i + 1}`);
  const from = `usage.operations o ${columns.includes('tag') ? `left join lateral (select key || '=' || value as tag from jsonb_each_text(o.tags)) t on true` : ''}`;
  const within = `o.received_at >= ${values.at(new Date(span.fromMs))}::timestamptz and o.received_at < ${values.at(new Date(span.toMs))}::timestamptz`;
  const where = `${conditions(o.asked, filters, { fromMs: Math.max(0, span.fromMs - ID_SLACK_MS), toMs: span.toMs + ID_SLACK_MS }, values)} and ${within}`;
  const buckets = latency ? [`${BUCKET_OF_ROW} as bucket`] : [];
  const groups = [...selected, ...buckets].map((_, i) => String(i + 1));
  const counted = `select ${[...selected, ...buckets, figuresOfRows()].join(', ')} from ${from} where ${where} ${groups.length > 0 ? `group by ${groups.join(', ')}` : ''}`;
  return latency ? `select ${[...names, figureNames(), latenciesOfBucket()].join(', ')} from (${counted}) counted` : counted;
}

function rowColumn(column: Column, zone: string): string {
  if (column === 'tag') return 't.tag';
  if (column === 'cache_reason') return `case when o.cache in ('MISS', 'BYPASS') then o.cache_reason end`;
  return TIMES.has(column) ? `date_trunc('${column}', o.received_at, ${zone})` : `o."${column}"`;
}
