import { normaliseText } from '@deja/cache-key';
import { NAMES_TOO } from './word-lists.ts';

/** What makes two texts the same but for what writers vary by accident; null when their words differ. */
export type SameText = { same: true; explanation: string } | { same: false; explanation: string } | null;

/** Compares case, white space, Unicode form and punctuation away, but not case that makes another word: mW / MW, US / us. `knows`: is it an English word? */
export function sameText(a: string, b: string, knows: (word: string) => boolean): SameText {
  if (a === b) return { same: true, explanation: 'same text' };
  if (normaliseText(a) !== normaliseText(b)) return null;
  const conflict = caseConflict(a, b, knows);
  if (conflict !== null) return { same: false, explanation: `differs in case: ${conflict.sort().join(' / ')}` };
  return { same: true, explanation: 'same text but for case, white space or punctuation' };
}

/** Longest word for which capitals inside are read as an abbreviation or a unit: mW and MW, US and us, pH. */
const MAX_ABBREVIATION_CHARS = 4;

/** Abbreviations that mean the same in any case. */
const ONE_MEANING = new Set('tv tvs pm atm pdf csv json xml html css sql faq vpn usb gps sms api url cpu gpu ceo cfo cto dvd usa nyc pto bbq dna hiv fbi nba nfl'.split(' '));

/** The first two words whose case makes them different words; null when there are none. */
function caseConflict(a: string, b: string, knows: (word: string) => boolean): [string, string] | null {
  const wordsOfB = wordsOf(b);
  const shouted = isShouted(a) !== isShouted(b);
  const cased = [a, b].every((text) => /^\P{L}*\p{Lu}/u.test(text) && wordsOf(text).some((word, i) => i > 0 && isSmall(word)));
  for (const [i, first] of wordsOf(a).entries()) {
    const second = wordsOfB[i];
    if (second !== undefined && cased && i > 0 && isSmall(first) !== isSmall(second) && NAMES_TOO.has(first.toLowerCase())) return [first, second];
    if (second === undefined || first === second || first.length > MAX_ABBREVIATION_CHARS || ONE_MEANING.has(first.toLowerCase())) continue;
    // HSBC and hsbc: there is no small word to take it for.
    if (first.length > 2 && (isSmall(first) || isSmall(second)) && !knows(first.toLowerCase())) continue;
    const meaningful = shouted ? isMixed(first) || isMixed(second) : hasInnerCapital(first) || hasInnerCapital(second);
    if (meaningful) return [first, second];
  }
  return null;
}

const wordsOf = (text: string): string[] => text.normalize('NFKC').match(/\p{L}+/gu) ?? [];
const isShouted = (text: string): boolean => text === text.toUpperCase();
const isSmall = (word: string): boolean => word === word.toLowerCase();
const hasInnerCapital = (word: string): boolean => /^.+\p{Lu}/u.test(word);
/** Neither all small, nor all capitals, nor a capital at the front: written so on purpose. */
const isMixed = (word: string): boolean => hasInnerCapital(word) && word !== word.toUpperCase();
