import { DejaError } from '@deja/contracts';
import { z } from 'zod';
import { strictly } from './admin-body.ts';

const MOST = 1000;
const UNLESS_SAID = 100;

/** A part of a list, in the order of its ids. */
export interface Page<T> {
  object: 'list';
  data: T[];
  has_more: boolean;
  /** What to send as `cursor` for what comes next; null at the end. */
  next_cursor: string | null;
}

const limit = z.string().regex(/^\d{1,4}$/, `write a number from 1 to ${MOST}`).transform(Number).pipe(z.int().min(1).max(MOST));
export const LIST_QUERY = z.strictObject({ limit: limit.default(UNLESS_SAID), cursor: z.string().min(1).max(2048).optional() });

/**
 * The page of a whole list that a query asks for. A cursor says behind which id to go on, so it stays good when items come and go.
 * Throws a 400 for a query that is none, and for a cursor of another list.
 * @param name of the list
 * @param query of the request, not yet checked
 */
export function pageOf<T extends { id: string }>(name: string, items: readonly T[], query: unknown): Page<T> {
  const asked = strictly(LIST_QUERY, query);
  const after = asked.cursor === undefined ? null : idIn(asked.cursor, name);
  const rest = items.filter(({ id }) => after === null || id > after).toSorted((a, b) => (a.id < b.id ? -1 : 1));
  const data = rest.slice(0, asked.limit);
  const last = rest.length > data.length ? data.at(-1) : undefined;
  return { object: 'list', data, has_more: last !== undefined, next_cursor: last === undefined ? null : cursorAt(last.id, name) };
}

const cursorAt = (id: string, name: string): string => Buffer.from(`${name}:${id}`).toString('base64url');

function idIn(cursor: string, name: string): string {
  const text = Buffer.from(cursor, 'base64url').toString();
  const id = text.slice(name.length + 1);
  if (cursorAt(id, name) !== cursor) throw new DejaError('invalid_value', "Invalid value for 'cursor': it is none of this list.", { param: 'cursor' });
  return id;
}
