import type { PoolClient } from '@deja/postgres';
import { FIGURES } from '../rollups/figures.ts';
import { BUCKET_COLUMNS } from '../rollups/latency-buckets.ts';
import type { Renamed } from './erase-requests.ts';

/** Together they bound how many sums one transaction moves: at most so many series of so many days, with 96 quarters each. */
const MOST_SERIES = 50;
const MOST_DAYS = 8;
const MOST_SPENT = 2_000;

const COLUMNS = [...FIGURES, ...BUCKET_COLUMNS];
const ADDED = [
  ...FIGURES.map((name) => `${name} = known.${name} + excluded.${name}`),
  ...BUCKET_COLUMNS.map((name) => `${name} = nullif(coalesce(known.${name}, 0) + coalesce(excluded.${name}, 0), 0)`),
].join(', ');

/** Series of the user, and under which ids their figures go on. */
const SERIES = `
  select id, usage.series_id(cube, tenant, key, $3, tag, endpoint, requested_model, model, provider, cache, cache_reason, price_version) as new_id
  from usage.series
  where hashtextextended("user", 0) = hashtextextended($2::text, 0) and "user" = $2 and tenant = $1
  order by id limit ${MOST_SERIES}`;
const NEW_SERIES = `
  insert into usage.series as known (id, cube, tenant, key, "user", tag, endpoint, requested_model, model, provider, cache, cache_reason, price_version, first_at)
  select m.new_id, s.cube, s.tenant, s.key, $3, s.tag, s.endpoint, s.requested_model, s.model, s.provider, s.cache, s.cache_reason, s.price_version, s.first_at
  from unnest($1::uuid[], $2::uuid[]) as m (id, new_id) join usage.series s on s.id = m.id
  order by m.new_id
  on conflict (id) do update set first_at = least(known.first_at, excluded.first_at)`;
/** Every day of which the tenant has sums, from one to the next in the index. */
const DAYS = `
  with recursive d (at) as (
    (select at from usage.rollup_days where tenant = $1 order by at limit 1)
    union all
    select (select r.at from usage.rollup_days r where r.tenant = $1 and r.at > d.at order by r.at limit 1) from d where d.at is not null
  )
  select at from d where at is not null and ($2::timestamptz is null or at < $2)`;
/** Those of them on which these series have any. By values, not by a join: however the tables are filled, this is served by the primary key. */
const DAYS_OF = `
  select distinct at from usage.rollup_days where tenant = $1 and at = any($2::timestamptz[]) and series = any($3::uuid[]) order by at limit ${MOST_DAYS}`;

const move = (table: string): string => `
  with moved as (
    delete from usage.${table} r using unnest($3::uuid[], $4::uuid[]) as m (id, new_id)
    where r.tenant = $1 and r.at = any($2::timestamptz[]) and r.series = any($3::uuid[]) and r.series = m.id
    returning m.new_id, r.at, ${COLUMNS.map((name) => `r.${name}`).join(', ')}
  )
  insert into usage.${table} as known (tenant, at, series, ${COLUMNS.join(', ')})
  select $1, at, new_id, ${COLUMNS.join(', ')} from moved order by at, new_id
  on conflict (tenant, at, series) do update set ${ADDED}`;

const MOVE_SPENT = `
  with portion as (
    select who, at, model from usage.spend where who = usage.spender($1, null, $2) and ($4::timestamptz is null or at < $4) order by at, model limit ${MOST_SPENT} for update
  ), moved as (
    delete from usage.spend s using portion p where s.who = p.who and s.at = p.at and s.model = p.model
    returning s.at, s.model, s.nano_usd
  )
  insert into usage.spend as known (who, at, model, tenant, key, "user", nano_usd)
  select usage.spender($1, null, $3), at, model, $1, null, $3, nano_usd from moved order by at, model
  on conflict (who, at, model) do update set nano_usd = known.nano_usd + excluded.nano_usd`;

/**
 * Moves some of the user's sums to its pseudonym: of moments before `before` (null: all). Every other sum stays as it is, and those of the two names
 * together. True where some may be left. With `closes` it also deletes series whose sums have all been moved; that needs a lock that keeps writers out.
 */
export async function moveSums(client: PoolClient, who: Renamed, { before, closes }: { before: Date | null; closes: boolean }): Promise<boolean> {
  // In the order in which writers change them.
  const more = await moveSeries(client, who, { before, closes });
  const { rowCount: spent } = await client.query(MOVE_SPENT, [who.tenant, who.user, who.pseudonym, before]);
  return more || spent === MOST_SPENT;
}

async function moveSeries(client: PoolClient, { tenant, user, pseudonym }: Renamed, { before, closes }: { before: Date | null; closes: boolean }): Promise<boolean> {
  const { rows: series } = await client.query<{ id: string; new_id: string }>(SERIES, [tenant, user, pseudonym]);
  if (series.length === 0) return false;
  const [ids, newIds] = [series.map(({ id }) => id), series.map(({ new_id: id }) => id)];
  const { rows: all } = await client.query<{ at: Date }>(DAYS, [tenant, before]);
  const { rows: found } = await client.query<{ at: Date }>(DAYS_OF, [tenant, all.map(({ at }) => at), ids]);
  if (found.length > 0) {
    const days = found.map(({ at }) => at);
    await client.query(NEW_SERIES, [ids, newIds, pseudonym]);
    await client.query(move('rollup_quarters'), [tenant, days.flatMap(quartersOf), ids, newIds]);
    await client.query(move('rollup_days'), [tenant, days, ids, newIds]);
  }
  if (found.length === MOST_DAYS) return true;
  if (!closes) return false;
  await client.query('delete from usage.series where id = any($1::uuid[])', [ids]);
  return series.length === MOST_SERIES;
}

const QUARTERS_PER_DAY = 96;
const QUARTER_MS = 15 * 60_000;
const quartersOf = (day: Date): Date[] => Array.from({ length: QUARTERS_PER_DAY }, (_, i) => new Date(day.getTime() + i * QUARTER_MS));
