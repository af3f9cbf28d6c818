/** How one error code looks on the wire: HTTP status, OpenAI's `type`, and whether a client may usefully repeat the call. */
export interface ErrorShape {
  readonly status: number;
  readonly type: string;
  readonly retry: boolean;
}

/** The closed list of everything deja answers besides success. docs/api.md shows the same table to users. */
export const ERRORS = {
  invalid_json: { status: 400, type: 'invalid_request_error', retry: false },
  invalid_value: { status: 400, type: 'invalid_request_error', retry: false },
  missing_required_parameter: { status: 400, type: 'invalid_request_error', retry: false },
  context_length_exceeded: { status: 400, type: 'invalid_request_error', retry: false },
  content_policy_violation: { status: 400, type: 'invalid_request_error', retry: false },
  invalid_api_key: { status: 401, type: 'invalid_request_error', retry: false },
  model_not_allowed: { status: 403, type: 'invalid_request_error', retry: false },
  key_disabled: { status: 403, type: 'invalid_request_error', retry: false },
  key_expired: { status: 403, type: 'invalid_request_error', retry: false },
  endpoint_not_allowed: { status: 403, type: 'invalid_request_error', retry: false },
  network_not_allowed: { status: 403, type: 'invalid_request_error', retry: false },
  tenant_disabled: { status: 403, type: 'invalid_request_error', retry: false },
  /** Admin API: the token's role, or that it is for one tenant, does not allow this. */
  permission_denied: { status: 403, type: 'invalid_request_error', retry: false },
  /** Admin API: an id or name that is taken, or an idempotency key that stands for another request. */
  conflict: { status: 409, type: 'invalid_request_error', retry: false },
  /** Admin API: it was changed since the etag in `If-Match` was read. */
  precondition_failed: { status: 412, type: 'invalid_request_error', retry: false },
  model_not_found: { status: 404, type: 'invalid_request_error', retry: false },
  not_found: { status: 404, type: 'invalid_request_error', retry: false },
  request_too_large: { status: 413, type: 'invalid_request_error', retry: false },
  rate_limit_exceeded: { status: 429, type: 'requests', retry: true },
  provider_rate_limited: { status: 429, type: 'requests', retry: true },
  budget_exceeded: { status: 429, type: 'insufficient_quota', retry: false },
  upstream_error: { status: 502, type: 'api_error', retry: true },
  no_deployment_available: { status: 503, type: 'api_error', retry: true },
  overloaded: { status: 503, type: 'api_error', retry: true },
  internal_error: { status: 500, type: 'api_error', retry: true },
  upstream_timeout: { status: 504, type: 'api_error', retry: true },
  cache_miss: { status: 504, type: 'api_error', retry: false },
} as const satisfies Record<string, ErrorShape>;

export type ErrorCode = keyof typeof ERRORS;

export interface DejaErrorOptions {
  /** Path of the offending field, as `messages[0].content`. */
  readonly param?: string;
  /** When a repeat may succeed, in milliseconds from now. */
  readonly retryAfterMs?: number;
  /** Overrides the table: a limit may count `tokens`, and a limit that can never be met is not worth a repeat. */
  readonly type?: string;
  readonly retry?: boolean;
  /** What really happened. Logged, never sent. */
  readonly cause?: unknown;
}

/** The one error class. `message` is public and leaves the house; everything else about the reason goes into `cause`. */
export class DejaError extends Error {
  readonly code: ErrorCode;
  readonly param: string | null;
  readonly retryAfterMs: number | null;
  readonly type: string;
  readonly retry: boolean;

  constructor(code: ErrorCode, publicMessage: string, options: DejaErrorOptions = {}) {
    super(publicMessage, { cause: options.cause });
    this.name = 'DejaError';
    this.code = code;
    this.param = options.param ?? null;
    this.retryAfterMs = options.retryAfterMs ?? null;
    this.type = options.type ?? ERRORS[code].type;
    this.retry = options.retry ?? ERRORS[code].retry;
  }

  get status(): number {
    return ERRORS[this.code].status;
  }
}

/** OpenAI's error body. */
export interface ErrorBody {
  error: { message: string; type: string; param: string | null; code: string };
}

export function errorBody(error: DejaError): ErrorBody {
  return { error: { message: error.message, type: error.type, param: error.param, code: error.code } };
}
