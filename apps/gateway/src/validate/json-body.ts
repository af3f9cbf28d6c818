import { isUtf8 } from 'node:buffer';
import { DejaError } from '@deja/contracts';
import { checkJsonSize } from './json-size.ts';

/** One top-level member of a JSON object, as offsets into its text. */
export interface JsonMember {
  /** Where `"name"` begins. */
  start: number;
  valueStart: number;
  /** One past the value. */
  end: number;
}

/** A request body, parsed once, with its own text kept: what is passed on untouched keeps every digit. */
export interface JsonBody {
  text: string;
  value: Record<string, unknown>;
  /** By name; the last one of a repeated name comes last. */
  members: Map<string, JsonMember[]>;
}

const MAX_DEPTH = 128;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;
const COMMA = 0x2c;
const COLON = 0x3a;

/** Parses a JSON object; throws `invalid_json` on anything else, and `invalid_value` when it is nested absurdly deep or an inner object names a member twice. */
export function parseJsonBody(bytes: Buffer): JsonBody {
  if (bytes.length === 0) throw new DejaError('invalid_json', 'The request has no body; a JSON object is expected.');
  checkJsonSize(bytes);
  if (!isUtf8(bytes)) throw new DejaError('invalid_json', 'The request body is not valid UTF-8.');
  const text = bytes.toString('utf8');
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new DejaError('invalid_json', `The request body is not valid JSON: ${jsonComplaint(cause)}`, { cause });
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new DejaError('invalid_json', 'The request body must be a JSON object.');
  }
  const { members, named, repeated } = scan(text);
  const body = { text, value: value as Record<string, unknown>, members };
  // What was given twice at the top level is reduced to the one that counts: the last.
  if (repeated) return parseJsonBody(Buffer.from(withMembers(body, {})));
  if (named !== memberCount(value)) throw ambiguous(text);
  return body;
}

/** How many members all objects of a parsed value have together. Its depth is bounded by the scan. */
function memberCount(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  let count = 0;
  if (Array.isArray(value)) for (const item of value as unknown[]) count += memberCount(item);
  else for (const name of Object.keys(value)) count += 1 + memberCount((value as Record<string, unknown>)[name]);
  return count;
}

/** Deja would judge one of the values and a provider might read the other. At the top level only one goes on; deeper, nobody means it. */
function ambiguous(text: string): DejaError {
  const name = nameGivenTwice(text);
  return new DejaError('invalid_value', `An object in the request body has the member ${JSON.stringify(name.slice(0, 64))} twice: give it once.`, { param: name.slice(0, 64) });
}

function nameGivenTwice(text: string): string {
  const open: (Set<string> | null)[] = [];
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (c === OPEN_OBJECT) open.push(new Set());
    else if (c === OPEN_ARRAY) open.push(null);
    else if (c === CLOSE_OBJECT || c === CLOSE_ARRAY) open.pop();
    else if (c === QUOTE) {
      const close = endOfString(text, i);
      const names = open.at(-1);
      if (names && open.length > 1 && /^\s*:/.test(text.slice(close + 1, close + 64))) {
        const name = JSON.parse(text.slice(i, close + 1)) as string;
        if (names.has(name)) return name;
        names.add(name);
      }
      i = close;
    }
  }
  return '';
}

/** V8's message may quote the body; only the position is worth telling. */
function jsonComplaint(cause: unknown): string {
  const position = /position (\d+)/.exec(cause instanceof Error ? cause.message : '')?.[1];
  return position === undefined ? 'it ends too early or holds an unexpected character.' : `unexpected character at position ${position}.`;
}

/** Finds the top-level members of an object that `JSON.parse` has accepted. One pass over the text, no copies. */
export const scanMembers = (text: string): Map<string, JsonMember[]> => scan(text).members;

