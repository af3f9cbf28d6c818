import { DejaError } from '@deja/contracts';

/** A part of a list, in the order of its ids. */
export interface Page<T> {
  object: 'list';
  data: T[];
  has_more: boolean;
  /** What to send as `cursor` for what comes next; null at the end. */
  next_cursor: string | null;
}

/**
 * The page of a whole list that a query asks for. A cursor says behind which id to go on, so it stays good when items come and go.
 * Throws a 400 for a cursor of another list.
 * @param name of the list
 * @param limit how many at most
 */
export function pageOf<T extends { id: string }>(name: string, items: readonly T[], { limit, cursor }: { limit: number; cursor?: string | undefined }): Page<T> {
  const after = cursor === undefined ? null : idIn(cursor, name);
  const rest = items.filter(({ id }) => after === null || id > after).toSorted((a, b) => (a.id < b.id ? -1 : 1));
  const data = rest.slice(0, limit);
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
