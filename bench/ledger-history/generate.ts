import { inTransaction, type Pool, type PoolClient } from '@deja/postgres';
import { FIGURES } from '../../apps/usage-worker/src/rollups/figures.ts';
import { BUCKET_COLUMNS } from '../../apps/usage-worker/src/rollups/latency-buckets.ts';

/** When the history ends; within a minute, so that no question begins or ends where sums do. */
export const END_MS = Date.UTC(2026, 5, 30, 15, 7, 23, 456);
export const DAY_MS = 86_400_000;
/** As long as sums by minute are kept where nothing else is said. */
const MINUTES_DAYS = 8;
/** Days that are made at a time. */
const AT_ONCE = 2;

export interface HistoryShape {
  operations: number;
  days: number;
  tenants: number;
  keysOfTenant: number;
  usersOfKey: number;
}

/** A key of a tenant, by the number of both: an id that the questions know too. */
export const keyId = (tenant: number, key: number): string => `${String(tenant).padStart(8, '0')}-0000-4000-8000-${String(key).padStart(12, '0')}`;

/**
 * A history with the skew of a real one: few tenants, keys and users have most of the traffic, a key asks mostly for one model and has its tags, days have a morning and a night, one
 * request in five is a hit, three in a hundred fail, durations are log-normal. Sums are filled from the rows, a day at a time, as the worker would have left them.
 */
