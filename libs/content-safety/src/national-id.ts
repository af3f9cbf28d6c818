import { rowsFrom } from './digit-groups.ts';
import { charClass, has, type Scan, type Span } from './scan.ts';
import type { Work } from './work.ts';

const SSN_LIMITS = { separators: new Set(['-']), maxGroups: 3, minDigits: 9, maxDigits: 9 };

/** US social security numbers, written 3-2-4, of an area, group and serial number that can have been given (SSA, "SSN randomization"). */
export function* findSocialSecurityNumbers(scan: Scan): Work<Span[]> {
  const spans: Span[] = [];
  const { text } = scan;
  const groups = scan.digits();
  for (let first = 0; first < groups.length; first++) {
    if (scan.isTurnOver()) yield;
    const head = groups[first];
    if (!head || head.end - head.start !== 3 || !scan.begins(head.start) || scan.hyphenBefore(head.start) || './'.includes(text[head.start - 1] ?? ' ')) continue;
    const row = rowsFrom(text, groups, first, SSN_LIMITS)[0];
    if (row?.shape !== '3-2-4' || !scan.ends(row.end) || scan.hyphenAt(row.end)) continue;
    const area = row.digits.slice(0, 3);
    if (area === '000' || area === '666' || area >= '900' || row.digits.slice(3, 5) === '00' || row.digits.slice(5) === '0000') continue;
    spans.push({ start: row.start, end: row.end });
    first = row.last;
  }
  return spans;
}

const NINO_LIMITS = { separators: new Set([' ']), maxGroups: 3, minDigits: 6, maxDigits: 6 };
/** HMRC, National Insurance Manual NIM39110: letters and prefixes that are not used. */
const FIRST_LETTER = charClass('A-C', 'E', 'G', 'H', 'J-P', 'R-T', 'W-Z');
const SECOND_LETTER = charClass('A-C', 'E', 'G', 'H', 'J-N', 'P', 'R-T', 'W-Z');
const NO_PREFIX = new Set(['BG', 'GB', 'NK', 'KN', 'TN', 'NT', 'ZZ']);
const SUFFIX = charClass('A-D');

/** UK National Insurance numbers: `QQ 12 34 56 C`, spaced or not. */
export function* findNationalInsuranceNumbers(scan: Scan): Work<Span[]> {
  const spans: Span[] = [];
  const { text } = scan;
  const groups = scan.digits();
  for (let first = 0; first < groups.length; first++) {
    if (scan.isTurnOver()) yield;
    const row = rowsFrom(text, groups, first, NINO_LIMITS)[0];
    if (row?.shape !== '6' && row?.shape !== '2 2 2') continue;
    const start = (text[row.start - 1] === ' ' ? row.start - 1 : row.start) - 2;
    const suffix = text[row.end] === ' ' ? row.end + 1 : row.end;
    if (start < scan.from || !scan.begins(start) || !has(SUFFIX, text, suffix) || !scan.ends(suffix + 1)) continue;
    if (!has(FIRST_LETTER, text, start) || !has(SECOND_LETTER, text, start + 1) || NO_PREFIX.has(text.slice(start, start + 2))) continue;
    spans.push({ start, end: suffix + 1 });
    first = row.last;
  }
  return spans;
}
