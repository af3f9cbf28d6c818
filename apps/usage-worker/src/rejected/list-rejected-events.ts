import type { QueryOf, ReplyOf } from '@deja/admin-api';
import type { PoolClient } from '@deja/postgres';
import { z } from 'zod';
import { cursorAt, placeAt } from '../queries/cursor.ts';
import { Values } from '../queries/question.ts';

/** So much of an event is shown. */
const MOST_BYTES = 16 * 1024;

/** Behind which event to go on; the moment as Postgres writes it, to the microsecond. */
const PLACE = z.object({ at: z.string().max(64).regex(/^\d[\d :.+-]*$/), digest: z.string().max(64) });

interface RejectedRow {
  digest: string;
  reason: string;
  raw: string;
  rejected_at: Date;
  place: string;
}

/** Events that nobody could read, the latest first. */
export async function listRejectedEvents(client: PoolClient, query: QueryOf<'listRejectedEvents'>): Promise<ReplyOf<'listRejectedEvents'>> {
  const place = query.cursor === undefined ? null : placeAt('rejected', PLACE, query.cursor);
  const values = new Values();
  const where = place === null ? '' : `where (rejected_at, digest) < (${values.at(place.at)}::timestamptz, ${values.at(place.digest)})`;
  const { rows } = await client.query<RejectedRow>(
    `select digest, reason, left(raw, ${MOST_BYTES}) as raw, rejected_at, rejected_at::text as place from usage.rejected_events ${where} order by rejected_at desc, digest desc limit ${query.limit + 1}`,
    values.all,
  );
  const data = rows.slice(0, query.limit);
  const last = rows.length > query.limit ? data.at(-1) : undefined;
  return {
    object: 'list',
    data: data.map(({ digest, reason, raw, rejected_at: at }) => ({ object: 'rejected_event', id: digest, reason, event: cut(raw), rejected_at: at.toISOString() })),
    has_more: last !== undefined,
    next_cursor: last === undefined ? null : cursorAt('rejected', { at: last.place, digest: last.digest }),
  };
}

/** The whole characters of the first so many bytes. */
function cut(text: string): string {
  const bytes = Buffer.from(text);
  if (bytes.length <= MOST_BYTES) return text;
  let end = MOST_BYTES;
  while (end > 0 && ((bytes[end] ?? 0) & 0xc0) === 0x80) end -= 1;
  return bytes.subarray(0, end).toString();
}
