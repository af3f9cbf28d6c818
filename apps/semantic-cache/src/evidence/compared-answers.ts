import type { StaticEmbedder } from '@deja/similarity';

/** Answers to one question that a model gives twice are mostly nearer than this; answers to different questions mostly farther than the other. */
const SAME = 0.86;
const DIFFERENT = 0.6;
const WORDS_A_STEP = 120;

/**
 * Whether two answers say the same, as far as their similarity can tell: null where it cannot, and then nothing is learned from them.
 * Numbers that only one of two otherwise near answers has make it a matter of doubt.
 */
export function sameAnswer(embedder: StaticEmbedder, kept: string, fresh: string): boolean | null {
  const [a, b] = [wholeVector(embedder, kept), wholeVector(embedder, fresh)];
  if (a === null || b === null) return null;
  const similarity = cosine(a, b);
  if (similarity < DIFFERENT) return false;
  if (similarity < SAME) return null;
  return sameNumbers(kept, fresh) ? true : null;
}

/** Sum over the steps of a long text; null where none of them has a vector. */
function wholeVector(embedder: StaticEmbedder, text: string): Float32Array | null {
  const words = text.split(/\s+/);
  let sum: Float32Array | null = null;
  for (let from = 0; from < words.length; from += WORDS_A_STEP) {
    const { vector } = embedder.embed(words.slice(from, from + WORDS_A_STEP).join(' '));
    if (vector === null) continue;
    sum ??= new Float32Array(vector.length);
    for (const [j, x] of vector.entries()) sum[j] = (sum[j] ?? 0) + x;
  }
  return sum;
}

function cosine(a: Float32Array, b: Float32Array): number {
  let dot = 0;
  let [aa, bb] = [0, 0];
  for (const [j, x] of a.entries()) {
    const y = b[j] ?? 0;
    dot += x * y;
    aa += x * x;
    bb += y * y;
  }
  return dot / (Math.sqrt(aa * bb) || 1);
}

function sameNumbers(a: string, b: string): boolean {
  const numbers = (text: string): string => [...new Set(text.match(/\d+(?:[.,]\d+)*/g) ?? [])].sort().join(' ');
  return numbers(a) === numbers(b);
}
