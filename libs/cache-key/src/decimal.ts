/** Beyond 15 significant digits two different decimals may be the same double; within them, `String(Number(x))` is faithful. */
const FAITHFUL_DIGITS = 15;
const FAITHFUL_EXPONENT = 300;

/** A number whose digits a double cannot hold or whose spelling has to be folded: kept as canonical text. */
export class Decimal {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/**
 * One spelling for each decimal value: `1`, `1.0` and `1e0` become `1`, and 9007199254740993 stays what it is. Agrees with
 * `String(number)` wherever that is exact, so that it does not matter which of the two wrote a key.
 * @param source a number as JSON spells it (RFC 8259, section 6)
 */
export function canonicalDecimal(source: string): string {
  const negative = source.startsWith('-');
  const [mantissa = '', exponentText = '0'] = source.slice(negative ? 1 : 0).split(/[eE]/);
  const [whole = '', fraction = ''] = mantissa.split('.');
  const leadingZerosCut = (whole + fraction).replace(/^0+/, '');
  const digits = leadingZerosCut.slice(0, lengthWithoutTrailingZeros(leadingZerosCut));
  if (digits === '') return '0'; // -0 too: no provider tells them apart
  // BigInt: an exponent may itself be too long for a double
  const exponent = BigInt(exponentText) - BigInt(fraction.length) + BigInt(leadingZerosCut.length - digits.length);
  const magnitude = exponent + BigInt(digits.length);
  if (digits.length <= FAITHFUL_DIGITS && magnitude <= FAITHFUL_EXPONENT && magnitude >= -FAITHFUL_EXPONENT) return String(Number(source));
  return `${negative ? '-' : ''}${digits}e${exponent}`;
}

function lengthWithoutTrailingZeros(digits: string): number {
  let end = digits.length;
  while (end > 0 && digits.charCodeAt(end - 1) === 48) end--;
  return end;
}

/**
 * True when some number in this JSON text may need more than `String(number)`: 16 digits or more, or an exponent. Errs
 * on the side of true (text inside strings looks the same); a number is always preceded by one of these characters.
 */
export const hasLongNumber = (json: string): boolean => LONG_NUMBER.test(json);
const LONG_NUMBER = /[:,[\s]-?(?:[\d.]{16}|[\d.]{1,15}[eE])/;
