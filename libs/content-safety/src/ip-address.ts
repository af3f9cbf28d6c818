import { isIPv6 } from 'node:net';
import { RE2JS } from 're2js';
import { rowsFrom } from './digit-groups.ts';
import { charClass, has, type Scan, type Span } from './scan.ts';
import type { Work } from './work.ts';

const LIMITS = { separators: new Set(['.']), maxGroups: 5, minDigits: 4, maxDigits: 15 };
const DIGIT = charClass('0-9');
/** `version 1.2.3.4`, `v. 1.2.3.4`, `release 10.0.0.1` are no addresses. */
const VERSION = RE2JS.compile('(?i)\\b(?:v|ver|version|versions|release|build)[.:]?\\s?$');
const VERSION_LENGTH = 12;
/** Nobody's address: this host, loopback, broadcast and masks (RFC 6890). */
const NOBODY = ['0.', '127.', '255.'];
const V6 = charClass('0-9', 'a-f', 'A-F', ':', '.');
const SOME_DIGIT = RE2JS.compile('[0-9]');
const LONG_GROUP = RE2JS.compile('[0-9A-Fa-f]{3,4}');

/** IPv4 in dotted decimal and IPv6 in every text form (RFC 4291, 2.2), but for those that name no machine. */
export function* findIpAddresses(scan: Scan): Work<Span[]> {
  const v6 = yield* findV6(scan);
  const ends = new Set(v6.map((span) => span.end)); // the last 32 bits of an IPv6 address may be written as an IPv4 one
  return [...(yield* findV4(scan)).filter((span) => !ends.has(span.end)), ...v6];
}

function* findV4(scan: Scan): Work<Span[]> {
  const spans: Span[] = [];
  const { text } = scan;
  const groups = scan.digits();
  for (let first = 0; first < groups.length; first++) {
    if (scan.isTurnOver()) yield;
    const head = groups[first];
    if (!head || head.end - head.start > 3 || text[head.end] !== '.' || !scan.begins(head.start) || scan.hyphenBefore(head.start) || text[head.start - 1] === '.') continue;
    const row = rowsFrom(text, groups, first, LIMITS)[0];
    const end = row?.end ?? 0;
    if (!row || row.last - first !== 3 || !scan.ends(end) || scan.hyphenAt(end) || (text[end] === '.' && has(DIGIT, text, end + 1))) continue;
    const address = text.slice(row.start, end);
    scan.steps += address.length;
    if (!address.split('.').every(isOctet) || NOBODY.some((start) => address.startsWith(start)) || VERSION.test(text.slice(Math.max(0, row.start - VERSION_LENGTH), row.start))) continue;
    spans.push({ start: row.start, end });
    first = row.last;
  }
  return spans;
}

function isOctet(text: string): boolean {
  return Number(text) <= 255 && (text.length === 1 || text[0] !== '0');
}

function* findV6(scan: Scan): Work<Span[]> {
  const spans: Span[] = [];
  let read = scan.from;
  let colon = scan.indexOf(':', scan.from);
  while (colon >= 0) {
    if (scan.isTurnOver()) yield;
    const start = scan.runStart(colon, V6, read);
    read = scan.runEnd(colon, V6);
    let end = read;
    while (end > start && (scan.text[end - 1] === '.' || (scan.text[end - 1] === ':' && scan.text[end - 2] !== ':'))) end--;
    // The longest form has 45 characters.
    if (end - start <= 45 && scan.begins(start) && scan.ends(end) && isNamingV6(scan.text.slice(start, end))) spans.push({ start, end });
    colon = scan.indexOf(':', read);
  }
  return spans;
}

/** `a::b` and `dead::` are rather code: an address that means someone has a group of three digits and a decimal one. */
function isNamingV6(text: string): boolean {
  return text.length >= 6 && isIPv6(text) && LONG_GROUP.test(text) && SOME_DIGIT.test(text);
}
