import { DejaError, ERRORS, type ErrorCode } from '@deja/contracts';
import type { WireError } from './protocol.ts';

/** The deadline passed without a reply. */
export class RpcTimeout extends Error {
  constructor(pattern: string, deadlineMs: number) {
    super(`no reply to ${pattern} within ${deadlineMs} ms`);
    this.name = 'RpcTimeout';
  }
}

/** The message could not be sent, or its reply could not arrive: there is no connection, or the backlog is full. */
export class RpcUnavailable extends Error {
  constructor(reason: string, options?: ErrorOptions) {
    super(reason, options);
    this.name = 'RpcUnavailable';
  }
}

/** The other side failed in a way it does not tell. */
export class RpcFailure extends Error {
  constructor(pattern: string) {
    super(`${pattern} failed on the other side`);
    this.name = 'RpcFailure';
  }
}

/** The caller gave up. */
export class RpcCancelled extends Error {
  constructor(pattern: string) {
    super(`${pattern} was given up`);
    this.name = 'RpcCancelled';
  }
}

/** What leaves a service of an error: a DejaError's public part, and of anything else only that it happened. */
export function toWire(error: unknown): WireError {
  if (error instanceof DejaError) return { kind: 'deja', code: error.code, message: error.message, param: error.param, retryAfterMs: error.retryAfterMs };
  return { kind: 'failure', message: 'internal error' };
}

export function fromWire(error: WireError, pattern: string): Error {
  if (error.kind !== 'deja' || !Object.hasOwn(ERRORS, error.code)) return new RpcFailure(pattern);
  return new DejaError(error.code as ErrorCode, error.message, { ...(error.param !== null && { param: error.param }), ...(error.retryAfterMs !== null && { retryAfterMs: error.retryAfterMs }) });
}
