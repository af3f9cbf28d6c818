import { has, charClass, type Scan, type Span } from './scan.ts';
import type { Work } from './work.ts';

/** Lengths by country, from the IBAN registry (ISO 13616, kept by SWIFT). */
const LENGTHS = new Map(
  (
    'AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DJ27 DK18 DO28 EE20 EG29 ES24 FI18 FK18 FO18 FR27 GB22 GE22 GI23 ' +
    'GL18 GR27 GT28 HN28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 LB28 LC32 LI21 LT20 LU20 LV21 LY25 MC27 MD24 ME22 MK19 MN20 MR27 MT31 MU30 NI28 ' +
    'NL18 NO15 OM23 PK24 PL28 PS29 PT25 QA29 RO24 RS22 RU33 SA24 SC31 SD18 SE24 SI19 SK24 SM27 SO23 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20 YE30'
  )
    .split(' ')
    .map((entry) => [entry.slice(0, 2), Number(entry.slice(2))]),
);

const UPPER = charClass('A-Z');
const LETTER_OR_DIGIT = charClass('A-Z', '0-9');

/** IBANs in capitals, unbroken or in groups of four, of their country's length and with right check digits. */
export function* findIbans(scan: Scan): Work<Span[]> {
  const spans: Span[] = [];
  for (const group of scan.digits()) {
    if (scan.isTurnOver()) yield;
    const start = group.start - 2;
    if (start < scan.from || start < (spans.at(-1)?.end ?? 0) || !has(UPPER, scan.text, start) || !has(UPPER, scan.text, start + 1) || !scan.begins(start)) continue;
    const end = ibanEnd(scan, start);
    if (end !== null) spans.push({ start, end });
  }
  return spans;
}

function ibanEnd(scan: Scan, start: number): number | null {
  const { text } = scan;
  const length = LENGTHS.get(text.slice(start, start + 2));
  if (length === undefined) return null;
  let iban = '';
  let at = start;
  while (iban.length < length) {
    if (iban.length > 0 && iban.length % 4 === 0 && (text[at] === ' ' || text[at] === '\u00a0')) at++;
    if (!has(LETTER_OR_DIGIT, text, at)) return null;
    iban += text[at];
    at++;
  }
  scan.steps += iban.length;
  return scan.ends(at) && ibanChecks(iban) ? at : null;
}

/** Whether the check digits are right: ISO 7064, MOD 97-10, over the IBAN with its first four characters at the end, A = 10 … Z = 35. */
export function ibanChecks(iban: string): boolean {
  let rest = 0;
  for (const character of iban.slice(4) + iban.slice(0, 4)) {
    const value = parseInt(character, 36);
    rest = (rest * (value > 9 ? 100 : 10) + value) % 97;
  }
  return rest === 1;
}
