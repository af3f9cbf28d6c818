import type { FormProblem } from './form.ts';
import type { Path } from './path.ts';
import type { Referring } from './references.ts';

/** What is shorter stands in many sentences by chance, */
const SHORTEST_WORD = 3;
/** and where the sentence is about another place, what is shorter than this. */
const SHORTEST_ELSEWHERE = 6;
const NO_WORD = /[^\p{L}\p{N}]+/u;

const isAt = (path: Path, place: Path): boolean => place.length <= path.length && place.every((step, i) => step === path[i]);

/** Whether a problem is one of a text that refers to a value. */
export const isOf = ({ path }: FormProblem, referring: readonly Referring[]): boolean => referring.some((text) => isAt(path, text.path));

/**
 * The problem as it may be printed. A variable or a file may hold a secret, and a sentence that repeats part of its value would put it into a log: it gives way to
 * one that does not. A sentence about such a value itself must not have a word that stands in it, whole or in part.
 */
export function unquoted(problem: FormProblem, referring: readonly Referring[]): FormProblem {
  const words = problem.message.replace(/\\(?:u[\da-f]{4}|.)/g, ' ').split(NO_WORD);
  const quotes = ({ path, values }: Referring): boolean => {
    const [shortest, isIn] = isAt(problem.path, path)
      ? [SHORTEST_WORD, (value: string, word: string) => value.includes(word)]
      : [SHORTEST_ELSEWHERE, (value: string, word: string) => value.split(NO_WORD).includes(word)];
    return words.some((word) => word.length >= shortest && values.some((value) => isIn(value, word)));
  };
  return referring.some(quotes) ? { ...problem, message: 'what stands here refers to a value that will not do in this place' } : problem;
}
