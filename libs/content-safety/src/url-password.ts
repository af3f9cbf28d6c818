import { RE2JS } from 're2js';
import { charClass, type Scan, type Span } from './scan.ts';
import type { Work } from './work.ts';

const SEPARATOR = '://';
const USER_INFO = charClass('!-~');
for (const end of ['/', '?', '#', '@', '"', "'", '`', '<', '>', '[', ']', '{', '}', '\\', ',']) USER_INFO[end.charCodeAt(0)] = 0;
/** What stands for a password in examples, and variables that will be put there. */
const STAND_IN = RE2JS.compile('(?i)(?:password|passwd|pass|pwd|secret|user|x+|\\*+|\\$.*|%.*%|<.*>|your.*|changeme|example)');

/** The password in `postgres://user:password@host` (RFC 3986, 3.2.1). */
export function* findUrlPasswords(scan: Scan): Work<Span[]> {
  const spans: Span[] = [];
  let at = scan.indexOf(SEPARATOR, scan.from);
  while (at >= 0) {
    if (scan.isTurnOver()) yield;
    const start = at + SEPARATOR.length;
    const end = scan.runEnd(start, USER_INFO);
    const info = scan.text.slice(start, end);
    const colon = info.indexOf(':');
    if (scan.text[end] === '@' && colon >= 0 && info.length - colon > 3 && !STAND_IN.testExact(info.slice(colon + 1))) {
      spans.push({ start: start + colon + 1, end });
    }
    at = scan.indexOf(SEPARATOR, end);
  }
  return spans;
}
