import type { Lexicon } from './lexicon.ts';
import type { Word } from './read-words.ts';
import { BE, FIRST_PERSON, FREE, MODALS, MY, PREPOSITIONS, QUESTIONS, SECOND_PERSON, THIRD_PERSON, VERBS_WITH_PARTICLE, YOUR } from './word-lists.ts';

/** Where the little words of one text stand: what no list of its words shows, since both texts have the same ones. */
export interface Placing {
  /** Prepositions with nothing behind them: `of` in "what is wheat part of". */
  stranded: string[];
  /** All prepositions as written. */
  prepositions: string[];
  /** Modal verbs in order, each with the word of matter behind it: `must nurse`. */
  modals: Placed[];
  /** The same for forms of the past and the present. */
  tenses: Placed[];
  /** The same for `even`, `just`, `also`, `really`. */
  focus: Placed[];
  /** Beside a `not`, in which order: `not really`, `really not`. */
  negated: string[];
  /** Each `not` and each `all` or its like, in order. */
  reach: string[];
  /** Words of matter in their base form. */
  matter: ReadonlySet<string>;
  /** How many times `a` makes an amount of "little" or "few". */
  someLittle: number;
  little: number;
}
interface Placed { word: string; /** Empty when none follows. */ before: string }

const PAST = new Set(['was', 'were', 'did', 'had']);
const PRESENT = new Set(['is', 'are', 'am', 'do', 'does', 'has', 'have']);
const FOCUS = new Set(['even', 'just', 'also', 'really']);
const ADVERBS = new Set('really always only just even quite necessarily completely fully entirely all also ever still usually often be'.split(' '));
const UNIVERSAL = new Set(['all', 'every', 'each', 'both', 'everyone', 'everything', 'some']);
const AMOUNTS = new Set(['little', 'few']);
const isPerson = (word: string): boolean => [FIRST_PERSON, SECOND_PERSON, THIRD_PERSON, MY, YOUR].some((list) => list.has(word));
const isAuxiliary = (word: string): boolean => BE.has(word) || PAST.has(word) || PRESENT.has(word) || MODALS.has(word) || word === 'to';
const isLittle = (word: string): boolean => FREE.has(word) || PREPOSITIONS.has(word) || QUESTIONS.has(word) || isAuxiliary(word) || isPerson(word) || word === 'and' || word === 'or' || word === 'not' || word === 'only' || FOCUS.has(word);

/** `words`: as read, the opening question included. */
export function placingOf(words: readonly Word[], lexicon: Lexicon): Placing {
  const placing: Placing = { stranded: [], prepositions: [], modals: [], tenses: [], focus: [], negated: [], reach: [], matter: new Set(), someLittle: 0, little: 0 };
  const matter = new Set<string>();
  let before = '';
  for (let i = words.length - 1; i >= 0; i--) {
    const text = words[i]?.text ?? '';
    const next = words[i + 1];
    if (!isLittle(text)) { before = lexicon.inflectionOf(text).base; matter.add(before); }
    const modal = MODALS.get(text);
    if (modal !== undefined) placing.modals.unshift({ word: modal, before });
    if (PAST.has(text)) placing.tenses.unshift({ word: 'past', before });
    else if (PRESENT.has(text)) placing.tenses.unshift({ word: 'present', before });
    if (FOCUS.has(text)) placing.focus.unshift({ word: text, before });
    if (PREPOSITIONS.has(text)) placing.prepositions.push(text);
    if (PREPOSITIONS.has(text) && isStranded(words, i)) placing.stranded.push(text);
    if (text === 'not' || UNIVERSAL.has(text)) placing.reach.unshift(text);
    if (AMOUNTS.has(text)) { placing.little++; if (words[i - 1]?.text === 'a') placing.someLittle++; }
    if (next !== undefined && (text === 'not' || ADVERBS.has(text))) negatedAt(words, i, placing.negated);
    if (words[i]?.opensSentence === true) before = '';
  }
  return { ...placing, matter };
}

/** Nothing follows but politeness, or the question word that it was fronted with: "in which city is it" asks "which city is it in". */
function isStranded(words: readonly Word[], i: number): boolean {
  const next = words[i + 1];
  return next === undefined || next.opensClause || next.text === 'please' || QUESTIONS.has(next.text);
}

/** The nearest adverb behind a `not`, or `not` behind an adverb, with nothing but auxiliaries between. */
function negatedAt(words: readonly Word[], i: number, found: string[]): void {
  const text = words[i]?.text ?? '';
  for (let k = i + 1; k < words.length; k++) {
    const other = words[k]?.text ?? '';
    if (text === 'not' ? ADVERBS.has(other) : other === 'not') { found.push(`${text} ${other}`); return; }
    if (!isAuxiliary(other)) return;
  }
}

/** How two texts differ in the place of their little words, for people; null when they do not. Meant for texts that use the same ones. */
export function placingDiffers(a: Placing, b: Placing): string | null {
  if (strandedDiffers(a, b)) return `different direction: ${[a.stranded, b.stranded].map((each) => each.join(', ') || '–').sort().join(' / ')}`;
  if (exchanged(a.modals, b.modals)) return 'differs in what is asked of which';
  if (exchanged(a.tenses, b.tenses)) return 'differs in tense of which';
  const moved = a.focus.find(({ word, before }) => {
    const others = b.focus.filter((each) => each.word === word);
    return others.length === 1 && others.every((other) => other.before !== before && other.before !== '' && before !== '' && b.matter.has(before) && a.matter.has(other.before));
  });
  if (moved !== undefined) return `differs in what ${moved.word} belongs to`;
  const turned = a.negated.find((pair) => !b.negated.includes(pair) && b.negated.includes(pair.split(' ').reverse().join(' ')));
  if (turned !== undefined) return `differs in order: ${[turned, turned.split(' ').reverse().join(' ')].sort().join(' / ')}`;
  // Not all birds fly; all birds do not fly.
  if (a.reach.length === 2 && new Set(a.reach).size === 2 && a.reach.includes('not') && a.reach.join() === [...b.reach].reverse().join()) return `differs in order: ${[a.reach, b.reach].map((each) => each.join(' … ')).sort().join(' / ')}`;
  return a.little === b.little && a.someLittle !== b.someLittle ? 'differs in extent: little / a little' : null;
}

/** The same prepositions, but not behind the same: "what is part of wheat". "Turn the light on" only puts off its particle. */
function strandedDiffers(a: Placing, b: Placing): boolean {
  if (sorted(a.stranded) === sorted(b.stranded) || sorted(a.prepositions) !== sorted(b.prepositions)) return false;
  return ![a, b].some(({ matter }) => [...matter].some((word) => VERBS_WITH_PARTICLE.has(word)));
}

const sorted = (words: readonly string[]): string => [...words].sort().join();

/** The same words in another order, and in front of other matter: clauses that only moved keep what follows them. */
function exchanged(a: readonly Placed[], b: readonly Placed[]): boolean {
  const [wordsOfA, wordsOfB] = [a, b].map((each) => each.map(({ word }) => word));
  if (wordsOfA === undefined || wordsOfB === undefined || new Set(wordsOfA).size < 2 || wordsOfA.join() === wordsOfB.join() || sorted(wordsOfA) !== sorted(wordsOfB)) return false;
  const [placedA, placedB] = [a, b].map((each) => sorted(each.map(({ word, before }) => `${word} ${before}`)));
  return placedA !== placedB;
}
