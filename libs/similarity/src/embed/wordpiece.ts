import { isAscii } from '../is-ascii.ts';

const UNKNOWN = '[UNK]';
/** BERT's limit: a longer "word" is unknown as a whole. */
const MAX_WORD_CHARS = 100;
/** Bounds the memory of the cache of words; natural text is far below it. */
const MAX_CACHED_WORDS = 20_000;

/**
 * The uncased BERT tokenizer: basic splitting, then greedy longest match over the vocabulary. Follows the reference
 * (google-research/bert, tokenization.py, `BasicTokenizer` and `WordpieceTokenizer`).
 */
export class WordPiece {
  private readonly ids: ReadonlyMap<string, number>;
  private readonly continuations: Uint8Array;
  readonly unknownId: number;
  private readonly cache = new Map<string, readonly number[]>();

  /** @param vocabulary one piece a line; a piece's id is its line, from 0 */
  constructor(vocabulary: string) {
    const ids = new Map<string, number>();
    const lines = vocabulary.split('\n');
    this.continuations = new Uint8Array(lines.length);
    for (const [id, line] of lines.entries()) {
      const piece = line.replace(/\r$/, '');
      if (piece !== '') ids.set(piece, id);
      if (piece.startsWith('##') && piece !== '##') this.continuations[id] = 1;
    }
    const unknown = ids.get(UNKNOWN);
    if (unknown === undefined) throw new RangeError(`the vocabulary lacks ${UNKNOWN}`);
    this.ids = ids;
    this.unknownId = unknown;
  }

  /** Number of pieces: one more than the highest id. */
  get size(): number {
    return this.ids.size;
  }

  /** True for a piece that continues a word, as `##ing`. */
  isContinuation(id: number): boolean {
    return this.continuations[id] === 1;
  }

  /** Ids of the pieces, without [CLS] and [SEP], at most `maxPieces`. */
  encode(text: string, maxPieces: number): number[] {
    const out: number[] = [];
    for (const word of splitWords(text)) {
      for (const id of this.piecesOf(word)) out.push(id);
      if (out.length >= maxPieces) {
        out.length = maxPieces;
        break;
      }
    }
    return out;
  }

  private piecesOf(word: string): readonly number[] {
    const known = this.cache.get(word);
    if (known) return known;
    const pieces = this.match(word) ?? [this.unknownId];
    if (this.cache.size < MAX_CACHED_WORDS) this.cache.set(word, pieces);
    return pieces;
  }

  /** Longest piece first; null when some rest of the word is in no piece, and then the whole word is unknown. */
  private match(word: string): number[] | null {
    const chars = Array.from(word);
    if (chars.length > MAX_WORD_CHARS) return null;
    const pieces: number[] = [];
    let start = 0;
    while (start < chars.length) {
      let end = chars.length;
      let id: number | undefined;
      for (; end > start; end--) {
        const piece = chars.slice(start, end).join('');
        id = this.ids.get(start === 0 ? piece : `##${piece}`);
        if (id !== undefined) break;
      }
      if (id === undefined) return null;
      pieces.push(id);
      start = end;
    }
    return pieces;
  }
}

/** Words and single punctuation characters, lower-cased, without accents. */
export function splitWords(text: string): string[] {
  const plain = isAscii(text) ? text.toLowerCase() : cleaned(text).normalize('NFD').replace(/\p{Mn}/gu, '').toLowerCase();
  const words: string[] = [];
  let word = '';
  for (const char of plain) {
    const code = char.codePointAt(0) ?? 0;
    const space = isSpace(code);
    if (!space && !isPunctuation(char, code)) {
      if (code >= 32 && code !== 127) word += char;
      continue;
    }
    if (word !== '') words.push(word);
    word = '';
    if (!space) words.push(char);
  }
  if (word !== '') words.push(word);
  return words;
}

/** BERT's clean_text and its spaces around CJK ideographs, in one pass. */
function cleaned(text: string): string {
  let out = '';
  for (const char of text) {
    const code = char.codePointAt(0) ?? 0;
    if (isSpace(code)) out += ' ';
    else if (code === 0 || code === 0xfffd || CONTROL.test(char)) continue;
    else out += isIdeograph(code) ? ` ${char} ` : char;
  }
  return out;
}

const CONTROL = /[\p{Cc}\p{Cf}\p{Co}\p{Cs}]/u;
const UNICODE_PUNCTUATION = /\p{P}/u;

/** All ASCII that is neither letter, digit nor space counts as punctuation, as in the reference. */
function isPunctuation(char: string, code: number): boolean {
  if (code > 127) return UNICODE_PUNCTUATION.test(char);
  return (code >= 33 && code <= 47) || (code >= 58 && code <= 64) || (code >= 91 && code <= 96) || (code >= 123 && code <= 126);
}

function isSpace(code: number): boolean {
  if (code <= 32) return code === 32 || code === 9 || code === 10 || code === 13;
  return code === 0xa0 || code === 0x1680 || (code >= 0x2000 && code <= 0x200a) || code === 0x2028 || code === 0x2029 || code === 0x202f || code === 0x205f || code === 0x3000;
}

const IDEOGRAPHS: readonly (readonly [from: number, to: number])[] = [
  [0x4e00, 0x9fff], [0x3400, 0x4dbf], [0x20000, 0x2a6df], [0x2a700, 0x2b73f], [0x2b740, 0x2b81f], [0x2b820, 0x2ceaf], [0xf900, 0xfaff], [0x2f800, 0x2fa1f],
];

const isIdeograph = (code: number): boolean => code >= 0x3400 && IDEOGRAPHS.some(([from, to]) => code >= from && code <= to);
