import { refusalKind } from '../attempt/failure-table.ts';
import { AttemptFailure } from '../attempt/failure.ts';

/** OpenRouter ends a choice like this when its own provider broke off. */
export const endsInError = (chunk: unknown): boolean => (chunk as { choices: { finish_reason?: unknown }[] }).choices.some(({ finish_reason: reason }) => reason === 'error');

/** An error event in OpenAI's language, also as OpenRouter and others send it: beside choices. */
export function streamError(chunk: unknown): AttemptFailure {
  const error = typeof chunk === 'object' && chunk !== null ? (chunk as { error?: unknown }).error : undefined;
  if (typeof error !== 'object' || error === null) return new AttemptFailure(typeof chunk === 'object' && chunk !== null && 'choices' in chunk ? 'overloaded' : 'malformed');
  const { message, code, type } = error as { message?: unknown; code?: unknown; type?: unknown };
  const limited = code === 429 || code === 'rate_limit_exceeded' || type === 'rate_limit_error';
  const refused = typeof code === 'string' ? refusalKind(code) : 'caller';
  const kind = limited ? 'rate' : code === 'insufficient_quota' ? 'quota' : refused === 'caller' ? 'overloaded' : refused;
  return new AttemptFailure(kind, {
    ...(refused !== 'caller' && { status: 400 }),
    providerError: typeof message === 'string' ? { message, type: 'api_error', param: null, code: typeof code === 'string' ? code : '' } : null,
  });
}
