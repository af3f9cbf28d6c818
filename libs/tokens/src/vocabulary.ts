import { setImmediate as nextTurn } from 'node:timers/promises';

/** Tokens by rank, as gpt-tokenizer lists them: as text, or as bytes where they are no text by themselves. A few ranks are nobody's. */
export type TokenList = readonly (string | readonly number[] | undefined)[];

/** No token has this rank. */
export const NO_RANK = 0xffff_ffff;

const COUNT_BYTES = 4;
const TOKENS_PER_TURN = 32_768;
/** Of what a table's places are at most: with more, searches for bytes that are no token take long. */
const MOST_FILLED = 0.5;

/**
 * The list as a text: base64 of the number of ranks (four bytes, the lowest first), the length of each token in a byte (0: nobody's rank), and the bytes of
 * all. Throws a RangeError on a token of more than 255 bytes.
 */
export function packedTokens(list: TokenList): string {
  const tokens = list.map((token) => (token === undefined ? Buffer.alloc(0) : typeof token === 'string' ? Buffer.from(token) : Buffer.from(token as number[])));
  if (tokens.some(({ length }) => length > 0xff)) throw new RangeError('a token has more than 255 bytes');
  const count = Buffer.alloc(COUNT_BYTES);
  count.writeUInt32LE(tokens.length);
  return Buffer.concat([count, Buffer.from(tokens.map(({ length }) => length)), ...tokens]).toString('base64');
}

/**
 * A vocabulary that finds a token's rank by its bytes. All of it are three arrays of numbers, 5 MB for 200,000 tokens: as texts in a Map they are six times that,
 * and the garbage collector looks at each.
 */
export class Vocabulary {
  private readonly bytes: Uint8Array;
  /** Where the token of a rank begins in `bytes`; it ends where the next one begins. */
  private readonly starts: Uint32Array;
  /** Open addressing: rank + 1 in the first free place from its hash on; 0 is free. */
  private readonly places: Uint32Array;

  private constructor(bytes: Uint8Array, starts: Uint32Array, places: Uint32Array) {
    this.bytes = bytes;
    this.starts = starts;
    this.places = places;
  }

  /** From the text of packedTokens. Lets others run meanwhile. */
  static async read(packed: string): Promise<Vocabulary> {
    const all = Buffer.from(packed, 'base64');
    const count = all.readUInt32LE();
    const bytes = new Uint8Array(all.subarray(COUNT_BYTES + count));
    const starts = new Uint32Array(count + 1);
    for (let rank = 0; rank < count; rank++) starts[rank + 1] = (starts[rank] ?? 0) + (all[COUNT_BYTES + rank] ?? 0);
    const vocabulary = new Vocabulary(bytes, starts, new Uint32Array(2 ** Math.ceil(Math.log2(Math.max(1, count / MOST_FILLED)))));
    for (let rank = 0; rank < count; rank++) {
      vocabulary.place(rank);
      if (rank % TOKENS_PER_TURN === TOKENS_PER_TURN - 1) await nextTurn();
    }
    return vocabulary;
  }

  /** The rank of the token whose bytes are those from `from` to before `to`; NO_RANK if there is none. */
  rank(bytes: Uint8Array, from: number, to: number): number {
    const last = this.places.length - 1;
    for (let place = hashOf(bytes, from, to) & last; ; place = (place + 1) & last) {
      const rank = (this.places[place] ?? 0) - 1;
      if (rank < 0) return NO_RANK;
      if (this.is(rank, bytes, from, to)) return rank;
    }
  }

  private place(rank: number): void {
    const [from = 0, to = 0] = [this.starts[rank], this.starts[rank + 1]];
    if (from === to) return;
    const last = this.places.length - 1;
    let place = hashOf(this.bytes, from, to) & last;
    while (this.places[place] !== 0) place = (place + 1) & last;
    this.places[place] = rank + 1;
  }

  private is(rank: number, bytes: Uint8Array, from: number, to: number): boolean {
    const start = this.starts[rank] ?? 0;
    if ((this.starts[rank + 1] ?? 0) - start !== to - from) return false;
    for (let at = from; at < to; at++) if (bytes[at] !== this.bytes[start + at - from]) return false;
    return true;
  }
}

/** FNV-1a, 32 bits (http://www.isthe.com/chongo/tech/comp/fnv/), its high bits folded onto the low ones, which are what places are taken from. */
function hashOf(bytes: Uint8Array, from: number, to: number): number {
  let hash = 0x811c_9dc5;
  for (let at = from; at < to; at++) hash = Math.imul(hash ^ (bytes[at] ?? 0), 0x0100_0193);
  return hash ^ (hash >>> 15);
}
