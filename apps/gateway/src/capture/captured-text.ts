import { promptTexts } from '../guard/prompt-texts.ts';
import type { Captured, NotedBody } from './captured.ts';
import { shapeOf } from './shape.ts';

/** So much of one body is kept. */
export const MOST_TEXT_BYTES = 1024 * 1024;
/** So much of a prompt is searched. */
const MOST_SEARCHED_BYTES = 32 * 1024;

/** What is to be sealed of one body. */
export interface ClearText {
  /** UTF-8, at most MOST_TEXT_BYTES. */
  bytes: Buffer;
  /** Of all of it. */
  length: number;
  truncated: boolean;
}

type Mode = 'metadata' | 'full';

/** Null where there was none. */
export function requestText({ request }: Captured, mode: Mode): ClearText | null {
  return request === null ? null : textOf(request, mode);
}

/** What the client got: an answer, an error in its place, or half an answer with the error that ended it. Null: nothing. */
export function responseText({ response, error }: Captured, mode: Mode): ClearText | null {
  if (error === null) return response === null ? null : textOf(response, mode);
  const answer = response === null ? undefined : keptValue(response, mode);
  const isAnswer = typeof answer === 'object' && answer !== null && !Array.isArray(answer);
  const told = mode === 'full' ? error : (shapeOf(error) as object);
  return cutText(JSON.stringify(isAnswer ? { ...answer, ...told } : told), response?.cut ?? false);
}

/** What the prompt says, for full-text search; null where that is not wanted, or nobody may read the request. */
export function searchTextOf({ prompt, settings }: Captured, mode: Mode): string | null {
  if (mode !== 'full' || prompt === null || !settings.request_log.search) return null;
  const said = promptTexts(prompt.body, prompt.members).join('\n');
  return said.trim() === '' ? null : cutText(said, false, MOST_SEARCHED_BYTES).bytes.toString('utf8');
}

function textOf(body: NotedBody, mode: Mode): ClearText {
  if (isKeptWhole(body, mode)) return cutText(body.text, body.cut);
  return cutText(JSON.stringify(keptValue(body, mode) ?? { chars: body.text.length }), body.cut);
}

const isKeptWhole = ({ keep }: NotedBody, mode: Mode): boolean => keep === 'all' || (keep === 'by_mode' && mode === 'full');

function keptValue(body: NotedBody, mode: Mode): unknown {
  const value = valueOf(body);
  return value === undefined || isKeptWhole(body, mode) ? value : shapeOf(value);
}

/** Parsed; undefined for what is no JSON, or too long to be looked into. */
function valueOf({ value, text }: NotedBody): unknown {
  if (value !== undefined) return value;
  if (text.length > MOST_TEXT_BYTES) return undefined;
  try {
    return JSON.parse(text.toString()) as unknown;
  } catch {
    return undefined;
  }
}

/** The beginning of a text, cut between two characters. */
export function cutText(text: string | Buffer, cut: boolean, most = MOST_TEXT_BYTES): ClearText {
  // No character has less than one byte, and none more than three for each UTF-16 unit.
  const mayBeLong = text.length > (typeof text === 'string' ? most / 3 : most);
  const length = mayBeLong ? Buffer.byteLength(text) : null;
  if (length === null || length <= most) {
    const bytes = typeof text === 'string' ? Buffer.from(text) : text;
    return { bytes, length: bytes.length, truncated: cut };
  }
  const beginning = Buffer.from(typeof text === 'string' ? text.slice(0, most) : text.subarray(0, most)).subarray(0, most);
  return { bytes: beginning.subarray(0, wholeCharacters(beginning)), length, truncated: true };
}

/** How many of these bytes are UTF-8 characters that are all there. */
function wholeCharacters(bytes: Buffer): number {
  let start = bytes.length;
  for (let back = 1; back <= 4 && back <= bytes.length; back++) {
    const byte = bytes[bytes.length - back] ?? 0;
    if ((byte & 0xc0) === 0x80) continue; // inside a character
    const size = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1;
    if (size > back) start = bytes.length - back;
    break;
  }
  return start;
}

