import { DejaError, type ErrorBody, type ErrorCode, type FailureKind } from '@deja/contracts';
import { BlockedByRule } from '../guard/blocked-by-rule.ts';

export type { FailureKind };

/** One failed upstream call: what is learned from it, and what the client would be told if it were the last. */
export class AttemptFailure extends Error {
  readonly kind: FailureKind;
  readonly status: number | null;
  readonly retryAfterMs: number | null;
  /** The provider's own words, for a mistake of the caller. */
  readonly providerError: ErrorBody['error'] | null;
  /** The content rule that blocked the answer. */
  readonly rule: string | null;

  constructor(kind: FailureKind, detail: { status?: number; retryAfterMs?: number | null; providerError?: ErrorBody['error'] | null; rule?: string; cause?: unknown } = {}) {
    super(`upstream attempt failed: ${kind}`, { cause: detail.cause });
    this.kind = kind;
    this.status = detail.status ?? null;
    this.retryAfterMs = detail.retryAfterMs ?? null;
    this.providerError = detail.providerError ?? null;
    this.rule = detail.rule ?? null;
  }

  /** The same failure, with this secret taken out of the provider's words. */
  without(secret: string): AttemptFailure {
    const said = this.providerError;
    if (said === null || !said.message.includes(secret)) return this;
    return new AttemptFailure(this.kind, { ...(this.status !== null && { status: this.status }), retryAfterMs: this.retryAfterMs, providerError: { ...said, message: said.message.replaceAll(secret, '[masked]') }, cause: this.cause });
  }

  /** Whether another candidate may do better. */
  get retryable(): boolean {
    return this.kind !== 'caller' && this.kind !== 'blocked' && this.kind !== 'cancelled';
  }
}

const CODES: Record<FailureKind, ErrorCode> = {
  caller: 'invalid_value',
  context_window: 'context_length_exceeded',
  content_policy: 'content_policy_violation',
  auth: 'upstream_error',
  quota: 'provider_rate_limited',
  rate: 'provider_rate_limited',
  model: 'model_not_found',
  overloaded: 'upstream_error',
  timeout: 'upstream_timeout',
  network: 'upstream_error',
  malformed: 'upstream_error',
  blocked: 'content_policy_violation',
  cancelled: 'upstream_error',
};

/** The code recorded for one failed attempt. */
export const attemptErrorCode = (failure: AttemptFailure): ErrorCode => CODES[failure.kind];

export type ReplyHeaders = Record<string, string | string[] | undefined>;
/** Classifies an answer that is no success. */
export type ReadFailure = (status: number, headers: ReplyHeaders, body: string) => AttemptFailure;

/** Classifies a provider's answer that is not a success. */
export function failureOfStatus(status: number, headers: Record<string, string | string[] | undefined>, body: string): AttemptFailure {
  const providerError = openAiError(body);
  const detail = { status, retryAfterMs: retryAfterMs(headers), providerError };
  if (status === 401 || status === 403) return new AttemptFailure('auth', detail);
  if (status === 402 || (status === 429 && providerError?.code === 'insufficient_quota')) return new AttemptFailure('quota', detail);
  if (status === 429) return new AttemptFailure('rate', detail);
  if (status === 404) return new AttemptFailure('model', detail);
  if (status === 408) return new AttemptFailure('timeout', detail);
  if (status === 409 || status === 425) return new AttemptFailure('overloaded', detail);
  if (status >= 400 && status < 500) return new AttemptFailure('caller', detail);
  return new AttemptFailure('overloaded', detail);
}

/** What the client gets when every attempt failed: the closest row of the error table, never a provider's raw 401. */
export function finalError(failures: AttemptFailure[]): DejaError {
  const last = failures.at(-1);
  if (!last) return new DejaError('no_deployment_available', 'No deployment can take this request at the moment.', { retryAfterMs: 1000 });
  if (last.kind === 'caller') return callerError(last);
  if (last.kind === 'blocked') return new BlockedByRule('answer', last.rule ?? 'content safety');
  if (failures.every((f) => f.kind === 'rate' || f.kind === 'quota')) {
    const waits = failures.map((f) => f.retryAfterMs ?? 1000);
    return new DejaError('provider_rate_limited', 'Every provider that could serve this request is rate-limited.', { retryAfterMs: Math.min(...waits), cause: last });
  }
  if (failures.every((f) => f.kind === 'model')) return new DejaError('model_not_found', 'The provider does not know this model.', { param: 'model', cause: last });
  if (last.kind === 'timeout') return new DejaError('upstream_timeout', 'The provider did not answer in time.', { cause: last });
  return new DejaError('upstream_error', 'The provider failed to answer this request.', { cause: last });
}

function callerError(failure: AttemptFailure): DejaError {
  const said = failure.providerError;
  const tooLong = said?.code === 'context_length_exceeded';
  const filtered = said?.code === 'content_filter' || said?.code === 'content_policy_violation';
  const code = failure.status === 404 ? 'not_found' : failure.status === 413 ? 'request_too_large' : tooLong ? 'context_length_exceeded' : filtered ? 'content_policy_violation' : 'invalid_value';
  return new DejaError(code, said?.message ?? `The provider refused this request with status ${failure.status}.`, { ...(said?.param && { param: said.param }), cause: failure });
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

/** `retry-after-ms` (OpenAI, Azure) or `retry-after` in seconds or as an HTTP date (RFC 9110, section 10.2.3). */
export function retryAfterMs(headers: Record<string, string | string[] | undefined>, nowMs = Date.now()): number | null {
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
