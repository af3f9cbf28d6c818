import { DejaError, type ErrorBody, type ErrorCode, type FailureKind } from '@deja/contracts';
import { readRateLimits } from '../quotas/rate-limit-headers.ts';
import { BlockedByRule } from '../guard/blocked-by-rule.ts';
import { FAILURES, refusalKind } from './failure-table.ts';

export type { FailureKind };

interface FailureDetail {
  status?: number | null;
  retryAfterMs?: number | null;
  providerError?: ErrorBody['error'] | null;
  rule?: string | null;
  headers?: ReplyHeaders | null;
  cause?: unknown;
}

/** One failed upstream call: what is learned from it, and what the client would be told if it were the last. */
export class AttemptFailure extends Error {
  readonly kind: FailureKind;
  readonly status: number | null;
  readonly retryAfterMs: number | null;
  /** The provider's own words, for a mistake of the caller. */
  readonly providerError: ErrorBody['error'] | null;
  /** The content rule that blocked the answer. */
  readonly rule: string | null;
  /** Those of the provider's answer, which may tell how much of a quota is left; null where no answer came. */
  readonly headers: ReplyHeaders | null;

  constructor(kind: FailureKind, detail: FailureDetail = {}) {
    super(`upstream attempt failed: ${kind}`, { cause: detail.cause });
    this.kind = kind;
    this.status = detail.status ?? null;
    this.retryAfterMs = detail.retryAfterMs ?? null;
    this.providerError = detail.providerError ?? null;
    this.rule = detail.rule ?? null;
    this.headers = detail.headers ?? null;
  }

  /** The same failure, with this secret taken out of the provider's words. */
  without(secret: string): AttemptFailure {
    const said = this.providerError;
    if (said === null || ![said.message, said.type, said.param, said.code].some((text) => text?.includes(secret) === true)) return this;
    const masked = (text: string): string => text.replaceAll(secret, '[masked]');
    return new AttemptFailure(this.kind, { ...this.detail, providerError: { message: masked(said.message), type: masked(said.type), param: said.param === null ? null : masked(said.param), code: masked(said.code) } });
  }

  /** The same failure, as it came with these headers. */
  withHeaders(headers: ReplyHeaders): AttemptFailure {
    return new AttemptFailure(this.kind, { ...this.detail, headers });
  }

  /** Whether another candidate may do better. */
  get retryable(): boolean {
    return FAILURES[this.kind].hopeless !== 'request';
  }

  private get detail(): FailureDetail {
    const { status, retryAfterMs: waitMs, providerError, rule, headers, cause } = this;
    return { status, retryAfterMs: waitMs, providerError, rule, headers, cause };
  }
}

/** The code recorded for one failed attempt. */
export const attemptErrorCode = (failure: AttemptFailure): ErrorCode => FAILURES[failure.kind].code;

export type ReplyHeaders = Record<string, string | string[] | undefined>;
/** Classifies an answer that is no success. */
export type ReadFailure = (status: number, headers: ReplyHeaders, body: string) => AttemptFailure;

/** The classifier whose findings keep the headers they were found with. */
export const keepingHeaders = (read: ReadFailure): ReadFailure => (status, headers, body) => read(status, headers, body).withHeaders(headers);

/** Classifies a provider's answer that is not a success. */
export function failureOfStatus(status: number, headers: ReplyHeaders, body: string): AttemptFailure {
  const providerError = openAiError(body);
  const detail = { status, retryAfterMs: retryAfterMs(headers) ?? (status === 429 ? resetMs(headers) : null), providerError };
  if (status === 401 || status === 403) return new AttemptFailure('auth', detail);
  if (status === 402 || (status === 429 && providerError?.code === 'insufficient_quota')) return new AttemptFailure('quota', detail);
  if (status === 429) return new AttemptFailure('rate', detail);
  if (status === 404) return new AttemptFailure('model', detail);
  if (status === 408) return new AttemptFailure('timeout', detail);
  if (status === 409 || status === 425) return new AttemptFailure('overloaded', detail);
  if (status >= 400 && status < 500) return new AttemptFailure(refusalKind(providerError?.code ?? ''), detail);
  return new AttemptFailure('overloaded', detail);
}

/** What is known besides the failures when nobody has answered. */
export interface Unasked {
  /** Some were not asked because the quota of their credential is used up here. */
  forQuota: boolean;
  /** Some could have been asked, had there been attempts left. */
  forAttempts: boolean;
  /** When the first quota has room again, ms; -1: it never has for this request; null: not known. */
  quotaWaitMs?: number | null;
}

const DEFAULT_WAIT_MS = 1000;
/** About as long as the pool sets an account aside that has run out of money. */
const SPENT_WAIT_MS = 5 * 60_000;

