import type { ErrorBody } from '@deja/contracts';
import { refusalKind } from '../../attempt/failure-table.ts';
import { AttemptFailure, failureOfStatus, type FailureKind, type ReplyHeaders } from '../../attempt/failure.ts';
import type { CompatibleServer } from './compatible-servers.ts';
import { errorOf, type SaidError } from './error-shapes.ts';

const CONTEXT_LENGTH = 'context_length_exceeded';
const CONTENT_FILTER = 'content_filter';

/** How servers without OpenAI's code say that the prompt is too long. */
const TOO_LONG: readonly RegExp[] = [
  /maximum context length/i, // vLLM, DeepSeek, Mistral, OpenRouter, Ollama
  /longer than the maximum model length/i, // vLLM
  /max_tokens must be at least 1, got -/i, // vLLM before 0.6: nothing is left for the answer
  /reduce the length of the messages/i, // Groq
  /maximum prompt length is/i, // xAI
  /tokens? \+ `?max_new_tokens`? must be <=/i, // Together AI
  /prompt is too long/i, // Fireworks AI
  /too many tokens: /i, // Cohere
  /exceeds? the (available|model's) context (size|length|window)/i, // llama.cpp and what is built on it
];

/** Accounts that have run out, at servers that say so with the status of a wrong key or of a rate limit. */
const OUT_OF_CREDIT = /(used all available credits|have any credits|run out of credits|monthly spending limit)/i; // xAI
const QUOTA_CODES = new Set(['insufficient_quota', 'billing_hard_limit_reached', 'billing_not_active']); // OpenAI: Error codes

/** Models unknown at servers that answer 400 in place of 404. */
const UNKNOWN_MODEL = /^(Invalid model: |Model Not Exist)|is not a valid model ID/; // Mistral, DeepSeek, OpenRouter

/** Wrong keys at servers that answer 400 in place of 401. */
const WRONG_KEY = /^Incorrect API key provided/; // xAI

/**
 * Classifies an answer that is no success, with the server's own words in OpenAI's shape.
 * @param headers for `retry-after`
 * @param body as it came; what is not JSON is not repeated
 */
export function openAiFailure(status: number, headers: ReplyHeaders, body: string, server: CompatibleServer): AttemptFailure {
  const said = errorOf(body);
  if (said === null) return failureOfStatus(status, headers, body);
  const plain = failureOfStatus(status, headers, JSON.stringify({ error: said.error }));
  const error = isRefusal(plain.kind) || isFiltered(said, server) ? callersError(said, server) : said.error;
  const kind = kindOf(status, { ...said, error }, server, plain.kind);
  return new AttemptFailure(kind, { status, retryAfterMs: plain.retryAfterMs, providerError: isRefusal(kind) ? error : said.error });
}

const isRefusal = (kind: FailureKind): boolean => kind === 'caller' || kind === 'context_window' || kind === 'content_policy';

function kindOf(status: number, said: SaidError, server: CompatibleServer, plain: FailureKind): FailureKind {
  const { code, type, message } = said.error;
  if (isFiltered(said, server)) return 'content_policy';
  if (status >= 500) return plain;
  if (QUOTA_CODES.has(code) || QUOTA_CODES.has(type)) return 'quota';
  if ((plain === 'auth' || plain === 'rate') && OUT_OF_CREDIT.test(message)) return 'quota';
  if (status === 413 && code === 'rate_limit_exceeded') return 'rate'; // Groq: the request alone is more than the tokens per minute
  if (!isRefusal(plain)) return plain;
  if (WRONG_KEY.test(message)) return 'auth';
  return code === 'model_not_found' || type === 'invalid_model' || UNKNOWN_MODEL.test(message) ? 'model' : refusalKind(code);
}

/** Azure: Content filtering, error codes. OpenRouter: Errors and Debugging, 403 with `reasons` is a moderation. */
function isFiltered({ error, innerCode, reasons }: SaidError, server: CompatibleServer): boolean {
  return error.code === CONTENT_FILTER || error.code === 'contentFilter' || innerCode === 'ResponsibleAIPolicyViolation' || (server.name === 'openrouter' && reasons);
}

function callersError(said: SaidError, server: CompatibleServer): ErrorBody['error'] {
  const { error } = said;
  if (isFiltered(said, server)) return { ...error, code: CONTENT_FILTER };
  const tooLong = error.code !== CONTEXT_LENGTH && TOO_LONG.some((words) => words.test(error.message));
  return tooLong ? { ...error, param: error.param ?? 'messages', code: CONTEXT_LENGTH } : error;
}
