import type { QueryOf } from '@deja/admin-api';
import type { PoolClient } from '@deja/postgres';
import { z } from 'zod';
import { csvHeader, csvLine } from './csv.ts';
import { cursorAt, placeAt } from './cursor.ts';
import { conditions, timeSpan, Values, type Asked } from './question.ts';
import { requestObjects } from './request-objects.ts';

const PAGE = 500;
/** Behind which row to go on, and the window of the first page (Unix ms). */
const PLACE = z.object({ after: z.uuid(), fromMs: z.int().min(0), toMs: z.int().min(0) });

/** One page of lines, the earliest first; a table begins with its header. `next` is null at the end. */
export async function exportUsage(client: PoolClient, asked: Asked, query: QueryOf<'exportUsage'>, after: string | null): Promise<{ lines: string[]; next: string | null }> {
  const place = after === null ? null : placeAt('export', PLACE, after);
  const span = place ?? timeSpan(query, asked.nowMs);
  const values = new Values();
  const where = [conditions(asked, query, span, values), ...(place === null ? [] : [`o.id > ${values.at(place.after)}`])];
  const { requests, isCut } = await requestObjects(client, where.join(' and '), values.all, { order: 'asc', limit: PAGE });
  const last = isCut ? requests.at(-1) : undefined;
  const lines = query.format === 'csv' ? requests.map(csvLine) : requests.map((request) => JSON.stringify(request));
  return {
    lines: query.format === 'csv' && place === null ? [csvHeader(), ...lines] : lines,
    next: last === undefined ? null : cursorAt('export', { after: last.id, fromMs: span.fromMs, toMs: span.toMs }),
  };
}
