import type { Token } from './analysis.ts';
import type { Lexicon } from './lexicon.ts';

/** Shorter words have too many neighbours. */
export const MIN_TYPED_CHARS = 5;
/** In words shorter than this another letter makes another word sooner than a slip does. */
const MIN_SUBSTITUTED_CHARS = 6;

/**
 * Is one word the other with a slip of the fingers: a letter too many or missing, two swapped, one wrong? Only if exactly one of them
 * is in no dictionary: `Slovakia` and `Slovenia`, `hourly` and `hours` are words. Never for names or anything with digits.
 */
export function isTypo(x: Token, y: Token, lexicon: Lexicon): boolean {
  if (x.kind !== 'content' || y.kind !== 'content' || x.unknown === y.unknown || x.name || y.name) return false;
  const [slip, word] = x.unknown ? [x.text, y.text] : [y.text, x.text];
  if (!/^[a-z]+$/.test(slip) || !/^[a-z]+$/.test(word) || Math.max(slip.length, word.length) < MIN_TYPED_CHARS || Math.min(slip.length, word.length) < MIN_TYPED_CHARS - 1) return false;
  return isOneSlip(slip, word) && !lexicon.isName(word);
}

/** One edit apart, and not in the first letter unless the first two are swapped. */
export function isOneSlip(a: string, b: string): boolean {
  const [short, long] = a.length <= b.length ? [a, b] : [b, a];
  if (long.length - short.length > 1) return false;
  let i = 0;
  while (i < short.length && short[i] === long[i]) i++;
  if (short.length < long.length) return i > 0 && short.slice(i) === long.slice(i + 1);
  if (short.slice(i + 1) === long.slice(i + 1)) return i > 0 && short.length >= MIN_SUBSTITUTED_CHARS;
  return short[i] === long[i + 1] && short[i + 1] === long[i] && short.slice(i + 2) === long.slice(i + 2);
}
