import type { QueryOf } from '@deja/admin-api';
import type { PoolClient } from '@deja/postgres';
import { conditions, hashedCondition, Values, type Asked, type TimeSpan } from '../question.ts';
import { cubeOf, type Cube, type SummedFilters } from './cube.ts';
import { BUCKET_OF_ROW, figureNames, figuresOfRows, figuresOfSum, latenciesOfBucket } from './figures.ts';
import { grainsOf } from './grains.ts';
import { dayParts, windowsOf, type Grains, type Windows } from './windows.ts';

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

/** Filters that a tenant's series differ in. */
const OTHERS = ['key', 'user', 'model', 'provider', 'endpoint', 'cache', 'tag'] as const satisfies (keyof SummedFilters)[];
/** An id has the moment of its request; one that is off by more than this was not made by a gateway. */
const ID_SLACK_MS = 60_000;
/** As many series are looked up one by one; where a question is about more, all sums of the time are read. */
const MOST_SERIES = 1000;

/** Sums are wide rows, and Postgres cannot foresee how few groups many of them make: sorted, they would go through files. */
const SETTINGS = `set local work_mem = '64MB'; set local enable_sort = off`;

/**
 * A relation, as SQL: columns g1, g2, … (times as timestamptz, anything else as text), the figures, and l00 … l79 where latencies are asked for.
 * Several of its rows may have the same columns, and add up to no request: such a group is none. It reads the coarsest sums that give exact figures, and rows only where there are none.
 */
export async function summed(client: PoolClient, asked: Asked, sums: SumsAsked, values: Values): Promise<string> {
  await client.query(SETTINGS);
  const cube = cubeOf(sums.columns, sums.filters);
  const grains = await grainsOf(client, cube, sums);
  const windows = windowsOf(sums.span, grains);
  const parts = partsOf(windows, grains);
  const series = cube === null || parts.length === 0 ? null : await seriesOf(client, asked, sums.filters, cube);
  const zone = sums.columns.some((column) => TIMES.has(column)) ? `${values.at(sums.zone)}::text` : '';
  const branches = [
    ...(series === null ? [] : parts.map((part) => branchOfSums(part, { asked, sums, series, zone }, values))),
    ...windows.rows.map((span) => branchOfRows(span, { asked, sums, zone }, values)),
  ];
  // Of no time at all.
  if (branches.length === 0) branches.push(branchOfRows({ fromMs: 0, toMs: 0 }, { asked, sums, zone }, values));
  return branches.map((branch) => `(${branch})`).join('\nunion all\n');
}

/** Whose sums to read. */
interface Series {
  cube: Cube;
  tenants: string[];
  /** Null where there are too many: they are found by the question's conditions. */
  ids: string[] | null;
  /** The first and the last id of the cube's series: ids of a cube lie together, and between those of other cubes nothing is read. */
  first: string;
  last: string;
}

/** Null where there are none. */
async function seriesOf(client: PoolClient, asked: Asked, filters: SummedFilters, cube: Cube): Promise<Series | null> {
  const { rows: [ends] } = await client.query<{ first: string | null; last: string | null }>(
    'select (select id from usage.series where cube = $1 order by id limit 1) as first, (select id from usage.series where cube = $1 order by id desc limit 1) as last', [cube],
  );
  if (ends?.first == null || ends.last === null) return null;
  const of = { cube, first: ends.first, last: ends.last };
  const given = asked.scope ?? filters.tenant;
  const tenants = async (): Promise<string[]> => (given === undefined ? await allTenants(client) : [given]);
  if (OTHERS.every((name) => filters[name] === undefined)) return { ...of, tenants: await tenants(), ids: null };
  const values = new Values();
  const where = seriesConditions(asked, filters, cube, values);
  const { rows } = await client.query<{ id: string; tenant: string }>(`select s.id, s.tenant from usage.series s where ${where} limit ${MOST_SERIES + 1}`, values.all);
  if (rows.length > MOST_SERIES) return { ...of, tenants: await tenants(), ids: null };
  return { ...of, tenants: [...new Set(rows.map(({ tenant }) => tenant))], ids: rows.map(({ id }) => id) };
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
  if (user !== undefined) all.push(hashedCondition('s."user"', user, values));
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
  return hashedCondition('s.tag', tag, values);
}

/** Sums of one table: of a time, or of single quarters. */
interface Part {
  table: string;
  at: TimeSpan | readonly number[];
  /** In the bucket of which moment they count, as SQL on a sum `r`. */
  moment: string;
  /** The same, in whose bucket they were counted before, with the rest of their day: there they are taken off. */
  before?: string;
}

const BEGINNING = `date_trunc('day', r.at, 'UTC')`;
const END = `${BEGINNING} + interval '23:45'`;

function partsOf(windows: Windows, { splitDays }: Grains): Part[] {
  const { beginning, end } = dayParts(windows.days, splitDays);
  const each = (table: string, spans: readonly TimeSpan[], moment: string): Part[] => spans.map((at) => ({ table, at, moment }));
  const moved = (at: readonly number[], before: string): Part[] => (at.length === 0 ? [] : [{ table: 'rollup_quarters', at, moment: 'r.at', before }]);
  return [
    ...each('rollup_days', beginning.days, BEGINNING),
    ...each('rollup_days', end.days, END),
    ...moved(beginning.others, BEGINNING),
    ...moved(end.others, END),
    ...each('rollup_quarters', windows.quarters, 'r.at'),
    ...each('rollup_minutes', windows.minutes, 'r.at'),
  ];
}

/** Read by the primary key, one tenant and its series after the other: no plan reads sums of another time, or looks through the series of all for each tenant. */
function branchOfSums({ table, at, moment, before }: Part, o: { asked: Asked; sums: SumsAsked; series: Series; zone: string }, values: Values): string {
  const { sums, series, zone } = o;
  const columns = sums.columns.map((column, i) => `${TIMES.has(column) ? `date_trunc('${column}', ${before === undefined ? moment : 'm.moment'}, ${zone})` : `s."${column}"`} as g${i + 1}`);
  const [only] = series.tenants;
  const tenant = only !== undefined && series.tenants.length === 1 ? values.at(only) : 't.tenant';
  const within = [`r.tenant = ${tenant}`, 'fromMs' in at ? `r.at >= ${values.at(new Date(at.fromMs))}::timestamptz and r.at < ${values.at(new Date(at.toMs))}::timestamptz` : `r.at = any(${values.at(at.map((ms) => new Date(ms)))}::timestamptz[])`];
  if (series.ids === null) within.push(`r.series between ${values.at(series.first)}::uuid and ${values.at(series.last)}::uuid`, `s.tenant = ${tenant}`, seriesConditions(o.asked, sums.filters, series.cube, values));
  else within.push(`r.series = any(${values.at(series.ids)}::uuid[])`);
  const twice = before === undefined ? '' : `cross join lateral (values (1, ${moment}), (-1, ${before})) as m (sign, moment)`;
  const found = `select ${[...columns, figuresOfSum(sums.latency, before === undefined ? '' : 'm.sign * ')].join(', ')} from usage.${table} r join usage.series s on s.id = r.series ${twice} where ${within.join(' and ')}`;
  return tenant === 't.tenant' ? `select found.* from unnest(${values.at(series.tenants)}::text[]) as t (tenant) cross join lateral (${found} offset 0) found` : found;
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
