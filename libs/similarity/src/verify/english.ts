import { isAscii } from '../is-ascii.ts';
import type { Lexicon } from './lexicon.ts';
import type { Word } from './read-words.ts';
import { FOREIGN } from './word-lists.ts';

/** Above this share of words that are in no English dictionary a text is not taken for English. */
const MAX_UNKNOWN_SHARE = 0.5;
const MIN_UNKNOWN_WORDS = 2;
/** Two little words of another language among a few, or every third word. */
const MAX_FOREIGN_SHARE = 0.2;
const MAX_NON_LATIN_SHARE = 0.2;

/** Why a text does not look English; null when it does. The guards know English only. */
export function whyNotEnglish(text: string, words: readonly Word[], lexicon: Lexicon): string | null {
  if (!isAscii(text) && isMostlyNotLatin(text)) return NOT_ENGLISH;
  const plain = words.filter((word) => /^\p{L}+$/u.test(word.text));
  let unknown = 0;
  let foreign = 0;
  for (const word of plain) {
    if (FOREIGN.has(word.text)) foreign++;
    else if (!word.capital && word.text.length > 1 && !lexicon.knows(word.text)) unknown++;
  }
  const isForeign = foreign >= 2 ? foreign > plain.length * MAX_FOREIGN_SHARE : foreign + unknown > plain.length * MAX_UNKNOWN_SHARE && foreign > 0;
  if (isForeign || (unknown >= MIN_UNKNOWN_WORDS && unknown > plain.length * MAX_UNKNOWN_SHARE)) return NOT_ENGLISH;
  return null;
}

function isMostlyNotLatin(text: string): boolean {
  const letters = text.match(/\p{L}/gu)?.length ?? 0;
  const latin = text.match(/\p{Script=Latin}/gu)?.length ?? 0;
  return letters - latin > letters * MAX_NON_LATIN_SHARE;
}

const NOT_ENGLISH = 'not English';
