import type { Pool } from '@deja/postgres';
import { HISTORY_HOURS, type UsageHistory } from '../anomaly.ts';

const HOUR_MS = 3_600_000;
/** A week more than is looked at. */
const KEPT_HOURS = HISTORY_HOURS + 168;
/** Hours that are made anew when another one is over: what comes late is mostly in these. */
const REMADE_HOURS = 3;
const HOURS_AT_ONCE = 24;

const SUM = `
  insert into usage.key_hours (tenant, key, model, at, tokens, cost_nano_usd)
  select s.tenant, s.key, coalesce(s.model, ''), date_trunc('hour', q.at, 'UTC'), sum(q.prompt_tokens + q.completion_tokens), sum(q.cost_nano_usd)
  from usage.rollup_quarters q join usage.series s on s.id = q.series
  where q.at >= $1 and q.at < $2 and s.cube = 'all' and s.key is not null
  group by 1, 2, 3, 4
  on conflict (tenant, key, model, at) do update set tokens = excluded.tokens, cost_nano_usd = excluded.cost_nano_usd`;
const MARK = `
  insert into usage.key_hours_made (at) select at from generate_series($1::timestamptz, $2::timestamptz - interval '1 hour', interval '1 hour') at on conflict do nothing`;
const MISSING = `
  select extract(epoch from at)::float8 / 3600 as hour
  from generate_series($1::timestamptz, $2::timestamptz - interval '1 hour', interval '1 hour') at
  where not exists (select from usage.key_hours_made m where m.at = at.at)
  order by at desc`;
const HISTORIES = `
  select tenant, key, model, array_agg(hour order by hour) as hours, array_agg(tokens order by hour) as tokens, array_agg(cost order by hour) as cost
  from (
    select k.tenant, k.key, asked.model, extract(epoch from k.at)::float8 / 3600 as hour, sum(k.tokens)::float8 as tokens, sum(k.cost_nano_usd)::float8 as cost
    from unnest($1::text[], $2::text[], $3::text[]) asked (tenant, key, model)
    join usage.key_hours k on k.tenant = asked.tenant and k.key = asked.key and (asked.model is null or k.model = asked.model)
    where k.at >= $4 and k.at < $5
    group by 1, 2, 3, 4
  ) hours
  group by 1, 2, 3`;

/** A client key, or what it does with one model. */
export interface KeyUse {
  tenant: string;
  key: string;
  model: string | null;
}

/** What keys used by the hour, in a table of its own: made when an hour is over, of the sums by the quarter. */
export class KeyHours {
  private readonly pool: Pool;
  /** The hour (from 1970) until which all are made; null before that is known. */
  private madeUntil: number | null = null;

  constructor(pool: Pool) {
    this.pool = pool;
  }

  /** Makes what is missing of the hours that are over. Rejects while Postgres is away. */
  async make(nowMs: number): Promise<void> {
    const until = Math.floor(nowMs / HOUR_MS);
    if (this.madeUntil === until) return;
    if (this.madeUntil !== null) await this.makeSpan(until - REMADE_HOURS, until);
    const { rows } = await this.pool.query<{ hour: number }>(MISSING, [moment(until - HISTORY_HOURS), moment(until)]);
    for (const [from, to] of spansOf(rows.map(({ hour }) => Math.round(hour)))) await this.makeSpan(from, to);
    await this.pool.query('delete from usage.key_hours where at < $1', [moment(until - KEPT_HOURS)]);
    await this.pool.query('delete from usage.key_hours_made where at < $1', [moment(until - KEPT_HOURS)]);
    this.madeUntil = until;
  }

  /** What these used in the eight weeks before an hour; absent: nothing. Costs in nano-USD. */
  async histories(uses: readonly KeyUse[], hour: number): Promise<(KeyUse & { tokens: UsageHistory; cost: UsageHistory })[]> {
    const { rows } = await this.pool.query<KeyUse & { hours: number[]; tokens: number[]; cost: number[] }>(HISTORIES, [
      uses.map(({ tenant }) => tenant), uses.map(({ key }) => key), uses.map(({ model }) => model), moment(hour - HISTORY_HOURS), moment(hour),
    ]);
    return rows.map(({ hours, tokens, cost, ...use }) => ({ ...use, tokens: { hours, amounts: tokens }, cost: { hours, amounts: cost } }));
  }

  private async makeSpan(from: number, to: number): Promise<void> {
    const span = [moment(from), moment(to)];
    await this.pool.query(SUM, span);
    await this.pool.query(MARK, span);
  }
}

const moment = (hour: number): Date => new Date(hour * HOUR_MS);

/** Hours that follow each other, together, at most a day at once; the latest first, as they came. */
export function spansOf(hours: readonly number[]): [number, number][] {
  const spans: [number, number][] = [];
  for (const hour of hours) {
    const last = spans.at(-1);
    if (last !== undefined && last[0] === hour + 1 && last[1] - hour <= HOURS_AT_ONCE) last[0] = hour;
    else spans.push([hour, hour + 1]);
  }
  return spans;
}
