import { normaliseText } from '@deja/cache-key';

export interface Verdict {
  accepted: boolean;
  /** For people: what decided. */
  explanation: string;
}

/**
 * May the answer to one text be served for the other? Only when they are the same text but for what writers vary by
 * accident. Symmetric: verdict(a, b) equals verdict(b, a).
 */
export function verdict(a: string, b: string): Verdict {
  if (a === b) return { accepted: true, explanation: 'same text' };
  if (normaliseText(a) !== normaliseText(b)) return { accepted: false, explanation: 'differs in wording' };
  const [first, second] = caseConflict(a, b) ?? [];
  if (first !== undefined && second !== undefined) return { accepted: false, explanation: `differs in case: ${[first, second].sort().join(' / ')}` };
  return { accepted: true, explanation: 'same text but for case, white space or punctuation' };
}

/** Longest word for which capitals inside are read as an abbreviation or a unit: mW and MW, US and us, pH. */
const MAX_ABBREVIATION_CHARS = 4;

/** The first two words whose case makes them different words; null when there are none. */
function caseConflict(a: string, b: string): [string, string] | null {
  const wordsOfA = wordsOf(a);
  const wordsOfB = wordsOf(b);
  const shouted = isShouted(a) !== isShouted(b);
  for (const [i, first] of wordsOfA.entries()) {
    const second = wordsOfB[i];
    if (second === undefined || first === second || first.length > MAX_ABBREVIATION_CHARS) continue;
    const meaningful = shouted ? isMixed(first) || isMixed(second) : hasInnerCapital(first) || hasInnerCapital(second);
    if (meaningful) return [first, second];
  }
  return null;
}

const wordsOf = (text: string): string[] => text.normalize('NFKC').match(/\p{L}+/gu) ?? [];
const isShouted = (text: string): boolean => text === text.toUpperCase();
const hasInnerCapital = (word: string): boolean => /^.+\p{Lu}/u.test(word);
/** Neither all small, nor all capitals, nor a capital at the front: written so on purpose. */
const isMixed = (word: string): boolean => hasInnerCapital(word) && word !== word.toUpperCase();
