import { RE2JS } from 're2js';
import { charClass, has, type Scan, type Span } from './scan.ts';
import type { Work } from './work.ts';

const LOCAL = charClass('a-z', 'A-Z', '0-9', '.', '_', '%', '+', '-');
const DOMAIN = charClass('a-z', 'A-Z', '0-9', '.', '-');
const TRIMMED = charClass('.', '-', '%', '+');
const DOMAIN_FORM = RE2JS.compile('(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\\.){1,8}[A-Za-z]{2,24}');
/** `logo@2x.png`, and the `git@host:path` of version control. */
const NO_ADDRESS = RE2JS.compile('(?i).*@[0-9]+x\\.(?:png|jpe?g|gif|webp|svg|avif)|git@.*');
const MAX_LOCAL = 64;
const MAX_DOMAIN = 254;
const MAX_TRIES = 8;

/** Mail addresses as people have them (RFC 5321, 4.5.3.1 for the lengths); no quoted names, no addresses without a dot in the host. Of a longer name its end is taken. */
export function* findEmails(scan: Scan): Work<Span[]> {
  const spans: Span[] = [];
  const { text } = scan;
  let at = scan.indexOf('@', scan.from);
  while (at >= 0) {
    if (scan.isTurnOver()) yield;
    let start = scan.runStart(at, LOCAL, Math.max(scan.from, spans.at(-1)?.end ?? 0, at - MAX_LOCAL));
    if (text[start - 1] === '\\' && 'nrt'.includes(text[start] ?? ' ')) start++; // the escape of a JSON string
    while (start < at && has(TRIMMED, text, start)) start++;
    const run = scan.runEnd(at + 1, DOMAIN);
    const domain = at > start ? domainIn(text.slice(at + 1, Math.min(run, at + 1 + MAX_DOMAIN))) : '';
    const end = at + 1 + domain.length;
    if (domain !== '' && scan.ends(end) && isAddress(text.slice(start, end), at - start)) spans.push({ start, end });
    at = scan.indexOf('@', run);
  }
  return spans;
}

/** The longest domain at the start of a run, which may go on: `example.com-1234`, `example.com.`. */
function domainIn(run: string): string {
  let domain = run;
  for (let tries = 0; tries < MAX_TRIES && domain.length > 0; tries++) {
    if (DOMAIN_FORM.testExact(domain)) return domain;
    domain = domain.slice(0, Math.max(domain.lastIndexOf('-'), domain.lastIndexOf('.'), 0));
  }
  return '';
}

function isAddress(address: string, at: number): boolean {
  return !address.includes('..') && address[at - 1] !== '.' && !NO_ADDRESS.testExact(address);
}
