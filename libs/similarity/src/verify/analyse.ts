import { emptyAnalysis, type Analysis } from './analysis.ts';
import { readAsks } from './asks.ts';
import { whyNotEnglish } from './english.ts';
import { mendFunctionWords } from './function-words.ts';
import type { Lexicon } from './lexicon.ts';
import { readWords } from './read-words.ts';
import { placingOf } from './placing.ts';
import { Sorter } from './sorter.ts';
import { FIRST_PERSON, LETTERS, MENTIONS } from './word-lists.ts';

export type { Analysis } from './analysis.ts';

/** Longer texts are compared as a whole only: the work grows with the square of their length. */
const MAX_CHARS = 2000;
const MAX_WORDS = 128;
const TOO_LONG = 'too long to compare word by word';

/** Reads a text for comparison. Pure; the same text gives the same analysis. */
export function analyse(text: string, lexicon: Lexicon): Analysis {
  if (text.length > MAX_CHARS) return { ...emptyAnalysis(text), literal: TOO_LONG };
  const reading = readWords(text, MAX_WORDS);
  if (reading.words.length > MAX_WORDS) return { ...emptyAnalysis(text), literal: TOO_LONG };
  const spelled = reading.quotes || reading.words.some(({ text: word }, i) => LETTERS.has(word) || (word === 'letter' && /^(?:of|in)$/.test(reading.words[i + 1]?.text ?? '')));
  const mentions = spelled || reading.words.some(({ text: word }) => MENTIONS.has(word));
  if (!spelled && reading.literal === null) mendFunctionWords(reading.words, lexicon);
  const { asks, words } = readAsks(reading.words);
  const literal = reading.literal ?? whyNotEnglish(text, reading.words, lexicon);
  const analysis: Analysis = { ...emptyAnalysis(text), literal, asks, ofSpeaker: reading.words.some(({ text: word }) => FIRST_PERSON.has(word)), mentions, spelled, quotes: reading.quotes };
  if (analysis.literal === null) {
    analysis.placing = placingOf(reading.words, lexicon);
    new Sorter(analysis, words, lexicon).sort();
  }
  return analysis;
}