/** What the client gets when every attempt failed: the closest row of the error table, never a provider's raw 401. */
export function finalError(failures: AttemptFailure[], unasked: Unasked = { forQuota: false, forAttempts: false }): DejaError {
  const last = failures.at(-1);
  if (last?.kind === 'caller' || last?.kind === 'context_window' || last?.kind === 'content_policy') return callerError(last);
  if (last?.kind === 'blocked') return new BlockedByRule('answer', last.rule ?? 'content safety');
  // Who does not know the model, or lets nobody in, could not have served the request: the next plan leaves them out.
  const able = failures.filter(({ kind }) => kind !== 'model' && kind !== 'auth');
  if ((able.length > 0 || unasked.forQuota) && able.every((f) => f.kind === 'rate' || f.kind === 'quota')) {
    if (able.length === 0 && unasked.quotaWaitMs === -1) {
      return new DejaError('provider_rate_limited', 'This request alone needs more than the limits of every provider that could serve it.', { retry: false, cause: last });
    }
    return new DejaError('provider_rate_limited', 'Every provider that could serve this request is rate-limited.', { retryAfterMs: shortestWaitMs(able, unasked), cause: last });
  }
  if (!last) return new DejaError('no_deployment_available', 'No deployment can take this request at the moment.', { retryAfterMs: DEFAULT_WAIT_MS });
  if (failures.every(({ kind }) => kind === 'model')) return new DejaError('model_not_found', 'The provider does not know this model.', { param: 'model', cause: last });
  if (last.kind === 'timeout') return new DejaError('upstream_timeout', 'The provider did not answer in time.', { cause: last });
  return new DejaError('upstream_error', 'The provider failed to answer this request.', { cause: last });
}

/** How soon anybody may answer, as far as it is known: who was not reached this time may be the next time. */
function shortestWaitMs(failures: AttemptFailure[], { forAttempts, quotaWaitMs = null }: Unasked): number {
  const told = failures.map(({ kind, retryAfterMs: toldMs }) => toldMs ?? (kind === 'quota' ? SPENT_WAIT_MS : DEFAULT_WAIT_MS));
  if (quotaWaitMs !== null && quotaWaitMs >= 0) told.push(quotaWaitMs);
  return told.length === 0 ? DEFAULT_WAIT_MS : Math.min(...told, ...(forAttempts ? [DEFAULT_WAIT_MS] : []));
}

function callerError(failure: AttemptFailure): DejaError {
  const said = failure.providerError;
  // What was said inside a stream is of kind `caller` for some readers, whatever its code.
  const kind = failure.kind === 'caller' ? refusalKind(said?.code ?? '') : failure.kind;
  const code = failure.status === 404 ? 'not_found' : failure.status === 413 ? 'request_too_large' : FAILURES[kind].code;
  const message = said?.message ?? (failure.status === null ? 'The provider refused this request.' : `The provider refused this request with status ${failure.status}.`);
  return new DejaError(code, message, { ...(said?.param && { param: said.param }), cause: failure });
}

function openAiError(body: string): ErrorBody['error'] | null {
  try {
    const error = (JSON.parse(body) as { error?: unknown }).error;
    if (typeof error !== 'object' || error === null) return null;
    const { message, type, param, code } = error as Record<string, unknown>;
    if (typeof message !== 'string') return null;
    return { message, type: typeof type === 'string' ? type : '', param: typeof param === 'string' ? param : null, code: typeof code === 'string' ? code : '' };
  } catch {
    return null; // not JSON: nothing worth repeating
  }
}

const MAX_WAIT_MS = 3_600_000;

/** When the limits that are used up are there again, as rate-limit headers say; null where they say nothing. */
function resetMs(headers: ReplyHeaders, nowMs = Date.now()): number | null {
  const { requests, tokens } = readRateLimits(headers, nowMs);
  const waits = [requests, tokens].flatMap((said) => (said !== null && said.remaining <= 0 && said.resetMs !== null ? [said.resetMs] : []));
  return waits.length === 0 ? null : Math.min(Math.max(...waits), MAX_WAIT_MS);
}

/** `retry-after-ms` (OpenAI, Azure) or `retry-after` in seconds or as an HTTP date (RFC 9110, section 10.2.3). */
export function retryAfterMs(headers: ReplyHeaders, nowMs = Date.now()): number | null {
  const text = (name: string): string | undefined => {
    const value = headers[name];
    return Array.isArray(value) ? value[0] : value;
  };
  const ms = Number(text('retry-after-ms'));
  if (Number.isFinite(ms) && ms > 0) return Math.min(ms, MAX_WAIT_MS);
  const after = text('retry-after');
  if (after === undefined) return null;
  const waitMs = /^\d+(\.\d+)?$/.test(after) ? Number(after) * 1000 : Date.parse(after) - nowMs;
  return Number.isFinite(waitMs) ? Math.min(Math.max(0, waitMs), MAX_WAIT_MS) : null;
}
