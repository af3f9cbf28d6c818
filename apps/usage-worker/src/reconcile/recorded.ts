import type { PoolClient } from '@deja/postgres';
import { FIGURES } from '../rollups/figures.ts';

const QUARTER = `interval '15 minutes'`;
/** An operation's id is made when it is received; clocks move in between. */
const SLACK = `interval '1 minute'`;

/** Tenant by tenant, because that is what the index begins with. */
const TENANTS = `
  tenants as (
    (select tenant from usage.rollup_quarters order by tenant limit 1)
    union all
    select (select r.tenant from usage.rollup_quarters r where r.tenant > t.tenant order by r.tenant limit 1) from tenants t where t.tenant is not null
  )`;

const RECORDED = `
  with recursive ${TENANTS}
  select r.at, sum(r.requests)::text as operations
  from tenants t
  join usage.rollup_quarters r on r.tenant = t.tenant and r.at >= $1 and r.at < $2
  join usage.series s on s.id = r.series and s.cube = 'all'
  group by r.at`;

const IN_QUARTER = (id: string, at: string): string =>
  `${id} >= usage.first_id_at(${at}::timestamptz - ${SLACK}) and ${id} < usage.first_id_at(${at}::timestamptz + ${QUARTER} + ${SLACK})`;

const ROWS = `select count(*)::text as operations from usage.operations o where ${IN_QUARTER('o.id', '$1')} and o.received_at >= $1 and o.received_at < $1::timestamptz + ${QUARTER}`;

/** One statement: rows and sums of the same moment. */
const DIFFERING_SUMS = `
  with recursive ${TENANTS},
  counted as (
    select cube, ${FIGURES.map((name) => `sum(${name}) as ${name}`).join(', ')}
    from usage.operation_sums
    where ${IN_QUARTER('operation', '$1')} and received_at >= $1 and received_at < $1::timestamptz + ${QUARTER}
    group by cube
  ),
  summed as (
    select s.cube, ${FIGURES.map((name) => `sum(r.${name}) as ${name}`).join(', ')}
    from tenants t
    join usage.rollup_quarters r on r.tenant = t.tenant and r.at = $1
    join usage.series s on s.id = r.series
    group by s.cube
  )
  select coalesce(sum(${FIGURES.map((name) => `(coalesce(c.${name}, 0) <> coalesce(s.${name}, 0))::integer`).join(' + ')}), 0)::text as differ
  from counted c full join summed s using (cube)`;

/** An operation costs what its calls cost together, and nobody knows what where that is not known of one of them. */
const DIFFERING_COSTS = `
  select count(*)::text as differ
  from (
    select o.id
    from usage.operations o
    left join usage.attempts a on a.operation_id = o.id and not a.shadow and ${IN_QUARTER('a.operation_id', '$1')}
    where ${IN_QUARTER('o.id', '$1')} and o.received_at >= $1 and o.received_at < $1::timestamptz + ${QUARTER} and o.outcome <> 'orphaned'
    group by o.id
    having o.cost_nano_usd is distinct from case when bool_or(a.id is not null and a.cost_nano_usd is null) then null else coalesce(sum(a.cost_nano_usd), 0) end
  ) operations`;

const DIFFERING_DAYS = `
  with recursive ${TENANTS},
  by_quarter as (
    select r.tenant, r.series, ${FIGURES.map((name) => `sum(r.${name}) as ${name}`).join(', ')}
    from tenants t
    join usage.rollup_quarters r on r.tenant = t.tenant and r.at >= $1 and r.at < $1::timestamptz + interval '1 day'
    group by r.tenant, r.series
  ),
  by_day as (
    select r.tenant, r.series, ${FIGURES.map((name) => `r.${name}`).join(', ')}
    from tenants t
    join usage.rollup_days r on r.tenant = t.tenant and r.at = $1
  )
  select coalesce(sum(${FIGURES.map((name) => `(coalesce(q.${name}, 0) <> coalesce(d.${name}, 0))::integer`).join(' + ')}), 0)::text as differ
  from by_quarter q full join by_day d using (tenant, series)`;

/** Operations in the ledger by quarter (Unix ms), as its sums have them. From `fromMs` on, before `toMs`. */
export async function recordedBySums(client: PoolClient, fromMs: number, toMs: number): Promise<Map<number, number>> {
  const { rows } = await client.query<{ at: Date; operations: string }>(RECORDED, [new Date(fromMs), new Date(toMs)]);
  return new Map(rows.map(({ at, operations }) => [at.getTime(), Number(operations)]));
}

/** Operations in the ledger that were received in a quarter, counted. */
export const recordedRows = async (client: PoolClient, quarterMs: number): Promise<number> => {
  const { rows } = await client.query<{ operations: string }>(ROWS, [new Date(quarterMs)]);
  return Number(rows[0]?.operations ?? 0);
};

/** How many sums of a quarter are not those of its rows, and how many of its operations do not cost what their calls do; of the first quarter of a day also how many sums of that day are not those of its quarters. */
export async function differingSums(client: PoolClient, quarterMs: number): Promise<number> {
  const at = new Date(quarterMs);
  let differ = 0;
  for (const text of [DIFFERING_SUMS, DIFFERING_COSTS, ...(quarterMs % 86_400_000 === 0 ? [DIFFERING_DAYS] : [])]) {
    const { rows } = await client.query<{ differ: string }>(text, [at]);
    differ += Number(rows[0]?.differ ?? 0);
  }
  return differ;
}
