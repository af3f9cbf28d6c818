import { GREETINGS, OPENINGS } from './phrases.ts';
import type { Lexicon } from './lexicon.ts';
import type { Word } from './read-words.ts';
import { CALENDAR } from './calendar.ts';
import { LONG_UNITS } from './numbers.ts';
import { isOneSlip, MIN_TYPED_CHARS } from './typo.ts';
import { FREE, MODALS, NEGATIONS, PREPOSITIONS, QUANTIFIERS, QUESTIONS } from './word-lists.ts';

/**
 * Mends slips of the fingers in the little words that steer the reading: `plaese`, `abuot`, `satruday`. Only what is in no dictionary and
 * one slip from exactly one of them is mended; matter is never touched, it is compared with its tolerance later.
 */
export function mendFunctionWords(words: Word[], lexicon: Lexicon): void {
  for (const word of words) {
    if (word.capital || word.text.length < MIN_TYPED_CHARS - 1 || !/^[a-z]+$/.test(word.text) || lexicon.knows(word.text)) continue;
    const near = new Set<string>();
    for (const each of BY_INITIALS.get(word.text.slice(0, 1)) ?? []) if (each.length >= MIN_TYPED_CHARS - 1 && isOneSlip(word.text, each)) near.add(each);
    const [only] = near;
    if (near.size === 1 && only !== undefined) word.text = only;
  }
}

const STEERING = new Set([...[...OPENINGS.keys(), ...GREETINGS].flatMap((phrase) => phrase.split(/\s+/)), ...FREE, ...PREPOSITIONS, ...NEGATIONS, ...QUANTIFIERS.keys(), ...QUESTIONS, ...MODALS.keys(), ...CALENDAR.keys(), ...LONG_UNITS]);

/** By every letter that a slip may have put first: its own, or its second where two were swapped. */
const BY_INITIALS = new Map<string, Set<string>>();
for (const word of STEERING) {
  for (const initial of [word[0] ?? '', word[1] ?? '']) BY_INITIALS.set(initial, (BY_INITIALS.get(initial) ?? new Set()).add(word));
}
