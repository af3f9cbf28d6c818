import { isAscii } from '../is-ascii.ts';
import type { Embedder, Embedding, OutOfDepth } from './embedder.ts';
import type { ModelFiles } from './model-files.ts';
import { WordPiece } from './wordpiece.ts';

const MAX_RARE_SHARE = 0.25;
const MAX_CONTINUATION_SHARE = 0.5;
const MAX_NON_LATIN_SHARE = 0.2;

/**
 * Embeds English text by adding up one trained vector for each token: a few microseconds, no runtime, no key. Knows
 * its limits: unrelated texts in scripts it was not trained on would score .90 and more against each other.
 */
export class StaticEmbedder implements Embedder {
  readonly name: string;
  readonly dimensions: number;
  private readonly files: ModelFiles;
  private readonly wordPiece: WordPiece;

  constructor(files: ModelFiles) {
    this.files = files;
    this.name = files.name;
    this.dimensions = files.dimensions;
    this.wordPiece = new WordPiece(files.vocabulary);
  }

  /** A vector of length 1, or the reason why this text has none. */
  embed(text: string): Embedding {
    const ids = this.wordPiece.encode(text, this.files.maxPieces + 1);
    const outOfDepth = this.outOfDepth(text, ids);
    if (outOfDepth !== null) return { vector: null, outOfDepth };
    const vector = this.sum(ids);
    return normalise(vector) ? { vector, outOfDepth: null } : { vector: null, outOfDepth: 'no_words' };
  }

  /** The limits are measured figures: docs/caching.md. */
  private outOfDepth(text: string, ids: readonly number[]): OutOfDepth | null {
    if (ids.length === 0) return 'no_words';
    if (ids.length > this.files.maxPieces) return 'too_long';
    if (nonLatinShare(text) > MAX_NON_LATIN_SHARE) return 'script';
    let rare = 0;
    let continuations = 0;
    for (const id of ids) {
      if (id === this.wordPiece.unknownId || this.isRare(id)) rare++;
      if (this.wordPiece.isContinuation(id)) continuations++;
    }
    if (rare / ids.length > MAX_RARE_SHARE) return 'unknown_words';
    return continuations / ids.length > MAX_CONTINUATION_SHARE ? 'fragments' : null;
  }

  private isRare(id: number): boolean {
    return (((this.files.rare[id >> 3] ?? 0) >> (id & 7)) & 1) === 1;
  }

  private sum(ids: readonly number[]): Float32Array {
    const { table, scales, dimensions } = this.files;
    const sum = new Float32Array(dimensions);
    for (const id of ids) {
      const scale = scales[id] ?? 0;
      const row = id * dimensions;
      for (let j = 0; j < dimensions; j++) sum[j] = (sum[j] as number) + scale * (table[row + j] as number);
    }
    return sum;
  }
}

/** Scales to length 1 in place; false for the zero vector. */
function normalise(vector: Float32Array): boolean {
  let squares = 0;
  for (const x of vector) squares += x * x;
  if (squares === 0) return false;
  const factor = 1 / Math.sqrt(squares);
  for (let j = 0; j < vector.length; j++) vector[j] = (vector[j] as number) * factor;
  return true;
}

function nonLatinShare(text: string): number {
  if (isAscii(text)) return 0;
  const letters = text.match(/\p{L}/gu) ?? [];
  if (letters.length === 0) return 0;
  return letters.filter((letter) => !/\p{Script=Latin}/u.test(letter)).length / letters.length;
}
