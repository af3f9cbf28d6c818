import { DejaError } from '@deja/contracts';
import { onDatabase } from '../admin/database-trouble.ts';
import { KeyWrappingError } from './wrapped-key.ts';

/** What the work comes to; `overloaded` where the database, or who keeps the master key, cannot be asked. @param what cannot be done then, as the beginning of a sentence */
export async function onMasterKey<T>(what: string, work: () => Promise<T>): Promise<T> {
  try {
    return await onDatabase(work);
  } catch (cause) {
    if (!(cause instanceof KeyWrappingError)) throw cause;
    throw new DejaError('overloaded', `${what} at the moment: the master key cannot be used.`, { retryAfterMs: 1000, cause });
  }
}
