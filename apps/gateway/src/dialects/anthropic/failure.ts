import { AttemptFailure, failureOfStatus, type FailureKind } from '../../attempt/failure.ts';
import { textOf, fieldOf } from './messages-api.ts';

/** Anthropic's error types ("Errors") and the status each has when it is not sent inside a stream. */
const STATUS_OF_TYPE: Record<string, number> = {
  invalid_request_error: 400,
  authentication_error: 401,
  billing_error: 402,
  permission_error: 403,
  not_found_error: 404,
  request_too_large: 413,
  rate_limit_error: 429,
  api_error: 500,
  timeout_error: 504,
  overloaded_error: 529,
};

/** What the message of a 400 says that its type does not. Matched without regard to case. */
const TOLD: readonly { says: RegExp; kind: FailureKind; code: string }[] = [
  { says: /prompt is too long|exceeds? (the )?(model's )?(maximum )?context (window|limit|length)/i, kind: 'context_window', code: 'context_length_exceeded' },
  { says: /content filtering policy/i, kind: 'content_policy', code: 'content_policy_violation' },
  { says: /credit balance is too low|reached your specified .*usage limit/i, kind: 'quota', code: 'insufficient_quota' },
];

/** Fields Anthropic names at the start of a message (`max_tokens: 9000 > 8192, …`), as the client called them. */
const PARAM_OF_FIELD: Record<string, string> = {
  system: 'messages',
  stop_sequences: 'stop',
  output_config: 'response_format',
  output_format: 'response_format',
  thinking: 'reasoning_effort',
  metadata: 'user',
};
const SAME_NAME = new Set(['messages', 'model', 'max_tokens', 'temperature', 'top_p', 'top_k', 'tools', 'tool_choice', 'service_tier', 'stream']);

/**
 * What an answer of Anthropic's that is no success means. A caller's mistake keeps Anthropic's words, in OpenAI's shape.
 * Source: Anthropic, API reference, "Errors" and "Rate limits" (`retry-after`).
 */
export function messagesFailure(status: number, headers: Record<string, string | string[] | undefined>, body: string): AttemptFailure {
  const plain = failureOfStatus(status, headers, body);
  const message = plain.providerError?.message ?? '';
  const told = status === 400 ? TOLD.find(({ says }) => says.test(message)) : undefined;
  const kind = told?.kind ?? (status === 504 ? 'timeout' : plain.kind);
  const code = told?.code ?? (status === 413 ? 'request_too_large' : 'invalid_value');
  const providerError = plain.providerError && { message, type: 'invalid_request_error', param: paramOf(message), code };
  return new AttemptFailure(kind, { status, retryAfterMs: plain.retryAfterMs, providerError });
}

/** An error where an answer was expected: in a stream, after the status 200 had been sent. */
export function failureOfErrorObject(data: unknown): AttemptFailure {
  const status = STATUS_OF_TYPE[textOf(fieldOf(data, 'error'), 'type')] ?? 500;
  return messagesFailure(status, {}, JSON.stringify(data));
}

function paramOf(message: string): string | null {
  const field = /^([a-z_]+)(?:\.[\w.$-]+)?:/i.exec(message)?.[1] ?? '';
  return PARAM_OF_FIELD[field] ?? (SAME_NAME.has(field) ? field : null);
}
