import { DejaError } from '@deja/contracts';

/** A list as it goes on the wire. */
export interface Page<Item> {
  object: 'list';
  data: Item[];
  has_more: boolean;
  next_cursor: string | null;
}

const LONGEST_CURSOR_CHARS = 1024;

/**
 * Where a page begins: the id after which it goes on; null at the beginning. A cursor is good for the list that gave it (`keys`, `tenants`).
 * Throws `invalid_value` for anything else. @param isId what ids of this list look like: they go into a query
 */
export function afterOf(list: string, cursor: string | undefined, isId: (text: string) => boolean): string | null {
  if (cursor === undefined) return null;
  const [name, id] = partsOf(cursor);
  if (name !== list || typeof id !== 'string' || !isId(id)) throw new DejaError('invalid_value', 'This is no cursor of this list: use next_cursor of the page before.', { param: 'cursor' });
  return id;
}

/** @param rows up to `limit` of them make the page; ask for one more, which says that there is another page */
export function pageOf<Row extends { id: string }, Item>(list: string, rows: Row[], limit: number, render: (row: Row) => Item): Page<Item> {
  const shown = rows.slice(0, limit);
  const last = shown.at(-1);
  const hasMore = rows.length > shown.length && last !== undefined;
  return { object: 'list', data: shown.map(render), has_more: hasMore, next_cursor: hasMore ? Buffer.from(JSON.stringify([list, last.id])).toString('base64url') : null };
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
/** Whether it can be the id of a row: anything else names nothing. */
export const isUuid = (text: string): boolean => UUID.test(text);

function partsOf(cursor: string): unknown[] {
  if (cursor.length > LONGEST_CURSOR_CHARS) return [];
  try {
    const parts: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString());
    return Array.isArray(parts) && parts.length === 2 ? parts : [];
  } catch {
    return []; // the caller says so
  }
}
