/** Endings by which English inflects, with what stands in their place in the base form, longest first. */
const ENDINGS: readonly (readonly [ending: string, instead: string])[] = [
  ['ies', 'y'], ['ied', 'y'], ['ing', 'e'], ['ing', ''], ['es', 'e'], ['es', ''], ['ed', 'e'], ['ed', ''], ['s', ''],
];
/** Shorter words are never taken apart: `bus`, `red`, `sing`. */
const MIN_BASE_CHARS = 3;
const PREFIXES_OF_OPPOSITES = ['un', 'non', 'in', 'im', 'dis', 'de', 'ir', 'il', 'mis'];

export interface Inflection {
  base: string;
  /** In a form of the past: `cancelled`, `went`. */
  past: boolean;
}

const TAB = 9;
const NEWLINE = 10;

/**
 * English words and how they relate, from the lexicon's text (format: models/lexicon/build.ts; sorted, Latin letters only). Lines are found by
 * halving and remembered when a word is asked for, so that loading costs next to nothing. Words are given in lower case.
 */
export class Lexicon {
  private readonly bytes: Uint8Array;
  /** Where each line begins, and the end of the last. */
  private readonly starts: Uint32Array;
  private readonly lines = new Map<string, string | null>();
  private readonly inflections = new Map<string, Inflection>();

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    const starts = [0];
    for (let at = bytes.indexOf(NEWLINE); at >= 0; at = bytes.indexOf(NEWLINE, at + 1)) starts.push(at + 1);
    starts.push(bytes.length + 1);
    this.starts = Uint32Array.from(starts);
  }

  /** How many words it holds. */
  get size(): number {
    return this.starts.length - 1;
  }

  /** Is it an English word, in any form? */
  knows(word: string): boolean {
    return this.line(word) !== null || this.line(this.inflectionOf(word).base) !== null;
  }

  /** Parts of speech, the commonest first: `n`, `v`, `a`, `r`; empty when unknown. */
  partsOfSpeech(word: string): string {
    return this.column(word, 0).replace(/[PH]/g, '');
  }

  /** Only ever the name of something: `paris`, `slovakia`. */
  isName(word: string): boolean {
    return this.column(word, 0).includes('P');
  }

  /** Somebody, in its commonest sense: `tenant`, `daughter`. */
  isPerson(word: string): boolean {
    return this.column(word, 0).includes('H');
  }

  /** The base form: `cancelled` → `cancel`, `children` → `child`. A word that is in no dictionary stays as it is. */
  inflectionOf(word: string): Inflection {
    let found = this.inflections.get(word);
    if (found === undefined) {
      found = this.findInflection(word);
      if (this.inflections.size > MAX_REMEMBERED) this.inflections.clear();
      this.inflections.set(word, found);
    }
    return found;
  }

  /** Both words mean the same in their commonest sense and hardly mean anything else. */
  areSynonyms(a: string, b: string): boolean {
    return this.share(a, b, 2);
  }

  /** Two kinds of the same thing: oats and barley, Paris and Rome. */
  areSiblings(a: string, b: string): boolean {
    return this.share(a, b, 4) && !this.share(a, b, 3);
  }

  /** One noun can stand for the other: the same thing in some common sense, or a kind of it. */
  areRelated(a: string, b: string): boolean {
    return this.share(a, b, 3) || this.cross(a, b) || this.cross(b, a) || this.areSynonyms(a, b);
  }

  areAntonyms(a: string, b: string): boolean {
    if (this.listHas(a, 5, b) || this.listHas(b, 5, a)) return true;
    const [short, long] = a.length < b.length ? [a, b] : [b, a];
    return long.endsWith(short) && short.length >= MIN_BASE_CHARS && PREFIXES_OF_OPPOSITES.includes(long.slice(0, long.length - short.length));
  }

  private findInflection(word: string): Inflection {
    const irregular = this.column(word, 1);
    if (irregular !== '') return { base: irregular.split(',', 1)[0] ?? word, past: !/(?:ing|s)$/.test(word) && this.column(irregular, 0).includes('v') };
    if (word.endsWith('ss') || word.endsWith('us')) return { base: word, past: false };
    for (const [ending, instead] of ENDINGS) {
      if (!word.endsWith(ending)) continue;
      const stem = word.slice(0, word.length - ending.length);
      const past = ending.endsWith('ed');
      for (const base of instead === '' && /ing|ed/.test(ending) ? [withoutDoubling(stem), stem] : [stem + instead]) {
        if (base.length >= MIN_BASE_CHARS && this.inflects(base, ending)) return { base, past };
      }
    }
    return { base: word, past: false };
  }

  /** Only what is a verb has `-ed` and `-ing`; `-s` belongs to nouns and verbs. */
  private inflects(base: string, ending: string): boolean {
    const parts = this.column(base, 0);
    return parts.includes('v') || (ending.endsWith('s') && parts.includes('n'));
  }

  /** A sense of a is a kind of a sense of b. */
  private cross(a: string, b: string): boolean {
    return shareOne(this.column(a, 4), this.column(b, 3));
  }

  private share(a: string, b: string, column: number): boolean {
    return shareOne(this.column(a, column), this.column(b, column));
  }

  private listHas(word: string, column: number, wanted: string): boolean {
    const list = this.column(word, column);
    return list !== '' && list.split(',').includes(wanted);
  }

  private column(word: string, column: number): string {
    const line = this.line(word);
    if (line === null || line === '') return '';
    let start = 0;
    for (let i = 0; i < column; i++) {
      start = line.indexOf('\t', start) + 1;
      if (start === 0) return '';
    }
    const end = line.indexOf('\t', start);
    return end < 0 ? line.slice(start) : line.slice(start, end);
  }

  /** What stands behind the word in its line; null when there is no such word. */
  private line(word: string): string | null {
    let line = this.lines.get(word);
    if (line === undefined) {
      line = this.find(word);
      if (this.lines.size > MAX_REMEMBERED) this.lines.clear();
      this.lines.set(word, line);
    }
    return line;
  }

  private find(word: string): string | null {
    let low = 0;
    let high = this.size - 1;
    while (low <= high) {
      const middle = (low + high) >> 1;
      const order = this.compareWord(word, this.starts[middle] ?? 0);
      if (order === 0) return String.fromCharCode(...this.bytes.subarray((this.starts[middle] ?? 0) + word.length + 1, (this.starts[middle + 1] ?? 1) - 1));
      if (order < 0) high = middle - 1;
      else low = middle + 1;
    }
    return null;
  }

  /** Below 0 when the word sorts before the one whose line begins at `start`. */
  private compareWord(word: string, start: number): number {
    for (let i = 0; i < word.length; i++) {
      const byte = this.bytes[start + i] ?? NEWLINE;
      if (byte === TAB || byte === NEWLINE) return 1;
      if (byte !== word.charCodeAt(i)) return word.charCodeAt(i) - byte;
    }
    const end = this.bytes[start + word.length] ?? NEWLINE;
    return end === TAB || end === NEWLINE ? 0 : -1;
  }
}

/** Lines and base forms kept, so that common words are looked up once. */
const MAX_REMEMBERED = 20_000;

/** `stopp` → `stop`; `ll`, `ss` and `zz` may belong to the word: `sell`, `pass`, `buzz`. */
function withoutDoubling(stem: string): string {
  return stem.length > MIN_BASE_CHARS && stem.at(-1) === stem.at(-2) ? stem.slice(0, -1) : stem;
}

function shareOne(first: string, second: string): boolean {
  if (first === '' || second === '') return false;
  const sets = first.split(',');
  return second.split(',').some((set) => sets.includes(set));
}
