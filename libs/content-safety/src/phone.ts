import { RE2JS } from 're2js';
import { rowsFrom, type DigitGroup, type DigitRow } from './digit-groups.ts';
import { charClass, has, type Scan, type Span } from './scan.ts';
import type { Work } from './work.ts';

const LIMITS = { separators: new Set([' ', '-', '.', '/', '(', ')', ' (', ') ', ')-', '-(']), maxGroups: 7, minDigits: 9, maxDigits: 15 };
/** A national number is written in groups, and the first is short. */
const MAX_FIRST_GROUP = 5;

const DIGIT = charClass('0-9');

/** Country calling codes in use (ITU-T E.164, annex D). */
const CALLING_CODE = RE2JS.compile(
  '(?:1|7|2[07]|3[0-469]|4[013-9]|5[1-8]|6[0-6]|8[1246]|9[0-58]|21[1-368]|2[2-46]\\d|25[0-8]|29[017-9]|3[578]\\d|42[013]|50\\d|59\\d|6[789]\\d|80[08]|85\\d|87[08]|88\\d|96\\d|97\\d|99\\d)\\d*',
);
/** North America (NANPA): area code and exchange begin with 2 to 9. */
const NANP = RE2JS.compile('1?[2-9]\\d{2}[2-9]\\d{6}');
const NANP_SHAPES = new Set(['3-3-4', '3.3.4', '3) 3-4', '3)3-4', '3) 3 4', '3) 3.4', '3)-3-4']);
const NANP_SHAPES_WITH_1 = new Set(['1-3-3-4', '1.3.3.4', '1 3-3-4', '1 (3) 3-4', '1 (3)3-4', '1-(3) 3-4', '1-(3)-3-4', '1(3)3-4', '1 (3) 3 4']);
/** Trunk prefix 0, as most of Europe, Asia and Oceania dial: an area or network code, then groups with one kind of separator. */
const TRUNK_SHAPE = RE2JS.compile('[3-5][ /-][5-8]|[2-5](?: [2-5]){1,3} [3-5]|[2-5](?: [23]){1,3} 2 2|[2-5](?:-[2-5]){1,3}-[3-5]|[2-5](?:-[23]){1,3}-2-2|2(?:\\.2){4}|[2-5]\\) ?\\d(?:[ -]\\d){0,3}');
/** Social security numbers, which have a detector of their own. */
const SSN_SHAPE = '3-2-4';
/** Zero-padded counting: 01 02 03 04 05. */
const ALL_PADDED = RE2JS.compile('(?:0\\d){5,6}');

/**
 * Phone numbers: with + or 00 and a country code, and in the national forms of North America (3-3-4) and of countries that dial a
 * leading 0. A plain run of digits is none, nor is a date, a version or a number with thousands separated.
 */
export function* findPhones(scan: Scan): Work<Span[]> {
  const spans: Span[] = [];
  const { text } = scan;
  const groups = scan.digits();
  for (let first = 0; first < groups.length; first++) {
    if (scan.isTurnOver()) yield;
    const head = groups[first];
    if (!head) continue;
    const row = phoneFrom(scan, groups, first, head);
    if (!row) continue;
    spans.push({ start: Math.max(scan.from, startOf(text, row)), end: row.end });
    first = row.last;
  }
  return spans;
}

/** With the plus, and with the bracket that closes within the row. */
function startOf(text: string, { start, shape }: DigitRow): number {
  const number = text[start - 1] === '+' ? start - 1 : start;
  if (!closesMore(shape) || text[number - 1] !== '(') return number;
  return text[number - 2] === '+' ? number - 2 : number - 1;
}

function closesMore(shape: string): boolean {
  return shape.split(')').length > shape.split('(').length;
}

function phoneFrom(scan: Scan, groups: DigitGroup[], first: number, { start: at, end }: DigitGroup): DigitRow | undefined {
  const { text } = scan;
  const before = text[at - 1] ?? ' ';
  const plus = before === '+' || (before === '(' && text[at - 2] === '+');
  const leading = text[at] ?? '';
  const national = !plus && end - at <= MAX_FIRST_GROUP && before !== '.' && before !== '/' && !scan.hyphenBefore(at) && scan.begins(at);
  if (!plus && !national) return undefined;
  const rows = rowsFrom(text, groups, first, LIMITS);
  scan.steps += rows.length;
  const fits = (row: DigitRow): boolean => {
    if (!scan.ends(row.end) || ('-/.'.includes(text[row.end] ?? ' ') && has(DIGIT, text, row.end + 1))) return false; // a longer number
    if (plus) return isInternational(row.digits) && !row.shape.startsWith('4-2-2');
    if (leading === '0') return row.digits[1] === '0' ? row.last > first && row.digits[end - at] !== '0' && isInternational(row.digits.slice(2)) : isTrunk(row, before);
    return isNanp(row, before);
  };
  return rows.find(fits);
}

/** With a country code: 9 to 15 digits in all, of which North America and Russia have eleven. */
function isInternational(digits: string): boolean {
  if (digits.length < 9 || !CALLING_CODE.testExact(digits)) return false;
  if (digits[0] === '1') return digits.length === 11 && NANP.testExact(digits);
  return digits[0] === '7' ? digits.length === 11 : true;
}

function isTrunk({ digits, shape }: DigitRow, before: string): boolean {
  if (digits.length < 9 || digits.length > 12 || shape === SSN_SHAPE || ALL_PADDED.testExact(digits)) return false;
  return TRUNK_SHAPE.testExact(shape) && bracketsAreWhole(shape, before);
}

function isNanp({ digits, shape }: DigitRow, before: string): boolean {
  if (!NANP.testExact(digits)) return false;
  return digits.length === 11 ? NANP_SHAPES_WITH_1.has(shape) : NANP_SHAPES.has(shape) && bracketsAreWhole(shape, before);
}

function bracketsAreWhole(shape: string, before: string): boolean {
  return !closesMore(shape) || before === '(';
}
