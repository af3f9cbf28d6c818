import type { QueryOf } from '@deja/admin-api';
import { storable } from '../ledger/json.ts';

/** Who asks, and when. */
export interface Asked {
  /** The one tenant whose rows the caller may see; null: all. */
  scope: string | null;
  /** Unix ms. */
  nowMs: number;
}

/** What is asked for: rows that fit all of these. */
export type Filters = Partial<Pick<QueryOf<'listRequests'>, 'tenant' | 'key' | 'user' | 'model' | 'status' | 'cache'>>;

/** Unix ms, by the operations' ids; `toMs` is exclusive. */
export interface TimeSpan {
  fromMs: number;
  toMs: number;
}

/** How far back a question goes that does not say so. */
const USUAL_MS = 30 * 86_400_000;

export function timeSpan({ from, to }: { from?: string | undefined; to?: string | undefined }, nowMs: number): TimeSpan {
  const toMs = to === undefined ? nowMs : Date.parse(to);
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

/** The conditions on `usage.operations o`, as SQL, each of which an index can serve that has the id as its last column. */
export function conditions(asked: Asked, filters: Filters, span: TimeSpan, values: Values): string {
  const { tenant, key, user, model, status, cache } = filters;
  const at = (value: unknown): string => values.at(value);
  const all = [`o.id >= usage.first_id_at(${at(new Date(span.fromMs))}::timestamptz)`, `o.id < usage.first_id_at(${at(new Date(span.toMs))}::timestamptz)`];
  if (asked.scope !== null) all.push(`o.tenant = ${at(asked.scope)}`);
  if (tenant !== undefined) all.push(`o.tenant = ${at(tenant)}`);
  if (key !== undefined) all.push(`o.key = ${at(key)}`);
  if (user !== undefined) {
    const name = at(user);
    all.push(`hashtextextended(o."user", 0) = hashtextextended(${name}::text, 0)`, `o."user" = ${name}`);
  }
  if (model !== undefined) all.push(`coalesce(o.model, o.requested_model) = ${at(model)}`);
  if (cache !== undefined) all.push(`o.cache = ${at(cache)}`);
  if (status !== undefined) {
    const [least, most] = status.endsWith('xx') ? [Number(status[0]) * 100, Number(status[0]) * 100 + 99] : [Number(status), Number(status)];
    all.push(`o.status between ${at(least)} and ${at(most)}`);
  }
  return all.join(' and ');
}
