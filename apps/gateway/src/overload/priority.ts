import type { IncomingHttpHeaders } from 'node:http';
import { DejaError, PRIORITIES, type Priority } from '@deja/contracts';

export const PRIORITY_HEADER = 'x-deja-priority';

/** Throws a 400 for a header that is no priority. */
export function checkPriority(headers: IncomingHttpHeaders): void {
  const given = headers[PRIORITY_HEADER];
  if (given !== undefined && !(PRIORITIES as readonly unknown[]).includes(given)) {
    throw new DejaError('invalid_value', `Invalid value for header '${PRIORITY_HEADER}': expected ${PRIORITIES.join(' or ')}.`, { param: PRIORITY_HEADER });
  }
}

/** A request may put itself behind others, and not before them. @param ofKey what its key has; null: the key is not known yet */
export const priorityOf = (headers: IncomingHttpHeaders, ofKey: Priority | null): Priority => (headers[PRIORITY_HEADER] === 'batch' ? 'batch' : (ofKey ?? 'interactive'));
