import type { ParsedBody } from '@deja/cache-key';
import { isObject, memberText, parsedJson } from './json.ts';
import { loggedAnswer, type LoggedAnswer } from './logged-answer.ts';

/** One chat completion that somebody asked for. */
export interface LoggedRequest {
  body: ParsedBody;
  /** The name the client sent. */
  model: string;
  tenant: string;
  key: string | null;
  user: string | null;
  /** Unix ms; null: the log does not say. */
  atMs: number | null;
  answer: LoggedAnswer;
}

/** Whose requests those are that name no tenant. */
const NOBODYS = 'default';
const CHAT = /(?:^|\/)chat\/completions\/?$/;
/** Unix seconds have ten digits for the next 260 years, milliseconds thirteen. */
const LARGEST_SECONDS = 1e11;

/**
 * Reads one line of a request log: `{"request": <chat body>, "tenant"?, "user"?, "key"?, "at"?, "response"?, "cost_usd"?, "duration_ms"?}`, a line of
 * OpenAI's batch files (`{"custom_id", "method", "url", "body"}`), or a bare chat body. Returns what is wrong with any other.
 */
export function loggedRequest(text: string): LoggedRequest | { problem: string } {
  const line = parsedJson(text);
  if (!isObject(line)) return { problem: 'is no JSON object' };
  const member = isObject(line['request']) ? 'request' : isObject(line['body']) && !Array.isArray(line['messages']) ? 'body' : null;
  const value = member === null ? line : (line[member] as Record<string, unknown>);
  if (typeof line['url'] === 'string' && !CHAT.test(line['url'])) return { problem: `is no chat completion but ${line['url']}` };
  if (!Array.isArray(value['messages'])) return { problem: 'has no chat request: no messages' };
  const { model } = value;
  if (typeof model !== 'string' || model === '') return { problem: 'has no model' };
  // Of a bare body all members are the request's own.
  const about = member === null ? {} : line;
  const atMs = momentOf(about['at']);
  if (atMs === undefined) return { problem: 'has a time that is neither ISO 8601 nor Unix time' };
  return {
    body: { value, text: member === null ? text : memberText(text, member, value) },
    model,
    tenant: named(about['tenant']) ?? NOBODYS,
    key: named(about['key']),
    user: named(about['user']) ?? named(value['safety_identifier']) ?? named(value['user']),
    atMs,
    answer: loggedAnswer(about, model),
  };
}

const named = (value: unknown): string | null => (typeof value === 'string' && value !== '' ? value : null);

/** Unix ms of ISO 8601 text, of Unix seconds or milliseconds; null: none is given, undefined: it cannot be read. */
function momentOf(at: unknown): number | null | undefined {
  if (at === undefined || at === null) return null;
  const unix = typeof at === 'string' && /^\d{9,14}(?:\.\d+)?$/.test(at) ? Number(at) : at;
  if (typeof unix === 'number') return Number.isFinite(unix) && unix >= 0 ? Math.round(unix < LARGEST_SECONDS ? unix * 1000 : unix) : undefined;
  const parsed = typeof unix === 'string' ? Date.parse(unix) : Number.NaN;
  return Number.isNaN(parsed) ? undefined : parsed;
}
