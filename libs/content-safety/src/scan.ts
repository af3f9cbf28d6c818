import { digitGroups, type DigitGroup } from './digit-groups.ts';

/** A part of a text, in UTF-16 units: from `start` up to, not including, `end`. */
export interface Span {
  start: number;
  end: number;
  /** Of a match that the text's end cuts off: up to here it is certain. Only where the text is said to go on. */
  sureUntil?: number;
}

/** Around the labels of PEM blocks (RFC 7468). Whatever touches them is not joined to them. */
export const DASHES = '-----';

/** A look at one place costs microseconds, a step nanoseconds. */
const LOOKS_A_TURN = 500;
const STEPS_A_TURN = 200_000;

/** A set of ASCII characters. */
export type CharClass = Uint8Array;

/** `charClass('a-f', '_')`: ranges of three characters, or single characters. */
export function charClass(...parts: string[]): CharClass {
  const table = new Uint8Array(128);
  for (const part of parts) {
    const first = part.charCodeAt(0);
    const last = part.length === 3 && part[1] === '-' ? part.charCodeAt(2) : first;
    for (let code = first; code <= last; code++) table[code] = 1;
  }
  return table;
}

export const WORD = charClass('a-z', 'A-Z', '0-9', '_');
export const HEX = charClass('a-f', 'A-F', '0-9');

export function has(chars: CharClass, text: string, at: number): boolean {
  return chars[text.charCodeAt(at)] === 1; // NaN before the start and after the end is in no class
}

/**
 * One reading of one text. Detectors look for matches that start at `from` or later; what stands before serves only to look back.
 * `final` is false while the text may still grow. Everything a detector reads character by character goes through here and is
 * counted in `steps`, so that a test can hold the work against the length.
 */
export class Scan {
  steps = 0;
  private groups: DigitGroup[] | null = null;
  /** Steps when a turn of the work last ended, and what was looked at since. */
  private turnFrom = 0;
  private looked = 0;

  constructor(
    readonly text: string,
    readonly from: number,
    readonly final: boolean,
  ) {}

  /** Whether so much was read or looked at that a detector should let others have a turn: some milliseconds' worth. To be asked once for each place that is looked at. */
  isTurnOver(): boolean {
    this.looked++;
    if (this.looked < LOOKS_A_TURN && this.steps - this.turnFrom < STEPS_A_TURN) return false;
    this.looked = 0;
    this.turnFrom = this.steps;
    return true;
  }

  indexOf(literal: string, at: number): number {
    const found = this.text.indexOf(literal, at);
    this.steps += (found < 0 ? this.text.length : found) - at;
    return found;
  }

  /** Where the run of `chars` that begins at `at` ends. */
  runEnd(at: number, chars: CharClass, limit = this.text.length): number {
    let end = at;
    while (end < limit && chars[this.text.charCodeAt(end)] === 1) end++;
    this.steps += end - at;
    return end;
  }

  /** Where the run of `chars` that ends at `at` begins, no further back than `limit`. */
  runStart(at: number, chars: CharClass, limit = this.from): number {
    let start = at;
    while (start > limit && chars[this.text.charCodeAt(start - 1)] === 1) start--;
    this.steps += at - start;
    return start;
  }

  /** The runs of decimal digits from `from` on, found once for all detectors that read numbers. */
  digits(): DigitGroup[] {
    if (this.groups === null) {
      this.groups = digitGroups(this.text, this.from);
      this.steps += this.text.length - this.from;
    }
    return this.groups;
  }

  /**
   * Whether something may begin at `at`: after a character outside of `chars`, or after an escape whose last letter only looks like
   * a part of it (`\n` in JSON, `%3D` in a URL).
   */
  begins(at: number, chars: CharClass = WORD): boolean {
    const { text } = this;
    if (at === 0 || !has(chars, text, at - 1) || text.startsWith(DASHES, at - DASHES.length)) return true;
    if (text[at - 2] === '\\' && 'nrtbf'.includes(text[at - 1] ?? ' ')) return true;
    if (text[at - 3] === '%' && has(HEX, text, at - 2) && has(HEX, text, at - 1)) return true;
    return text[at - 6] === '\\' && text[at - 5] === 'u' && has(HEX, text, at - 1);
  }

  /** Whether a hyphen before `at` joins it to something. The dashes of a PEM block do not. */
  hyphenBefore(at: number): boolean {
    return this.text[at - 1] === '-' && !this.text.startsWith(DASHES, at - DASHES.length);
  }

  hyphenAt(at: number): boolean {
    return this.text[at] === '-' && !this.text.startsWith(DASHES, at);
  }

  /** Whether a word may end at `at`. */
  ends(at: number): boolean {
    return !has(WORD, this.text, at);
  }
}
