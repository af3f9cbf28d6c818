import { DejaError } from '@deja/contracts';
import type { z } from 'zod';

/** Where the next page of a list begins, as opaque text for its caller. `list` names the list, and whatever of the question the place makes sense for only. */
export const cursorAt = (list: string, place: unknown): string => Buffer.from(JSON.stringify([list, place])).toString('base64url');

/** The place that `cursorAt` wrote. Throws a 400 for what it never wrote, or wrote for another list. */
export function placeAt<T>(list: string, place: z.ZodType<T>, cursor: string): T {
  const read = place.safeParse(written(list, cursor));
  if (read.success) return read.data;
  throw new DejaError('invalid_value', "Invalid value for 'cursor': it is none of this list.", { param: 'cursor' });
}

function written(list: string, cursor: string): unknown {
  try {
    const read: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString());
    return Array.isArray(read) && read.length === 2 && read[0] === list ? read[1] : null;
  } catch {
    return null;
  }
}
