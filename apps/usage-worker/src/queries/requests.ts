import type { QueryOf, ReplyOf } from '@deja/admin-api';
import { DejaError } from '@deja/contracts';
import type { PoolClient } from '@deja/postgres';
import { z } from 'zod';
import { cursorAt, placeAt } from './cursor.ts';
import { conditions, timeSpan, Values, type Asked } from './question.ts';
import { requestObjects } from './request-objects.ts';

/** Behind which row to go on, and how far back (Unix ms): the window of the first page stays that of all. */
const PLACE = z.object({ before: z.uuid(), fromMs: z.int().min(0) });

/** Clocks of gateways may be ahead: the latest requests are shown all the same. The ledger takes no id that is further ahead. */
const AHEAD_MS = 2 * 86_400_000;

/** The latest first. */
export async function listRequests(client: PoolClient, asked: Asked, query: QueryOf<'listRequests'>): Promise<ReplyOf<'listRequests'>> {
  const place = query.cursor === undefined ? null : placeAt('requests', PLACE, query.cursor);
  const span = timeSpan(query, asked.nowMs);
  const shown = { fromMs: place?.fromMs ?? span.fromMs, toMs: query.to === undefined ? asked.nowMs + AHEAD_MS : span.toMs };
  const values = new Values();
  const where = [conditions(asked, query, shown, values), ...(place === null ? [] : [`o.id < ${values.at(place.before)}`])];
  const { requests, isCut } = await requestObjects(client, where.join(' and '), values.all, { order: 'desc', limit: query.limit });
  const last = isCut ? requests.at(-1) : undefined;
  return { object: 'list', data: requests, has_more: isCut, next_cursor: last === undefined ? null : cursorAt('requests', { before: last.id, fromMs: shown.fromMs }) };
}

/** Throws `not_found` also for what is another tenant's. */
export async function getRequest(client: PoolClient, asked: Asked, id: string): Promise<ReplyOf<'getRequest'>> {
  if (!z.uuid().safeParse(id).success) throw unknownRequest();
  const values = new Values();
  const where = [`o.id = ${values.at(id)}`, ...(asked.scope === null ? [] : [`o.tenant = ${values.at(asked.scope)}`])];
  const { requests: [request] } = await requestObjects(client, where.join(' and '), values.all, { order: 'asc', limit: 1 });
  if (request === undefined) throw unknownRequest();
  return request;
}

const unknownRequest = (): DejaError => new DejaError('not_found', 'There is no such request in the ledger.');
