import { NO_RANK, type Vocabulary } from './vocabulary.ts';

/**
 * The longest piece that is merged whole, UTF-16 units. Merging takes time with the square of the length, and a client could
 * send a megabyte without a space; longer pieces are cut, at the cost of about one token too many per cut.
 */
const MAX_PIECE_CHARS = 128;
const MAX_PIECE_BYTES = MAX_PIECE_CHARS * 3;

/**
 * A count of tokens by byte-level byte pair encoding, as tiktoken does it: the text falls into pieces by the encoding's
 * pattern, and in each piece the pair of neighbours with the lowest rank is merged until no pair is a token. Special tokens
 * are text like any other, as in a prompt. Nothing of a text is kept.
 *
 * Why not gpt-tokenizer's own count: it merges pieces of any length whole, at a quadratic cost in one go, refuses text that looks like a
 * special token, and its cache of merged pieces keeps clients' texts alive.
 */
export function bytePairCounter(vocabulary: Vocabulary, pattern: RegExp): (text: string) => number {
  const pieces = new RegExp(pattern.source, 'gu');
  const bytes = Buffer.alloc(MAX_PIECE_BYTES);
  const merge = merger(vocabulary, bytes);

  const countPiece = (piece: string): number => {
    const length = write(piece, bytes);
    return vocabulary.rank(bytes, 0, length) === NO_RANK ? merge(length) : 1;
  };

  return (text) => {
    let tokens = 0;
    pieces.lastIndex = 0;
    for (let match = pieces.exec(text); match; match = pieces.exec(text)) {
      const piece = match[0];
      if (piece.length <= MAX_PIECE_CHARS) tokens += countPiece(piece);
      else {
        for (let from = 0; from < piece.length; ) {
          const to = wholeCharacters(piece, from + MAX_PIECE_CHARS);
          tokens += countPiece(piece.slice(from, to));
          from = to;
        }
      }
    }
    return tokens;
  };
}

/** The piece in UTF-8; returns how many bytes it has. */
function write(piece: string, bytes: Buffer): number {
  // Nearly all pieces are a few letters of ASCII, for which the call into Node's own code would take longer than this.
  for (let index = 0; index < piece.length; index++) {
    const code = piece.charCodeAt(index);
    if (code > 0x7f) return bytes.write(piece);
    bytes[index] = code;
  }
  return piece.length;
}

/** Into how many tokens the first `length` of these bytes merge. */
function merger(vocabulary: Vocabulary, bytes: Buffer): (length: number) => number {
  // Part i begins at starts[i]; merging it with its right neighbour would make the token of rank pairs[i].
  const starts = new Uint16Array(MAX_PIECE_BYTES + 1);
  const pairs = new Uint32Array(MAX_PIECE_BYTES + 1);

  return (length) => {
    let parts = length;
    const rankOf = (part: number): number => (part + 2 > parts ? NO_RANK : vocabulary.rank(bytes, starts[part] ?? 0, starts[part + 2] ?? 0));
    for (let part = 0; part <= parts; part++) starts[part] = part;
    for (let part = 0; part < parts; part++) pairs[part] = rankOf(part);
    for (;;) {
      let lowest = NO_RANK;
      let at = -1;
      for (let part = 0; part < parts - 1; part++) {
        const rank = pairs[part] ?? NO_RANK;
        if (rank < lowest) [lowest, at] = [rank, part];
      }
      if (at < 0) return parts;
      starts.copyWithin(at + 1, at + 2, parts + 1);
      pairs.copyWithin(at, at + 1, parts);
      parts -= 1;
      pairs[at] = rankOf(at);
      if (at > 0) pairs[at - 1] = rankOf(at - 1);
    }
  };
}

/** The end given, or one before it where it would cut a surrogate pair in two. */
export function wholeCharacters(text: string, end: number): number {
  if (end >= text.length) return text.length;
  const [before, after] = [text.charCodeAt(end - 1), text.charCodeAt(end)];
  return before >= 0xd800 && before < 0xdc00 && after >= 0xdc00 && after < 0xe000 ? end - 1 : end;
}
