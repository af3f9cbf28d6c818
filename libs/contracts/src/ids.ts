import { v7 } from 'uuid';

/** A new operation, attempt or entry id: UUIDv7, so that ids sort by time and name their ledger partition. */
export const newId = (): string => v7();

/** When a UUIDv7 was made, in Unix milliseconds (RFC 9562, section 5.7). */
export const idTimeMs = (id: string): number => Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16);