export async function generate(pool: Pool, shape: HistoryShape, log: (line: string) => void): Promise<void> {
  const last = Math.floor(END_MS / DAY_MS);
  const days = Array.from({ length: shape.days }, (_, n) => last - shape.days + 1 + n);
  for (const day of days) {
    const name = new Date(day * DAY_MS).toISOString().slice(0, 10);
    await pool.query(`select usage.ensure_day($1::date), usage.ensure_quarters(date_trunc('month', $1::date)::date)`, [name]);
    if (last - day < MINUTES_DAYS) await pool.query('select usage.ensure_minutes($1::date)', [name]);
  }
  let done = 0;
  const work = async (): Promise<void> => {
    for (let day = days.shift(); day !== undefined; day = days.shift()) {
      await inTransaction(pool, (client) => generateDay(client, shape, { day, minutes: last - day < MINUTES_DAYS }));
      done += 1;
      if (done % 10 === 0) log(`${done} of ${shape.days} days`);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  await pool.query('vacuum analyze');
}

async function generateDay(client: PoolClient, shape: HistoryShape, { day, minutes }: { day: number; minutes: boolean }): Promise<void> {
  const fromMs = day * DAY_MS;
  const toMs = Math.min(END_MS, fromMs + DAY_MS);
  const rows = Math.round((shape.operations / shape.days) * ((toMs - fromMs) / DAY_MS));
  const name = new Date(fromMs).toISOString().slice(0, 10);
  await client.query(`set local jit = off; set local work_mem = '256MB'; set local statement_timeout = 0; select setseed(${(day % 1000) / 1000})`);
  await client.query(operations(shape), [rows, new Date(fromMs), toMs - fromMs]);
  await client.query(attempts, [new Date(fromMs), new Date(toMs)]);
  await sumUp(client, name, { fromMs, toMs }, minutes);
}

/** $1 rows in the time from $2 on, of $3 ms. Numbers between 0 and 1 are drawn first, so that each is used as often as needed. */
const operations = (o: HistoryShape): string => `
  insert into usage.operations (id, tenant, key, "user", tags, endpoint, requested_model, model, provider, deployment, credential, status, outcome, error_code, cache, cache_reason, cache_entry, cache_similarity,
    stream, prompt_tokens, cached_tokens, cache_write_tokens, completion_tokens, reasoning_tokens, usage_source, price_version, cost_nano_usd, saved_nano_usd, saved_ms, received_at, first_byte_ms, duration_ms, trace_id, safety_flags)
  select
    (substr(hex, 1, 8) || '-' || substr(hex, 9, 4) || '-7' || substr(drawn.uuid, 16))::uuid,
    'tenant-' || tenant,
    (lpad(tenant::text, 8, '0') || '-0000-4000-8000-' || lpad(key::text, 12, '0')),
    case when key % 4 > 0 then 'user-' || tenant || '-' || key || '-' || floor(${o.usersOfKey} * user_draw ^ 2) end,
    case when key % 3 = 0 then '{}' when key % 3 = 1 then jsonb_build_object('team', 'team-' || key % 8) else jsonb_build_object('team', 'team-' || key % 8, 'env', case when tag_draw < 0.9 then 'prod' else 'staging' end) end,
    case when key % 11 < 10 then 'chat/completions' else 'embeddings' end,
    case when key % 5 = 0 and auto_draw < 0.5 then 'auto' else 'model-' || model end,
    case when outcome in ('ok', 'cancelled') then 'model-' || model end,
    case when outcome in ('ok', 'cancelled') then 'provider-' || model % 4 end,
    case when outcome in ('ok', 'cancelled') and not is_hit then 'provider-' || model % 4 || '/model-' || model end,
    case when outcome in ('ok', 'cancelled') and not is_hit then 'provider-' || model % 4 || '/a' end,
    case outcome when 'ok' then 200 when 'error' then (array[429, 502, 504])[1 + floor(3 * place)::int] when 'blocked' then 400 when 'cancelled' then 499 end,
    outcome,
    case outcome when 'error' then (array['provider_rate_limited', 'upstream_error', 'upstream_timeout'])[1 + floor(3 * place)::int] when 'blocked' then 'content_policy_violation' end,
    case when outcome = 'orphaned' then null when cache_draw < 0.15 then 'HIT-EXACT' when cache_draw < 0.2 then 'HIT-SEMANTIC' when cache_draw < 0.9 then 'MISS' else 'BYPASS' end,
    case when is_hit or outcome = 'orphaned' then null when cache_draw < 0.9 then (array['no_entry', 'not_verified', 'expired'])[1 + floor(3 * place ^ 3)::int] else (array['tools', 'no_cache'])[1 + floor(2 * place)::int] end,
    case when is_hit then substr(drawn.uuid, 1, 13) end,
    case when is_hit and cache_draw >= 0.15 then 0.9 + place / 10 end,
    place < 0.6,
    tokens, tokens / 4, 0, (tokens * place)::int, (tokens * place / 5)::int,
    case when is_hit then 'cache' when outcome = 'ok' then 'upstream' else 'estimated' end,
    case when place >= 0.002 then '2026-0' || 4 + (model + month) % 3 || '-table' end,
    case when is_hit then 0 when place < 0.002 then null else tokens * (100 + 37 * model)::bigint end,
    case when is_hit then tokens * (100 + 37 * model)::bigint else 0 end,
    case when is_hit then duration * 10 end,
    received_at, duration / 4, duration, md5(drawn.uuid), case when flag_draw < 0.01 then array['email'] else '{}' end
  from (
    select *, lpad(to_hex((extract(epoch from received_at) * 1000)::bigint), 12, '0') as hex, extract(month from received_at)::int as month,
      outcome in ('ok') and cache_draw < 0.2 as is_hit,
      least(100000, exp(6 + 1.2 * gauss))::int as tokens, exp(6.5 + gauss - case when cache_draw < 0.2 then 4 else 0 end) as duration
    from (
      select date_trunc('milliseconds', $2::timestamptz + ($3::float8 * least(0.999999, greatest(0, at_draw + 0.08 * sin(6.283 * at_draw)))) * interval '1 millisecond') as received_at,
        tenant, key, case when model_draw < 0.9 then (tenant + key) % 12 else floor(12 * flag_draw)::int end as model,
        case when outcome_draw < 0.97 then 'ok' when outcome_draw < 0.99 then 'error' when outcome_draw < 0.997 then 'cancelled' when outcome_draw < 0.999 then 'blocked' else 'orphaned' end as outcome,
        sqrt(-2 * ln(1 - gauss_draw)) * cos(6.283 * place) as gauss,
        uuid, user_draw, tag_draw, auto_draw, cache_draw, flag_draw, place
      from (
        select floor(${o.tenants} * random() ^ 3)::int as tenant, floor(${o.keysOfTenant} * random() ^ 2)::int as key, random() as at_draw, random() as model_draw, random() as outcome_draw, random() as gauss_draw, random() as user_draw, random() as tag_draw,
          random() as auto_draw, random() as cache_draw, random() as flag_draw, random() as place, gen_random_uuid()::text as uuid
        from generate_series(1, $1)
      ) draws
    ) chosen
  ) drawn
  on conflict do nothing`;

/** One call for each request that was no hit, two for one in 25. */
const attempts = `
  insert into usage.attempts (operation_id, id, n, provider, deployment, credential, model, status, outcome, error_code, hedge, shadow, prompt_tokens, cached_tokens, cache_write_tokens, completion_tokens, reasoning_tokens,
    usage_source, price_version, cost_nano_usd, started_at, first_byte_ms, duration_ms)
  select o.id, gen_random_uuid(), n, coalesce(o.provider, 'provider-0'), coalesce(o.deployment, 'provider-0/model-0'), o.credential, coalesce(o.model, 'model-0'), o.status, case when o.outcome = 'ok' then 'ok' else 'error' end, o.error_code,
    false, false, o.prompt_tokens, o.cached_tokens, o.cache_write_tokens, o.completion_tokens, o.reasoning_tokens, o.usage_source, o.price_version, o.cost_nano_usd, o.received_at, o.first_byte_ms, coalesce(o.duration_ms, 0)
  from usage.operations o cross join generate_series(1, 2) n
  where o.id >= usage.first_id_at($1::timestamptz) and o.id < usage.first_id_at($2::timestamptz) and o.usage_source <> 'cache' and o.outcome <> 'blocked' and (n = 1 or o.id::text like '%7_')`;

const SERIES = ['cube', 'tenant', 'key', '"user"', 'tag', 'endpoint', 'requested_model', 'model', 'provider', 'cache', 'cache_reason', 'price_version'].join(', ');

/** The sums of one day, from its rows. Those of its quarters first, into a table of their own: a series' id takes longer to make than all of its figures. */
async function sumUp(client: PoolClient, day: string, { fromMs, toMs }: { fromMs: number; toMs: number }, minutes: boolean): Promise<void> {
  const figures = FIGURES.map((name) => `sum(${name}) as ${name}`).join(', ');
  const counts = BUCKET_COLUMNS.map((name, i) => `nullif(count(*) filter (where bucket = ${i}), 0) as ${name}`).join(', ');
  const added = [...FIGURES, ...BUCKET_COLUMNS].map((name) => `sum(${name})`).join(', ');
  const within = `operation >= usage.first_id_at('${new Date(fromMs).toISOString()}') and operation < usage.first_id_at('${new Date(toMs).toISOString()}')`;
  // Kept apart, so that a duration's bucket is found once and not for each of the columns.
  const from = (condition: string): string => `(select ${SERIES}, received_at, ${FIGURES.join(', ')}, bucket from usage.operation_sums where ${condition} offset 0) o`;
  await client.query(`create temporary table day_sums on commit drop as
    select usage.series_id(${SERIES}) as series, * from (
      select ${SERIES}, date_bin('15 minutes', received_at, '2000-01-01T00:00:00Z') as at, min(received_at) as first_at, ${figures}, ${counts} from ${from(within)} group by ${SERIES}, 13
    ) quarters`);
  await client.query(`insert into usage.rollup_quarters select tenant, at, series, ${[...FIGURES, ...BUCKET_COLUMNS].join(', ')} from day_sums order by tenant, at, series`);
  await client.query(`insert into usage.rollup_days select tenant, '${day}T00:00:00Z', series, ${added} from day_sums group by tenant, series order by tenant, series`);
  if (minutes) {
    await client.query(`insert into usage.rollup_minutes select tenant, date_trunc('minute', received_at), usage.series_id(${SERIES}), ${figures}, ${counts} from ${from(`cube = 'all' and ${within}`)} group by 1, 2, 3 order by 1, 2, 3`);
  }
  // Last, and in the order of ids: other days have the same ones.
  await client.query(`insert into usage.series (id, ${SERIES}, first_at) select series, ${SERIES}, min(first_at) from day_sums group by series, ${SERIES} order by series on conflict do nothing`);
}
