import type { PoolClient } from '@deja/postgres';
import type { TimeSpan } from '../question.ts';
import type { Cube } from './cube.ts';
import { DAY_MS, type Grains } from './windows.ts';

/** A question's time is taken apart at each of them, and each part read by itself: where there are more, it is read in quarters as a whole. */
const MOST_BROKEN_DAYS = 60;
const NO_SUMS: Grains = { brokenDays: null, quarters: false, minutesFromMs: null };

/** Which sums can answer a question. Buckets of all time zones are made of quarters of an hour; of UTC days, as long as each lies in one bucket. */
export async function grainsOf(client: PoolClient, cube: Cube | null, { columns, span, zone }: { columns: readonly string[]; span: TimeSpan; zone: string }): Promise<Grains> {
  if (cube === null) return NO_SUMS;
  const minutesFromMs = cube === 'all' ? await minutesSince(client) : null;
  if (columns.includes('minute')) return { brokenDays: null, quarters: false, minutesFromMs };
  if (columns.includes('hour')) return { brokenDays: null, quarters: true, minutesFromMs };
  const broken = await brokenDays(client, columns, span, zone);
  return { brokenDays: isWorthIt(broken) ? broken : null, quarters: true, minutesFromMs };
}

/** Days next to each other are one part: so are all of a zone that is hours away from UTC. */
function isWorthIt(broken: readonly number[]): boolean {
  return broken.filter((ms, i) => broken[i - 1] !== ms - DAY_MS).length <= MOST_BROKEN_DAYS;
}

/** UTC days of a time that lie in more than one of its days, weeks or months. Postgres says so, as it is Postgres that makes the buckets. */
async function brokenDays(client: PoolClient, columns: readonly string[], span: TimeSpan, zone: string): Promise<number[]> {
  const times = ['day', 'week', 'month'].filter((unit) => columns.includes(unit));
  const [fromMs, toMs] = [Math.ceil(span.fromMs / DAY_MS) * DAY_MS, Math.floor(span.toMs / DAY_MS) * DAY_MS];
  if (times.length === 0 || fromMs >= toMs) return [];
  const broken = times.map((unit) => `date_trunc('${unit}', d, $3::text) <> date_trunc('${unit}', d + interval '23:45', $3::text)`);
  const { rows } = await client.query<{ at: Date }>(
    `select d as at from generate_series($1::timestamptz, $2::timestamptz, interval '24 hours') d where ${broken.join(' or ')} order by d`,
    [new Date(fromMs), new Date(toMs - DAY_MS), zone],
  );
  return rows.map(({ at }) => at.getTime());
}

/**
 * Retention drops the oldest days: sums of minutes are complete in the unbroken row of partitions that ends with the last one. But for its first day, of
 * which late requests are no longer counted when retention is about to drop it.
 */
async function minutesSince(client: PoolClient): Promise<number | null> {
  const { rows } = await client.query<{ at: Date }>(`
    select (regexp_match(pg_get_expr(c.relpartbound, c.oid), $re$FROM \\('([^']+)'\\)$re$))[1]::timestamptz as at
    from pg_inherits i join pg_class c on c.oid = i.inhrelid where i.inhparent = 'usage.rollup_minutes'::regclass order by 1 desc`);
  const days = rows.map(({ at }) => at.getTime());
  const first = days.find((ms, i) => days[i + 1] !== ms - DAY_MS);
  return first === undefined ? null : first + DAY_MS;
}
