import type { ServerResponse } from 'node:http';
import { DejaError, errorBody, newId } from '@deja/contracts';
import { RETRY_AFTER_MS } from './bounds.ts';

const ERROR = new DejaError('overloaded', 'The gateway has more requests than it can serve at the moment. Try again shortly.');
/** The same for everybody, made once: a process that refuses has no time. */
const BODY = JSON.stringify(errorBody(ERROR));
const LENGTH = String(Buffer.byteLength(BODY));

/** Answers a request whose body nobody reads. @param random in [0, 1): when it is to come back */
export function answerRefused(response: ServerResponse, random: number): void {
  const retryAfterMs = Math.round(RETRY_AFTER_MS.least + random * (RETRY_AFTER_MS.most - RETRY_AFTER_MS.least));
  response.writeHead(ERROR.status, [
    'content-type', 'application/json',
    'content-length', LENGTH,
    'x-request-id', newId(),
    'retry-after', String(Math.ceil(retryAfterMs / 1000)),
    'retry-after-ms', String(retryAfterMs),
    'x-should-retry', 'true',
  ]);
  response.end(BODY);
}
