import { DejaError } from '@deja/contracts';
import { isPassing } from '@deja/postgres';

/** SQLSTATEs of Postgres (appendix "PostgreSQL Error Codes"). */
export const UNIQUE_VIOLATION = '23505';
export const FOREIGN_KEY_VIOLATION = '23503';
const DEADLOCK_DETECTED = '40P01';
const SERIALIZATION_FAILURE = '40001';
const LOCK_NOT_AVAILABLE = '55P03';

/** Of Postgres's error, within what drizzle makes of it. */
export function sqlStateOf(error: unknown): string | null {
  if (typeof error !== 'object' || error === null) return null;
  if ('code' in error && typeof error.code === 'string') return error.code;
  return 'cause' in error ? sqlStateOf(error.cause) : null;
}

/** Whether the same transaction is likely to succeed at once: another one stood in its way, and Postgres has undone this one. */
export const isWorthRepeating = (error: unknown): boolean => [DEADLOCK_DETECTED, SERIALIZATION_FAILURE].includes(sqlStateOf(error) ?? '');

/** What the work comes to; trouble of the database that passes becomes `overloaded`, which says when to try again. */
export async function onDatabase<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    if (cause instanceof DejaError || (!isPassing(cause) && sqlStateOf(cause) !== LOCK_NOT_AVAILABLE)) throw cause;
    throw new DejaError('overloaded', 'The database cannot be used at the moment. Try again shortly.', { retryAfterMs: 1000, cause });
  }
}
