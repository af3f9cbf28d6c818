import type { QueryOf, ReplyOf, UsageRow } from '@deja/admin-api';
import { usdText } from '@deja/contracts';
import type { PoolClient } from '@deja/postgres';
import { z } from 'zod';
import { percentileOf } from '../rollups/latency-buckets.ts';
import { cursorAt, placeAt } from './cursor.ts';
import { knownUsd } from './known-usd.ts';
import { timeSpan, Values, type Asked } from './question.ts';
import { addedUp, type FiguresRead, type LatencyRead } from './sums/figures.ts';
import { summed, TIMES } from './sums/summed.ts';
import { inZone, timeZone } from './zone.ts';

type Query = QueryOf<'getUsage'>;
type Group = NonNullable<Query['group_by']>[number];
type Place = z.output<typeof PLACE>;
type RowRead = FiguresRead & LatencyRead;

/** The last group of the page before, and the window of the first page (Unix ms): the figures of all pages are of the same time. */
const PLACE = z.object({ after: z.array(z.string().nullable()), fromMs: z.int().min(0), toMs: z.int().min(0) });
/** The ledger takes nothing that is further ahead. */
const AHEAD_MS = 2 * 86_400_000;

/** What was used, added up by each combination of the groups, in the order of their names; everything together without any. */
export async function getUsage(client: PoolClient, asked: Asked, query: Query): Promise<ReplyOf<'getUsage'>> {
  const groups = query.group_by ?? [];
  const list = `usage ${groups.join(',')} ${query.time_zone}`;
  const place = query.cursor === undefined ? null : placeAt(list, PLACE.refine(({ after }) => after.length === groups.length), query.cursor);
  const { fromMs, toMs } = place ?? timeSpan(query, asked.nowMs);
  const span = { fromMs, toMs: Math.min(toMs, asked.nowMs + AHEAD_MS) };
  const sums = { columns: groups, filters: query, span, zone: timeZone(query.time_zone), latency: true };
  const values = new Values();
  const rows = await inZone(async () => {
    const facts = await summed(client, asked, sums, values);
    return (await client.query<RowRead>(statement(facts, groups, { after: place?.after ?? null, limit: query.limit }, values), values.all)).rows;
  });
  const shown = rows.slice(0, query.limit);
  const last = rows.length > shown.length ? shown.at(-1) : undefined;
  return {
    object: 'list',
    data: shown.map((row) => usageRow(row, groups)),
    has_more: last !== undefined,
    next_cursor: last === undefined ? null : cursorAt(list, { after: last.groups, ...span } satisfies Place),
  };
}

/** Groups are text, ordered byte by byte, and none (null) comes last. */
function statement(facts: string, groups: readonly Group[], { after, limit }: { after: Place['after'] | null; limit: number }, values: Values): string {
  const names = groups.map((group, i) => (TIMES.has(group) ? `to_char(g${i + 1} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')` : `g${i + 1}`));
  const added = `select array[${names.join(', ')}]::text[] as groups, ${addedUp(true)} from (${facts}) facts`;
  if (groups.length === 0) return added;
  const order = groups.flatMap((_, i) => [`u.groups[${i + 1}] is null`, `coalesce(u.groups[${i + 1}], '') collate "C"`]).join(', ');
  const behind = after === null ? '' : `where (${order}) > (${after.flatMap((group) => [`${values.at(group === null)}::boolean`, `${values.at(group ?? '')}::text`]).join(', ')})`;
  return `select * from (${added} group by ${groups.map((_, i) => `g${i + 1}`).join(', ')} having sum(requests) <> 0) u ${behind} order by ${order} limit ${limit + 1}`;
}

function usageRow(row: RowRead, groups: readonly Group[]): UsageRow {
  const [requests, errors, exact, semantic] = [row.requests, row.errors, row.cache_hits_exact, row.cache_hits_semantic];
  return {
    ...Object.fromEntries(groups.map((group, i) => [group, row.groups[i] ?? null])),
    requests,
    errors,
    cancelled: row.cancelled,
    blocked: row.blocked,
    orphaned: row.orphaned,
    cache_hits_exact: exact,
    cache_hits_semantic: semantic,
    prompt_tokens: row.prompt_tokens,
    cached_tokens: row.cached_tokens,
    cache_write_tokens: row.cache_write_tokens,
    completion_tokens: row.completion_tokens,
    reasoning_tokens: row.reasoning_tokens,
    cost_usd: knownUsd(row),
    saved_usd: usdText(BigInt(row.saved)),
    saved_ms: row.saved_ms,
    unpriced_requests: row.unpriced_requests,
    cache_hit_rate: share(exact + semantic, exact + semantic + row.cache_misses),
    error_rate: share(errors, requests),
    latency_p50_ms: tenthOf(percentileOf(row.latency, 0.5)),
    latency_p95_ms: tenthOf(percentileOf(row.latency, 0.95)),
    latency_p99_ms: tenthOf(percentileOf(row.latency, 0.99)),
  };
}

/** To a hundredth of a percent; null of none. */
const share = (part: number, all: number): number | null => (all === 0 ? null : Math.round((part / all) * 10_000) / 10_000);
/** Milliseconds, to a tenth; null where there is none. */
const tenthOf = (ms: number | null): number | null => (ms === null ? null : Math.round(ms * 10) / 10);
