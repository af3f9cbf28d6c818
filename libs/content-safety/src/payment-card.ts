import { rowsFrom, type DigitRow } from './digit-groups.ts';
import type { Scan, Span } from './scan.ts';
import type { Work } from './work.ts';

/** [first, last prefix, lengths], from ISO/IEC 7812 as the networks publish their ranges. */
const ISSUERS: readonly (readonly [string, string, readonly number[]])[] = [
  ['4', '4', [13, 16, 19]], // Visa
  ['51', '55', [16]], // Mastercard
  ['2221', '2720', [16]],
  ['34', '34', [15]], // American Express
  ['37', '37', [15]],
  ['6011', '6011', [16, 17, 18, 19]], // Discover
  ['644', '649', [16, 17, 18, 19]],
  ['65', '65', [16, 17, 18, 19]],
  ['300', '305', [14, 16, 17, 18, 19]], // Diners Club
  ['36', '36', [14, 16, 17, 18, 19]],
  ['38', '39', [14, 16, 17, 18, 19]],
  ['3528', '3589', [16, 17, 18, 19]], // JCB
  ['62', '62', [16, 17, 18, 19]], // UnionPay
  ['2200', '2204', [16, 17, 18, 19]], // Mir
  ['5018', '5018', [13, 14, 15, 16, 17, 18, 19]], // Maestro
  ['5020', '5020', [13, 14, 15, 16, 17, 18, 19]],
  ['5038', '5038', [13, 14, 15, 16, 17, 18, 19]],
  ['6304', '6304', [13, 14, 15, 16, 17, 18, 19]],
  ['6759', '6763', [13, 14, 15, 16, 17, 18, 19]],
];

const SEPARATORS = new Set([' ', '-']);
/** How cards print their numbers. Rows of other numbers seldom look like this. */
const GROUPINGS = new Set(['4 4 4 4', '4 4 4 4 3', '4 4 4 1', '4 6 5', '4 6 4', '6 13']);
const LIMITS = { separators: SEPARATORS, maxGroups: 5, minDigits: 13, maxDigits: 19 };

/** Payment card numbers of 13 to 19 digits: of a known issuer, of its length, grouped as cards are, with the check digit right. */
export function* findPaymentCards(scan: Scan): Work<Span[]> {
  const spans: Span[] = [];
  const groups = scan.digits();
  for (let first = 0; first < groups.length; first++) {
    if (scan.isTurnOver()) yield;
    const head = groups[first];
    if (!head || !scan.begins(head.start) || scan.text[head.start - 1] === '.') continue;
    const rows = rowsFrom(scan.text, groups, first, LIMITS);
    scan.steps += rows.length;
    const card = rows.find((row) => isCard(row) && scan.ends(row.end));
    if (!card) continue;
    spans.push({ start: card.start, end: card.end });
    first = card.last;
  }
  return spans;
}

function isCard({ digits, shape }: DigitRow): boolean {
  if (digits.length < 13 || !hasIssuer(digits)) return false;
  const plain = !shape.includes(' ') && !shape.includes('-');
  if (!plain && !GROUPINGS.has(shape.includes(' ') ? shape : shape.replaceAll('-', ' '))) return false;
  return luhn(digits);
}

function hasIssuer(digits: string): boolean {
  return ISSUERS.some(([first, last, lengths]) => {
    const prefix = digits.slice(0, first.length);
    return prefix >= first && prefix <= last && lengths.includes(digits.length);
  });
}

/** Whether the last digit is the check digit of those before it (ISO/IEC 7812-1, annex B). */
export function luhn(digits: string): boolean {
  let sum = 0;
  for (let at = 0; at < digits.length; at++) {
    const digit = digits.charCodeAt(digits.length - 1 - at) - 48;
    const doubled = at % 2 === 1 ? digit * 2 : digit;
    sum += doubled > 9 ? doubled - 9 : doubled;
  }
  return sum % 10 === 0;
}
