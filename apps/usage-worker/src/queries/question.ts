import type { QueryOf } from '@deja/admin-api';
import { DejaError, nanoUsd } from '@deja/contracts';
import { storable } from '../ledger/json.ts';

/** Who asks, and when. */
export interface Asked {
  /** The one tenant whose rows the caller may see; null: all. */
  scope: string | null;
  /** Unix ms. */
  nowMs: number;
}

/** What is asked for: rows that fit all of these. */
export type Filters = Partial<Omit<QueryOf<'exportUsage'>, 'from' | 'to' | 'format'>>;

/** Unix ms, by the operations' ids; `toMs` is exclusive. */
export interface TimeSpan {
  fromMs: number;
  toMs: number;
}

/** How far back a question goes that does not say so. */
const USUAL_MS = 30 * 86_400_000;

export function timeSpan({ from, to }: { from?: string | undefined; to?: string | undefined }, nowMs: number): TimeSpan {
  const toMs = to === undefined ? nowMs : Date.parse(to);
  // An empty time would read as: nothing was used.
  if (from !== undefined && to !== undefined && Date.parse(from) > toMs) throw new DejaError('invalid_value', "Invalid value for 'to': it must not be earlier than 'from'.", { param: 'to' });
  return { fromMs: Math.max(0, from === undefined ? toMs - USUAL_MS : Date.parse(from)), toMs: Math.max(0, toMs) };
}

/** The values of a statement, and where in it they stand. */
export class Values {
  readonly all: unknown[] = [];

  /** Adds a value; returns `$1`, `$2`, … */
  at(value: unknown): string {
    return `$${this.all.push(typeof value === 'string' ? storable(value) : value)}`;
  }
}

/** Columns that are asked for by their value. */
const SAME = ['key', 'requested_model', 'provider', 'deployment', 'credential', 'endpoint', 'outcome', 'error_code', 'cache', 'cache_reason', 'usage_source', 'price_version'] as const;
/** Also those, by the hash that the index has: they may be longer than an index takes. */
const HASHED = ['user', 'cache_entry', 'trace_id'] as const;

/** The conditions on `usage.operations o`, as SQL; docs/ledger.md says which of them an index serves. */
export function conditions(asked: Asked, filters: Filters, span: TimeSpan, values: Values): string {
  const at = (value: unknown): string => values.at(value);
  const all = [`o.id >= usage.first_id_at(${at(new Date(span.fromMs))}::timestamptz)`, `o.id < usage.first_id_at(${at(new Date(span.toMs))}::timestamptz)`];
  if (asked.scope !== null) all.push(`o.tenant = ${at(asked.scope)}`);
  if (filters.tenant !== undefined) all.push(`o.tenant = ${at(filters.tenant)}`);
  for (const column of SAME) if (filters[column] !== undefined) all.push(`o."${column}" = ${at(filters[column])}`);
  for (const column of HASHED) if (filters[column] !== undefined) all.push(hashedCondition(`o."${column}"`, filters[column], values));
  if (filters.model !== undefined) all.push(`coalesce(o.model, o.requested_model) = ${at(filters.model)}`);
  if (filters.status !== undefined) all.push(statusCondition(filters.status, values));
  if (filters.tag !== undefined) all.push(tagCondition(filters.tag, values));
  if (filters.safety_flag !== undefined) all.push(`o.safety_flags <> '{}' and o.safety_flags @> array[${at(filters.safety_flag)}::text]`);
  if (filters.stream !== undefined) all.push(filters.stream === 'true' ? 'o.stream' : 'not o.stream');
  if (filters.unpriced !== undefined) all.push(`o.cost_nano_usd is ${filters.unpriced === 'true' ? '' : 'not'} null`);
  if (filters.min_cost_usd !== undefined) all.push(`o.cost_nano_usd >= ${at(nanoUsd(filters.min_cost_usd))}::bigint`);
  if (filters.min_duration_ms !== undefined) all.push(`o.duration_ms >= ${at(filters.min_duration_ms)}::double precision`);
  if (filters.q !== undefined) all.push(wordsCondition(filters.q, span, values));
  return all.join(' and ');
}

/** That a column with an index of its hash has a value. */
export function hashedCondition(column: string, value: string, values: Values): string {
  const at = values.at(value);
  return `hashtextextended(${column}, 0) = hashtextextended(${at}::text, 0) and ${column} = ${at}`;
}

function statusCondition(status: string, values: Values): string {
  const [least, most] = status.endsWith('xx') ? [Number(status[0]) * 100, Number(status[0]) * 100 + 99] : [Number(status), Number(status)];
  return `o.status between ${values.at(least)} and ${values.at(most)}`;
}

/** `k=v`, or `k` for any value of it. No name of a tag has a "=". */
function tagCondition(tag: string, values: Values): string {
  const cut = tag.indexOf('=');
  if (cut === -1) return `o.tags <> '{}' and o.tags ? ${values.at(tag)}`;
  return `o.tags <> '{}' and o.tags @> jsonb_build_object(${values.at(tag.slice(0, cut))}::text, ${values.at(tag.slice(cut + 1))}::text)`;
}

/** Words of a captured prompt. */
function wordsCondition(words: string, span: TimeSpan, values: Values): string {
  const [from, to] = [span.fromMs, span.toMs].map((ms) => `usage.first_id_at(${values.at(new Date(ms))}::timestamptz)`);
  return `o.id in (select c.operation_id from usage.captures c where c.search @@ websearch_to_tsquery('simple', ${values.at(words)}) and c.operation_id >= ${from} and c.operation_id < ${to})`;
}
