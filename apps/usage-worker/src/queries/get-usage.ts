import type { QueryOf, ReplyOf, UsageRow } from '@deja/admin-api';
import { DejaError, usdText } from '@deja/contracts';
import type { PoolClient } from '@deja/postgres';
import { z } from 'zod';
import { cursorAt, placeAt } from './cursor.ts';
import { conditions, timeSpan, Values, type Asked } from './question.ts';

type Query = QueryOf<'getUsage'>;
type Group = NonNullable<Query['group_by']>[number];

/** The last group of the page before, and the window of the first page (Unix ms): the figures of all pages are of the same time. */
const PLACE = z.object({ after: z.array(z.string().nullable()), fromMs: z.int().min(0), toMs: z.int().min(0) });

/**
 * Tokens are those that were bought: a hit repeats the numbers of the call it saved. Money is added up in Postgres, exactly.
 */
const FIGURES = `
  count(*) as requests,
  count(*) filter (where o.outcome = 'error') as errors,
  count(*) filter (where o.cache = 'HIT-EXACT') as cache_hits_exact,
  count(*) filter (where o.cache = 'HIT-SEMANTIC') as cache_hits_semantic,
  ${['prompt_tokens', 'cached_tokens', 'completion_tokens', 'reasoning_tokens'].map((name) => `coalesce(sum(o.${name}) filter (where o.usage_source <> 'cache'), 0) as ${name}`).join(', ')},
  coalesce(sum(o.cost_nano_usd), 0)::text as cost,
  coalesce(sum(o.saved_nano_usd), 0)::text as saved,
  count(*) filter (where o.cost_nano_usd is null) as unpriced_requests,
  percentile_cont(array[0.5, 0.95]) within group (order by o.duration_ms) as latency`;

type FiguresRead = Record<Exclude<keyof UsageRow, Group | 'cost_usd' | 'saved_usd' | 'latency_p50_ms' | 'latency_p95_ms'> | 'cost' | 'saved', string> & { groups: (string | null)[]; latency: [number, number] | null };

/** What was used, added up by each combination of the groups, in the order of their names; everything together without any. */
export async function getUsage(client: PoolClient, asked: Asked, query: Query): Promise<ReplyOf<'getUsage'>> {
  const groups = query.group_by ?? [];
  const list = `usage ${groups.join(',')} ${query.time_zone}`;
  const place = query.cursor === undefined ? null : placeAt(list, PLACE.refine(({ after }) => after.length === groups.length), query.cursor);
  const span = place ?? timeSpan(query, asked.nowMs);
  const values = new Values();
  const rows = await figures(client, statement(asked, query, groups, span, place?.after ?? null, values), values.all);
  const shown = rows.slice(0, query.limit);
  const last = rows.length > shown.length ? shown.at(-1) : undefined;
  return {
    object: 'list',
    data: shown.map((row) => usageRow(row, groups)),
    has_more: last !== undefined,
    next_cursor: last === undefined ? null : cursorAt(list, { after: last.groups, fromMs: span.fromMs, toMs: span.toMs }),
  };
}

/** Groups are text, ordered byte by byte, and none (null) comes last. */
function statement(asked: Asked, query: Query, groups: Group[], span: { fromMs: number; toMs: number }, after: (string | null)[] | null, values: Values): string {
  const name = timeZone(query.time_zone);
  const zone = groups.some((group) => TIMES.has(group)) ? values.at(name) : '';
  const columns = groups.map((group) => groupColumn(group, zone));
  const from = `usage.operations o ${groups.includes('tag') ? `left join lateral (select key || '=' || value as tag from jsonb_each_text(o.tags)) t on true` : ''}`;
  const grouped = `select array[${columns.join(', ')}]::text[] as groups, ${FIGURES} from ${from} where ${conditions(asked, query, span, values)}`;
  if (groups.length === 0) return grouped;
  const order = groups.flatMap((_, i) => [`u.groups[${i + 1}] is null`, `coalesce(u.groups[${i + 1}], '') collate "C"`]).join(', ');
  const behind = after === null ? '' : `where (${order}) > (${after.flatMap((group) => [`${values.at(group === null)}::boolean`, `${values.at(group ?? '')}::text`]).join(', ')})`;
  return `select * from (${grouped} group by ${columns.join(', ')}) u ${behind} order by ${order} limit ${query.limit + 1}`;
}

const TIMES: ReadonlySet<Group> = new Set(['minute', 'hour', 'day', 'month']);

function groupColumn(group: Group, zone: string): string {
  if (group === 'tag') return 't.tag';
  if (!TIMES.has(group)) return `o."${group}"`;
  return `to_char(date_trunc('${group}', o.received_at, ${zone}::text) at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')`;
}

async function figures(client: PoolClient, text: string, values: unknown[]): Promise<FiguresRead[]> {
  try {
    return (await client.query<FiguresRead>(text, values)).rows;
  } catch (error) {
    // Node's list of zones and that of Postgres are not the same.
    if (error instanceof Error && /time zone .* not recognized/.test(error.message)) throw unknownZone();
    throw error;
  }
}

/** Throws a 400 for what is no name of a zone. An offset is none: nobody would know a month later what it stood for. */
function timeZone(name: string): string {
  try {
    new Intl.DateTimeFormat('en', { timeZone: name });
  } catch {
    throw unknownZone();
  }
  if (/^[+-]/.test(name)) throw unknownZone();
  return name;
}

const unknownZone = (): DejaError => new DejaError('invalid_value', `Invalid value for 'time_zone': write an IANA time zone, as "Europe/Zurich".`, { param: 'time_zone' });

function usageRow(row: FiguresRead, groups: Group[]): UsageRow {
  return {
    ...Object.fromEntries(groups.map((group, i) => [group, row.groups[i] ?? null])),
    requests: Number(row.requests),
    errors: Number(row.errors),
    cache_hits_exact: Number(row.cache_hits_exact),
    cache_hits_semantic: Number(row.cache_hits_semantic),
    prompt_tokens: Number(row.prompt_tokens),
    cached_tokens: Number(row.cached_tokens),
    completion_tokens: Number(row.completion_tokens),
    reasoning_tokens: Number(row.reasoning_tokens),
    cost_usd: usdText(BigInt(row.cost)),
    saved_usd: usdText(BigInt(row.saved)),
    unpriced_requests: Number(row.unpriced_requests),
    latency_p50_ms: tenthOf(row.latency?.[0]),
    latency_p95_ms: tenthOf(row.latency?.[1]),
  };
}

/** Milliseconds, to a tenth; null where there is none. */
const tenthOf = (ms: number | undefined): number | null => (ms === undefined ? null : Math.round(ms * 10) / 10);
