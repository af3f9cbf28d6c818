import { charClass, DASHES, has, type Scan, type Span } from './scan.ts';
import type { Work } from './work.ts';

const BEGIN = '-----BEGIN ';
const LABEL = charClass('A-Z', '0-9', ' ');
const MAX_LABEL = 40;
/** How far into a key's text its first line of base64 must stand. Encrypted keys have two lines before it. */
const HEAD = 200;
const BASE64 = charClass('a-z', 'A-Z', '0-9', '+', '/', '=');
/** Base64, white space, the headers of RFC 1421, and what string literals put between lines. */
const BODY = charClass('a-z', 'A-Z', '0-9', '+', '/', '=', ' ', '\t', '\n', '\r', '\\', ':', ',', '-', '.', '"', "'");
const TELLING = charClass('A-Z', '0-9');
const WORD_LENGTH = 12;

/**
 * Private keys in PEM (RFC 7468; also `OPENSSH`, `EC`, `RSA`, `ENCRYPTED` and PGP's). A key whose end is missing is found as far as its
 * base64 goes. While a text may still grow, a key that has not ended reaches to the end of the text.
 */
export function* findPrivateKeys(scan: Scan): Work<Span[]> {
  const spans: Span[] = [];
  let start = scan.indexOf(BEGIN, scan.from);
  while (start >= 0) {
    if (scan.isTurnOver()) yield;
    const body = bodyStart(scan, start);
    const span = body === null ? null : keySpan(scan, start, body);
    if (span) spans.push(span);
    start = scan.indexOf(BEGIN, span?.end ?? body ?? start + BEGIN.length);
  }
  return spans;
}

function bodyStart({ text }: Scan, start: number): number | null {
  let at = start + BEGIN.length;
  while (at < start + BEGIN.length + MAX_LABEL && has(LABEL, text, at)) at++;
  const label = text.slice(start + BEGIN.length, at);
  return text.startsWith(DASHES, at) && (label.endsWith('PRIVATE KEY') || label.endsWith('PRIVATE KEY BLOCK')) ? at + DASHES.length : null;
}

function keySpan(scan: Scan, start: number, body: number): Span | null {
  const { text, final } = scan;
  const dashes = scan.indexOf(DASHES, body);
  const end = scan.runEnd(body, BODY, dashes < 0 ? text.length : dashes);
  const lastBase64 = lastWordEnd(scan, body, end);
  const unfinished = !final && (end === text.length || (end === dashes && !text.startsWith(BEGIN, dashes) && text.length - dashes < MAX_LABEL + BEGIN.length + DASHES.length));
  if (!startsWithBase64(text, body, Math.min(end, body + HEAD))) {
    return unfinished && end < body + HEAD ? { start, end: text.length, sureUntil: start } : null;
  }
  if (end === dashes && text.startsWith('-----END ', dashes)) {
    const close = text.indexOf(DASHES, dashes + DASHES.length);
    if (close >= 0 && close < dashes + MAX_LABEL + BEGIN.length) return { start, end: close + DASHES.length };
  }
  return unfinished ? { start, end: text.length, sureUntil: lastBase64 } : { start, end: lastBase64 };
}

function startsWithBase64(text: string, from: number, to: number): boolean {
  let length = 0;
  let telling = false;
  for (let at = from; at < to; at++) {
    length = has(BASE64, text, at) ? length + 1 : 0;
    telling = length > 0 && (telling || has(TELLING, text, at));
    if (length >= WORD_LENGTH && telling) return true;
  }
  return false;
}

/** The end of the last word that can be a line of base64: a long one that prose would not have. */
function lastWordEnd(scan: Scan, from: number, to: number): number {
  let end = to;
  while (end > from) {
    while (end > from && !has(BASE64, scan.text, end - 1)) end--;
    const start = scan.runStart(end, BASE64, from);
    if (end - start >= WORD_LENGTH && startsWithBase64(scan.text, start, Math.min(end, start + HEAD))) return end;
    end = start;
  }
  return from;
}
