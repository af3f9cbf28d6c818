import { refusalKind } from '../../attempt/failure-table.ts';
import { AttemptFailure, retryAfterMs, type FailureKind } from '../../attempt/failure.ts';
import { isObject, objectsOf, textOf } from './generate-content.ts';

/** A `google.rpc.Status` as the Gemini API writes it into `error` ("Errors" in Google Cloud's API design guide). */
interface Status {
  message: string;
  /** Such as `RESOURCE_EXHAUSTED`; empty when it was not said. */
  status: string;
  details: Record<string, unknown>[];
}

const MAX_WAIT_MS = 3_600_000;

/**
 * What an answer that is no success means ("Troubleshooting guide" of the Gemini API). Gemini says much with 400 and 403
 * that is about the key, and some that is about the request.
 * @param body JSON text, an object or a list of one
 */
export function geminiFailure(status: number, headers: Record<string, string | string[] | undefined>, body: string): AttemptFailure {
  const said = statusIn(body);
  const kind = kindOf(status, said);
  const wait = said === null ? null : retryDelayMs(said);
  const providerError = said && { message: said.message, type: 'invalid_request_error', param: null, code: codeOf(kind, said) };
  return new AttemptFailure(kind, { status, retryAfterMs: wait ?? retryAfterMs(headers), providerError });
}

function kindOf(status: number, said: Status | null): FailureKind {
  if (said && isOutOfMoney(said)) return 'quota';
  if (said && isAboutKey(status, said)) return 'auth';
  if (status === 403 && said && /permission to access the (file|cachedcontent)|file .* or it may not exist/i.test(said.message)) return 'caller';
  if (status === 401 || status === 403) return 'auth';
  if (status === 429) return said && isUsedUp(said) ? 'quota' : 'rate';
  if (status === 402) return 'quota';
  if (status === 404) return 'model';
  if (status === 408 || status === 504) return 'timeout';
  if (status === 409 || status === 499) return 'overloaded';
  return status >= 400 && status < 500 ? refusalKind(said ? refusalCode(said) : '') : 'overloaded';
}

/** The project's account is closed, or has nothing left (`google.api.ErrorReason`, "Error info"). */
const isOutOfMoney = (said: Status): boolean => detail(said, 'ErrorInfo')?.['reason'] === 'BILLING_DISABLED';

/** 400 that another key would not get: an invalid or expired one, or an account that may not be served from here. */
function isAboutKey(status: number, said: Status): boolean {
  const reason = detail(said, 'ErrorInfo')?.['reason'];
  if (reason === 'API_KEY_INVALID' || said.status === 'UNAUTHENTICATED') return true;
  if (status !== 400) return false;
  return /^api key (not valid|expired|not found)/i.test(said.message) || (said.status === 'FAILED_PRECONDITION' && /location is not supported|billing|free tier/i.test(said.message));
}

/** 429 that a minute's patience does not mend: the day's quota or the money is gone. */
function isUsedUp(said: Status): boolean {
  const violations = objectsOf(detail(said, 'QuotaFailure')?.['violations']);
  return violations.some(({ quotaId }) => typeof quotaId === 'string' && /PerDay/i.test(quotaId)) || /credits are depleted|spend(ing)? (cap|limit)/i.test(said.message);
}

const codeOf = (kind: FailureKind, said: Status): string =>
  kind === 'caller' || kind === 'context_window' || kind === 'content_policy' ? refusalCode(said) : said.status.toLowerCase();

/** What is wrong with a request, in OpenAI's words. */
function refusalCode({ message }: Status): string {
  if (/token count.*exceeds|exceeds the maximum number of (input )?tokens/is.test(message)) return 'context_length_exceeded';
  return /responsible ai practices|violates? .*\bpolic(y|ies)\b|blocked .*\bsafety\b/is.test(message) ? 'content_policy_violation' : 'invalid_value';
}

/** A protobuf duration as JSON writes it: `34.4s`. */
function retryDelayMs(said: Status): number | null {
  const seconds = /^(\d+(?:\.\d+)?)s$/.exec(textOf(detail(said, 'RetryInfo')?.['retryDelay']) ?? '')?.[1];
  return seconds === undefined ? null : Math.min(Math.round(Number(seconds) * 1000), MAX_WAIT_MS);
}

const detail = (said: Status, type: string): Record<string, unknown> | undefined => said.details.find((one) => textOf(one['@type'])?.endsWith(`.${type}`));

function statusIn(body: string): Status | null {
  try {
    const value: unknown = JSON.parse(body);
    const only: unknown = Array.isArray(value) ? value[0] : value;
    const error = isObject(only) ? only['error'] : null;
    if (!isObject(error) || typeof error['message'] !== 'string') return null;
    return { message: error['message'], status: textOf(error['status']) ?? '', details: objectsOf(error['details']) };
  } catch {
    return null; // not JSON: nothing worth repeating
  }
}
