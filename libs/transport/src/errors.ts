import { DejaError, ERRORS } from '@deja/contracts';
import type { WireError } from './protocol.ts';

/** No reply within the deadline: nobody serves, the service is slow, or the reply was lost. The request may have been handled. */
export class RpcTimeout extends Error {
  constructor(pattern: string, deadlineMs: number) {
    super(`no reply to ${pattern} within ${deadlineMs} ms`);
    this.name = 'RpcTimeout';
  }
}

/** The message could not be handed over, or the connection broke while its reply was due; then the request may have been handled. */
export class RpcUnavailable extends Error {
  constructor(reason: string, options?: ErrorOptions) {
    super(reason, options);
    this.name = 'RpcUnavailable';
  }
}

/** The other side failed in a way it does not tell; its own log does. */
export class RpcFailure extends Error {
  constructor(pattern: string) {
    super(`${pattern} failed on the other side`);
    this.name = 'RpcFailure';
  }
}

/** The caller gave up. `cause` is the signal's reason. */
export class RpcCancelled extends Error {
  constructor(pattern: string, options?: ErrorOptions) {
    super(`${pattern} was given up`, options);
    this.name = 'RpcCancelled';
  }
}

/** What leaves a service of an error: all that is public of a DejaError, and of anything else only that it happened. */
export function toWire(error: unknown): WireError {
  if (!(error instanceof DejaError)) return { kind: 'failure' };
  const { code, message, param, retryAfterMs, type, retry } = error;
  return { kind: 'deja', code, message, param, retryAfterMs, type, retry };
}

export function fromWire(error: WireError, pattern: string): DejaError | RpcFailure {
  // A code that this side does not know yet comes from a newer release.
  if (error.kind !== 'deja' || !Object.hasOwn(ERRORS, error.code)) return new RpcFailure(pattern);
  const { code, message, param, retryAfterMs, type, retry } = error;
  return new DejaError(code, message, { type, retry, ...(param !== null && { param }), ...(retryAfterMs !== null && { retryAfterMs }) });
}
