import { finished, type Work } from '@deja/content-safety';
import { endOfString } from '../validate/json-body.ts';
import { isJson } from '../validate/is-json.ts';

type Fields = Record<string, unknown>;
export type Treat = (text: string) => string;

/** Members whose strings are names of things, addresses or data, not what a person or a model wrote. */
const NOT_TEXT = new Set([
  'role', 'type', 'id', 'model', 'object', 'status', 'format', 'detail', 'url', 'image_url', 'file_url', 'server_url', 'file_data', 'data', 'b64_json', 'partial_image_b64', 'image', 'mask',
  'encrypted_content', 'obfuscation', 'finish_reason', 'native_finish_reason', 'system_fingerprint', 'service_tier',
]);
/** Members that map names of people's choosing to values: below these no name says what a string is. */
const FREE_NAMES = new Set(['metadata', 'variables', 'properties', '$defs', 'definitions', 'attributes']);
/** By an object's `type`, members of it that are no text whatever they hold: a tool's credentials, a picture. */
const NOT_TEXT_IN = new Map<unknown, readonly string[]>([
  ['mcp', ['headers', 'authorization']],
  ['image_generation_call', ['result']],
]);

/** Whether strings of a member of this name are texts. */
export const isText = (name: string): boolean => !NOT_TEXT.has(name) && !/(?:_id|signature)$/.test(name);

/** The value with each text in it replaced by what `treat` makes of it, in order; the very same value where nothing changes. */
export function withTexts<T>(value: T, treat: Treat): T {
  return walked(value, treat) as T;
}

/** Every text in the value, in order. */
export function textsIn(value: unknown): string[] {
  const texts: string[] = [];
  withTexts(value, (text) => {
    texts.push(text);
    return text;
  });
  return texts;
}

function walked(value: unknown, treat: Treat): unknown {
  if (typeof value === 'string') return treat(value);
  if (Array.isArray(value)) {
    const items = value.map((item: unknown) => walked(item, treat));
    return items.some((item, i) => item !== value[i]) ? items : value;
  }
  return isObject(value) ? walkedMembers(value, treat, false) : value;
}

function walkedMembers(object: Fields, treat: Treat, free: boolean): Fields {
  const left = free ? undefined : NOT_TEXT_IN.get(object['type']);
  const entries = Object.entries(object).map(([name, value]) => [name, left?.includes(name) ? value : member(name, value, treat, free)] as const);
  if (!entries.some(([name, value]) => value !== object[name])) return object;
  // What was signed has changed: a signature that no longer fits would have the text refused when it comes back.
  return Object.fromEntries(free ? entries : entries.filter(([name]) => name !== 'signature'));
}

function member(name: string, value: unknown, treat: Treat, free: boolean): unknown {
  if (!free && !isText(name) && isStrings(value)) return value;
  return !free && FREE_NAMES.has(name) && isObject(value) ? walkedMembers(value, treat, true) : walked(value, treat);
}

const isObject = (value: unknown): value is Fields => typeof value === 'object' && value !== null && !Array.isArray(value);
const isStrings = (value: unknown): boolean => typeof value === 'string' || (Array.isArray(value) && value.every((item) => typeof item === 'string'));

/**
 * The text as it is, and then, where it is JSON with escapes in it, each string of that JSON as whoever parses it will read it: a model
 * may write `\u0046` for a letter. Only strings that change are written anew.
 */
export function* decodingToo(text: string, treat: (text: string) => Work<string>): Work<string> {
  const treated = yield* treat(text);
  if (!treated.includes('\\') || !/^\s*[{["]/.test(treated) || !isJson(treated)) return treated;
  let out = '';
  let from = 0;
  for (let open = treated.indexOf('"'); open >= 0; open = treated.indexOf('"', from)) {
    const close = endOfString(treated, open) + 1;
    const literal = treated.slice(open, close);
    out += treated.slice(from, open) + (literal.includes('\\') ? yield* rewritten(literal, treat) : literal);
    from = close;
    yield;
  }
  return out + treated.slice(from);
}

/** The same, in one go. */
export function alsoDecoded(text: string, treat: Treat): string {
  return finished(decodingToo(text, function* treating(piece) {
    yield;
    return treat(piece);
  }));
}

function* rewritten(literal: string, treat: (text: string) => Work<string>): Work<string> {
  const text = JSON.parse(literal) as string;
  const treated = yield* decodingToo(text, treat); // JSON in JSON: each layer doubles its backslashes, so there are few
  return treated === text ? literal : JSON.stringify(treated);
}
