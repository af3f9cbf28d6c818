import type { BodyOf, JobObject, QueryOf, ReplyOf } from '@deja/admin-api';
import { DejaError, usdText } from '@deja/contracts';
import type { PoolClient } from '@deja/postgres';
import type { JobStore } from '../jobs/job-store.ts';
import { storable } from '../ledger/json.ts';
import type { Asked } from '../queries/question.ts';

interface Found {
  requests: string;
  cost: string;
  captured: string;
  first_at: Date | null;
  last_at: Date | null;
}

/** Figures from the sums, which are kept for good; the moments and bodies from the rows, as long as there are any. */
const FIND = `
  with recursive mine as (
    select id, first_at from usage.series where hashtextextended("user", 0) = hashtextextended($2::text, 0) and "user" = $2 and tenant = $1
  ), days (at) as (
    (select at from usage.rollup_days where tenant = $1 order by at limit 1)
    union all
    select (select r.at from usage.rollup_days r where r.tenant = $1 and r.at > days.at order by r.at limit 1) from days where days.at is not null
  ), summed as (
    select sum(r.requests) as requests, sum(r.cost_nano_usd) as cost, max(r.at) as last_at
    from usage.rollup_days r
    where r.tenant = $1 and r.at = any(array(select at from days where at is not null)) and r.series = any(array(select id from mine))
  ), rows as materialized (
    select id, received_at from usage.operations where hashtextextended("user", 0) = hashtextextended($2::text, 0) and "user" = $2 and tenant = $1
  )
  select coalesce(summed.requests, 0)::text as requests, coalesce(summed.cost, 0)::text as cost,
    (select count(*) from usage.captures where operation_id = any(array(select id from rows where id >= (select operation_id from usage.captures order by operation_id limit 1))))::text as captured,
    least((select min(first_at) from mine), (select min(received_at) from rows)) as first_at,
    greatest(summed.last_at, (select max(received_at) from rows)) as last_at
  from summed`;

/** What the ledger has of an end user's requests. A user that is not known, or another tenant's, has none. */
export async function findUserData(client: PoolClient, asked: Asked, { tenant, user }: QueryOf<'findUserData'>): Promise<ReplyOf<'findUserData'>> {
  const empty = { object: 'user_data' as const, tenant, user, requests: 0, captured: 0, cost_usd: '0', first_at: null, last_at: null };
  if (asked.scope !== null && asked.scope !== tenant) return empty;
  const { rows: [found] } = await client.query<Found>(FIND, [tenant, storable(user)]);
  if (found === undefined) return empty;
  return {
    ...empty,
    requests: Number(found.requests),
    captured: Number(found.captured),
    cost_usd: usdText(BigInt(found.cost)),
    first_at: found.first_at?.toISOString() ?? null,
    last_at: found.last_at?.toISOString() ?? null,
  };
}

/** Makes the job that erases a user; the same for a repetition of the call. Throws `permission_denied` for another tenant's. */
export async function eraseUserData(jobs: JobStore, call: { changeId: string; by: { name: string; tenant: string | null }; body: BodyOf<'eraseUserData'> }): Promise<JobObject> {
  const { changeId, by, body: { tenant, user } } = call;
  if (by.tenant !== null && by.tenant !== tenant) throw new DejaError('permission_denied', 'Your token is for another tenant.', { param: 'tenant' });
  return await jobs.create({ id: changeId, kind: 'erase_user', request: { tenant, user }, by: by.name });
}