/** Also counts the members of all objects, at every depth, as the text names them. `repeated`: one of the top level has the name of another. */
function scan(text: string): { members: Map<string, JsonMember[]>; named: number; repeated: boolean } {
  const members = new Map<string, JsonMember[]>();
  let repeated = false;
  let named = 0;
  let depth = 0;
  let start = -1;
  let name = '';
  let valueStart = -1;
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (c === QUOTE) {
      const close = endOfString(text, i);
      if (depth === 1 && start < 0) {
        start = i;
        name = text.slice(i + 1, close);
        if (name.includes('\\')) name = JSON.parse(`"${name}"`) as string;
      }
      i = close;
    } else if (c === OPEN_OBJECT || c === OPEN_ARRAY) {
      if (++depth > MAX_DEPTH) throw new DejaError('invalid_value', `The request body is nested deeper than ${MAX_DEPTH} levels.`);
    } else if (c === COLON) {
      named++;
      if (depth === 1) valueStart = i + 1;
    } else if (depth === 1 && start >= 0 && (c === COMMA || c === CLOSE_OBJECT)) {
      const list = members.get(name);
      const member = { start, valueStart, end: i };
      if (list === undefined) members.set(name, [member]);
      else {
        list.push(member);
        repeated = true;
      }
      start = -1;
      if (c === CLOSE_OBJECT) depth--;
    } else if (c === CLOSE_OBJECT || c === CLOSE_ARRAY) depth--;
  }
  return { members, named, repeated };
}

/** Index of the quote that ends the string which begins at `open`. */
export function endOfString(text: string, open: number): number {
  let close = text.indexOf('"', open + 1);
  for (;;) {
    let backslashes = 0;
    while (text.charCodeAt(close - 1 - backslashes) === BACKSLASH) backslashes++;
    if (backslashes % 2 === 0) return close;
    close = text.indexOf('"', close + 1);
  }
}

interface TextEdit {
  start: number;
  end: number;
  text: string;
}

/**
 * The body's text with some top-level members replaced, added or taken out; everything else stays byte for byte. Members
 * named more than once are reduced to one, so that a provider reads the same value that was validated (JSON.parse: the last).
 * @param changes name → JSON text of the value; null takes the member out
 */
export function withMembers(body: JsonBody, changes: Readonly<Record<string, string | null>>): string {
  const edits: TextEdit[] = [];
  const removed: JsonMember[] = [];
  let keptEnd = -1;
  for (const [name, list] of body.members) {
    const change = Object.hasOwn(changes, name) ? changes[name] : undefined;
    const last = list.at(-1);
    for (const member of list) {
      if (member !== last || change === null) {
        removed.push(member);
        continue;
      }
      keptEnd = Math.max(keptEnd, member.end);
      if (change !== undefined) edits.push({ start: member.valueStart, end: member.end, text: change });
    }
  }
  const added = Object.entries(changes).filter(([name, json]) => json !== null && !body.members.has(name));
  if (edits.length === 0 && removed.length === 0 && added.length === 0) return body.text;
  const out = edited(body.text, [...edits, ...removals(removed, keptEnd)]);
  if (added.length === 0) return out;
  const close = out.lastIndexOf('}');
  const separator = keptEnd < 0 ? '' : ',';
  return `${out.slice(0, close)}${separator}${added.map(([name, json]) => `${JSON.stringify(name)}:${json}`).join(',')}${out.slice(close)}`;
}

/** Takes members out together with the comma that follows; the ones behind the last that stays, with the comma before them. */
function removals(removed: JsonMember[], keptEnd: number): TextEdit[] {
  const edits: TextEdit[] = [];
  let start = keptEnd < 0 ? Infinity : keptEnd;
  let end = -1;
  for (const member of removed) {
    if (member.start < keptEnd) {
      edits.push({ start: member.start, end: member.end + 1, text: '' });
    } else {
      start = Math.min(start, member.start);
      end = Math.max(end, member.end);
    }
  }
  if (end >= 0) edits.push({ start, end, text: '' });
  return edits;
}

function edited(text: string, edits: TextEdit[]): string {
  edits.sort((a, b) => a.start - b.start);
  let out = '';
  let from = 0;
  for (const edit of edits) {
    out += text.slice(from, edit.start) + edit.text;
    from = edit.end;
  }
  return out + text.slice(from);
}
