import { randomFillSync } from 'node:crypto';
import { v7 } from 'uuid';

const BYTES_PER_ID = 16;
/** Random bytes are fetched for many ids at once: one fetch for each costs more than all the rest of making an id. */
const pool = new Uint8Array(BYTES_PER_ID * 256);
let used = pool.length;

/** A new operation, attempt or entry id: UUIDv7, so that ids sort by time and name their ledger partition. */
export function newId(): string {
  if (used === pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  const random = pool.subarray(used, (used += BYTES_PER_ID));
  return v7({ random });
}

/** When a UUIDv7 was made, in Unix milliseconds (RFC 9562, section 5.7). */
export const idTimeMs = (id: string): number => Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16);
