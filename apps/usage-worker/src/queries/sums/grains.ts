import type { PoolClient } from '@deja/postgres';
import type { TimeSpan } from '../question.ts';
import type { Cube } from './cube.ts';
import { DAY_MS, QUARTER_MS, type Grains } from './windows.ts';

/** A question's time is taken apart at each of them, and each part read by itself: where there are more, it is read in quarters as a whole. */
const MOST_BROKEN_DAYS = 60;
const NO_SUMS: Grains = { brokenDays: null, splitDays: new Map(), quarters: false, minutesFromMs: null };

/** Which sums can answer a question. Buckets of all time zones are made of quarters of an hour. */
export async function grainsOf(client: PoolClient, cube: Cube | null, { columns, span, zone }: { columns: readonly string[]; span: TimeSpan; zone: string }): Promise<Grains> {
  if (cube === null) return NO_SUMS;
  const minutes = cube === 'all' ? await completeSince(client, 'usage.rollup_minutes') : null;
  // Of its first day late requests are no longer counted when retention is about to drop it.
  const of = { ...NO_SUMS, minutesFromMs: minutes === null ? null : minutes + DAY_MS };
  if (columns.includes('minute')) return of;
  if (columns.includes('hour')) return { ...of, quarters: true };
  return { ...of, quarters: true, ...(await daysOf(client, columns, span, zone)) };
}

/** UTC days of a time that lie in more than one of its days, weeks or months, and where each is cut. Postgres says so, as it is Postgres that makes the buckets. */
async function daysOf(client: PoolClient, columns: readonly string[], span: TimeSpan, zone: string): Promise<Pick<Grains, 'brokenDays' | 'splitDays'>> {
  const times = ['day', 'week', 'month'].filter((unit) => columns.includes(unit));
  const [fromMs, toMs] = [Math.ceil(span.fromMs / DAY_MS) * DAY_MS, Math.floor(span.toMs / DAY_MS) * DAY_MS];
  if (times.length === 0 || fromMs >= toMs) return { brokenDays: [], splitDays: new Map() };
  const bucket = (moment: string): string => `row(${times.map((unit) => `date_trunc('${unit}', ${moment}, $3::text)`).join(', ')})`;
  const { rows } = await client.query<{ at: Date; cut: Date; once: boolean }>(
    `select d as at, cut, ${bucket('d')} = ${bucket(`cut - interval '15 minutes'`)} as once
     from generate_series($1::timestamptz, $2::timestamptz, interval '24 hours') d
     cross join lateral (select greatest(${times.map((unit) => `date_trunc('${unit}', d + interval '23:45', $3::text)`).join(', ')}) as cut) c
     where ${bucket('d')} <> ${bucket(`d + interval '23:45'`)} order by d`,
    [new Date(fromMs), new Date(toMs - DAY_MS), zone],
  );
  const quartersFromMs = rows.length === 0 ? null : await completeSince(client, 'usage.rollup_quarters');
  const splits = rows.filter(({ at, cut, once }) => once && cut.getTime() % QUARTER_MS === 0 && quartersFromMs !== null && at.getTime() >= quartersFromMs);
  const splitDays = new Map(splits.map(({ at, cut }) => [at.getTime(), cut.getTime()]));
  const broken = rows.map(({ at }) => at.getTime()).filter((ms) => !splitDays.has(ms));
  // Days next to each other are one part.
  const parts = broken.filter((ms, i) => broken[i - 1] !== ms - DAY_MS).length;
  return parts > MOST_BROKEN_DAYS ? { brokenDays: null, splitDays: new Map() } : { brokenDays: broken, splitDays };
}

/** Retention drops the oldest: sums are complete in the unbroken row of partitions that ends with the last one. Since when, Unix ms; null: there are none. */
async function completeSince(client: PoolClient, table: string): Promise<number | null> {
  const partitions = await partitionsOf(client, table);
  return partitions.find(({ fromMs }, i) => partitions[i + 1]?.toMs !== fromMs)?.fromMs ?? null;
}

/** The latest first. */
async function partitionsOf(client: PoolClient, table: string): Promise<TimeSpan[]> {
  const { rows } = await client.query<{ from: Date; to: Date }>(
    `select (regexp_match(bounds, $re$FROM \\('([^']+)'\\)$re$))[1]::timestamptz as from, (regexp_match(bounds, $re$TO \\('([^']+)'\\)$re$))[1]::timestamptz as to
     from (select pg_get_expr(c.relpartbound, c.oid) as bounds from pg_inherits i join pg_class c on c.oid = i.inhrelid where i.inhparent = $1::regclass) p order by 1 desc`,
    [table],
  );
  return rows.map(({ from, to }) => ({ fromMs: from.getTime(), toMs: to.getTime() }));
}
