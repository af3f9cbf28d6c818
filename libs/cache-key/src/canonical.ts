import { canonicalDecimal, Decimal, hasLongNumber } from './decimal.ts';
import { lastUserMessage } from './conversation.ts';

/** A request body as it arrived and as `JSON.parse` understood it. Nesting must have been bounded by the caller. */
export interface ParsedBody {
  /** The raw JSON text: numbers are read from it where a double would lose digits. */
  readonly text: string | Buffer;
  readonly value: Readonly<Record<string, unknown>>;
}

/** The canonical JSON of a request, and the same with a hole where the text of its last user turn was. */
export interface CanonicalRequest {
  readonly whole: string;
  /** null when the request does not end with a user turn of text. */
  readonly withoutLastUserText: string | null;
}

/** Members which do not shape the answer. Top level only: a tool's parameter may well be called `user`. */
const IGNORED = new Set(['stream', 'stream_options', 'user', 'safety_identifier', 'metadata', 'store']);

/** Written for the removed text. Not JSON, so that no real content can look like it. */
const HOLE = Symbol('text of the last user turn');

/**
 * Canonical JSON: keys sorted by UTF-16 code unit, no white space, one spelling per number and per string, every digit
 * kept; of duplicate members the last one counts. Strings are compared as they are, without Unicode normalisation.
 */
export function canonicalRequest(body: ParsedBody): CanonicalRequest {
  const value = exactValue(body);
  const last = lastUserMessage(value);
  let head = '{';
  let tail = '';
  let lastWhole = '';
  let lastHollow: string | null = null;
  for (const key of sortedKeys(value)) {
    if (IGNORED.has(key)) continue;
    const separator = head === '{' ? '' : ',';
    if (key === 'messages' && last !== null) {
      head += `${separator}"messages":[`;
      for (let i = 0; i < last.messages.length - 1; i++) head += `${canonicalJson(last.messages[i])},`;
      lastWhole = canonicalJson(last.message);
      lastHollow = canonicalJson({ ...last.message, content: hollow(last.message['content']) });
      tail = ']';
    } else if (lastHollow === null) head += `${separator}${JSON.stringify(key)}:${canonicalJson(value[key])}`;
    else tail += `,${JSON.stringify(key)}:${canonicalJson(value[key])}`;
  }
  tail += '}';
  return { whole: head + lastWhole + tail, withoutLastUserText: lastHollow === null ? null : head + lastHollow + tail };
}

/** The value of the body with numbers that keep every digit; the parsed value itself where it already does (nearly always). */
function exactValue(body: ParsedBody): Readonly<Record<string, unknown>> {
  const { text } = body;
  // latin1 never misplaces ASCII, and is many times cheaper than decoding UTF-8
  if (!hasLongNumber(typeof text === 'string' ? text : text.toString('latin1'))) return body.value;
  const json = typeof text === 'string' ? text : text.toString('utf8');
  return JSON.parse(json, decimalReviver as Parameters<typeof JSON.parse>[1]) as Record<string, unknown>;
}

/** `context.source` is the number as it was written (ECMAScript proposal "JSON.parse source text access", in V8 since 11.4). */
function decimalReviver(_key: string, value: unknown, context: { source?: string }): unknown {
  return typeof value === 'number' && context.source !== undefined ? new Decimal(canonicalDecimal(context.source)) : value;
}

/** A user turn's content with its text taken out; the number and the other members of its parts stay. */
function hollow(content: unknown): unknown {
  if (!Array.isArray(content)) return HOLE;
  return content.map((part: Record<string, unknown>) => ({ ...part, text: HOLE }));
}

function canonicalJson(value: unknown): string {
  switch (typeof value) {
    case 'string':
      return JSON.stringify(value);
    case 'number':
      return value === 0 ? '0' : String(value);
    case 'boolean':
      return value ? 'true' : 'false';
    case 'symbol':
      return '~';
    default:
  }
  if (value === null || value === undefined) return 'null';
  if (Array.isArray(value)) return canonicalArray(value);
  if (value instanceof Decimal) return value.text;
  return canonicalObject(value as Record<string, unknown>);
}

function canonicalArray(values: unknown[]): string {
  let out = '[';
  for (let i = 0; i < values.length; i++) out += i === 0 ? canonicalJson(values[i]) : `,${canonicalJson(values[i])}`;
  return `${out}]`;
}

function canonicalObject(value: Readonly<Record<string, unknown>>): string {
  let out = '{';
  for (const key of sortedKeys(value)) out += `${out === '{' ? '' : ','}${JSON.stringify(key)}:${canonicalJson(value[key])}`;
  return `${out}}`;
}

const sortedKeys = (value: object): string[] => Object.keys(value).sort();
