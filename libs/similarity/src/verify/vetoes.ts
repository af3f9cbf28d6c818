import type { Alignment } from './alignment.ts';
import type { Analysis, Token, TokenKind } from './analysis.ts';
import type { Lexicon } from './lexicon.ts';
import { isOneSlip } from './typo.ts';
import { ANTONYMS, EMPTY_ADDITIONS, QUANTIFIER_GROUPS, SIBLINGS, SOMEBODY, STRONG_QUANTIFIERS, THIRD_PERSON } from './word-lists.ts';

/** Members of each list that the other has not, each as often as it is there. */
export function difference<T>(a: readonly T[], b: readonly T[]): [onlyA: T[], onlyB: T[]] {
  if (a.length === 0 || b.length === 0) return [[...a], [...b]];
  const onlyB = [...b];
  const onlyA = a.filter((each) => {
    const at = onlyB.indexOf(each);
    if (at >= 0) onlyB.splice(at, 1);
    return at < 0;
  });
  return [onlyA, onlyB];
}

/** For people, the same whichever text comes first. */
export function differs(what: string, onlyA: readonly string[], onlyB: readonly string[]): string {
  const sides = [onlyA, onlyB].map((side) => (side.length === 0 ? '–' : side.join(', ').replaceAll('_', ' '))).sort();
  return `${what}: ${sides.join(' / ')}`;
}

/** What speaks against serving one text's answer for the other, for people; null when nothing does. Order of words is judged apart. */
export function veto(a: Analysis, b: Analysis, alignment: Alignment, lexicon: Lexicon): string | null {
  return ofKind('number', 'differs in number', alignment) ?? ofKind('symbol', 'differs in symbol', alignment) ?? unitVeto(a, b, alignment)
    ?? calendarVeto(alignment) ?? negationVeto(a, b) ?? antonymVeto(a, b, alignment, lexicon) ?? nameVeto(alignment) ?? personVeto(a, b, alignment) ?? somebodyVeto(a, b, alignment, lexicon)
    ?? quantifierVeto(a, b) ?? modalVeto(a, b) ?? askVeto(a, b, alignment) ?? siblingVeto(alignment, lexicon) ?? thingVeto(a, b, alignment, lexicon) ?? scopeVeto(a, b, alignment) ?? additionVeto(a, b, alignment);
}

const texts = (tokens: readonly Token[], kind: TokenKind): string[] => tokens.filter((token) => token.kind === kind).map((token) => token.key);

function ofKind(kind: TokenKind, what: string, { leftOfA, leftOfB }: Alignment): string | null {
  const onlyA = texts(leftOfA, kind);
  const onlyB = texts(leftOfB, kind);
  return onlyA.length + onlyB.length > 0 ? differs(what, onlyA, onlyB) : null;
}

/** Another unit always matters; one more only beside a number. */
function unitVeto(a: Analysis, b: Analysis, { leftOfA, leftOfB }: Alignment): string | null {
  const onlyA = texts(leftOfA, 'unit');
  const onlyB = texts(leftOfB, 'unit');
  if (onlyA.length + onlyB.length === 0) return null;
  const counted = ({ tokens }: Analysis, left: readonly Token[]): boolean => tokens.some((token, i) => token.kind === 'unit' && left.includes(token) && tokens[i - 1]?.kind === 'number');
  return (onlyA.length > 0 && onlyB.length > 0) || counted(a, leftOfA) || counted(b, leftOfB) ? differs('differs in unit', onlyA, onlyB) : null;
}

const WEEKDAYS = new Set('monday tuesday wednesday thursday friday saturday sunday'.split(' '));
function calendarVeto({ leftOfA, leftOfB }: Alignment): string | null {
  const onlyA = texts(leftOfA, 'calendar');
  const onlyB = texts(leftOfB, 'calendar');
  if (onlyA.length + onlyB.length === 0) return null;
  return differs([...onlyA, ...onlyB].every((day) => WEEKDAYS.has(day)) ? 'differs in weekday' : 'differs in time', onlyA, onlyB);
}

function negationVeto(a: Analysis, b: Analysis): string | null {
  return a.negations.length % 2 === b.negations.length % 2 ? null : 'differs in negation';
}

function antonymVeto(a: Analysis, b: Analysis, { leftOfA, leftOfB }: Alignment, lexicon: Lexicon): string | null {
  const [prepositionsOfA, prepositionsOfB] = difference(a.prepositions, b.prepositions);
  const words = (left: readonly Token[], prepositions: readonly string[]): [text: string, key: string][] => [
    ...left.filter(({ kind }) => kind === 'content' || kind === 'particle').map(({ text, key }): [string, string] => [text, key]),
    ...prepositions.map((each): [string, string] => [each, each]),
  ];
  const wordsOfB = words(leftOfB, prepositionsOfB);
  for (const [x, xBase] of words(leftOfA, prepositionsOfA)) {
    for (const [y, yBase] of wordsOfB) {
      const known = ANTONYMS.has(x, y) || ANTONYMS.has(xBase, yBase) || areOppositeDegrees(x, y);
      if (areOtherDegrees(x, y)) return differs('differs in degree', [x], [y]);
      if (known || lexicon.areAntonyms(x, y) || lexicon.areAntonyms(xBase, yBase)) return differs('opposites', [x], [y]);
    }
  }
  const [onlyA, onlyB] = [prepositionsOfA, prepositionsOfB];
  return (onlyA.includes('from') && onlyB.includes('to')) || (onlyA.includes('to') && onlyB.includes('from')) ? 'different direction: from / to' : null;
}

/** `warmer` and `cooler`, `quickly` and `slowly`. */
function areOppositeDegrees(x: string, y: string): boolean {
  const [first, second] = [DEGREE.exec(x), DEGREE.exec(y)];
  if (first === null && second === null) return false;
  const roots = (word: string): string[] => [word.replace(DEGREE, ''), word.replace(DEGREE, 'e'), word.replace(/i(?:er|est|ly)$/, 'y'), word.replace(/(.)\1(?:er|est)$/, '$1')];
  return roots(x).some((a) => roots(y).some((b) => ANTONYMS.has(a, b)));
}
const DEGREE = /(?:er|est|ly)$/;

/** `healthy` and `healthier`, `larger` and `largest`. */
function areOtherDegrees(x: string, y: string): boolean {
  const [first, second] = [COMPARED.exec(x)?.[0] ?? '', COMPARED.exec(y)?.[0] ?? ''];
  if (first === second || x === y) return false;
  const roots = (word: string): string[] => [word, word.replace(COMPARED, ''), word.replace(COMPARED, 'e'), word.replace(/i(?:er|est)$/, 'y'), word.replace(/(.)\1(?:er|est)$/, '$1')];
  return roots(x).some((root) => root.length >= MIN_ROOT_CHARS && roots(y).includes(root));
}
const COMPARED = /(?:er|est)$/;
const MIN_ROOT_CHARS = 3;

function nameVeto({ leftOfA, leftOfB }: Alignment): string | null {
  const names = (left: readonly Token[]): string[] => left.filter((token) => token.name && token.kind === 'content').map((token) => token.text);
  const onlyA = names(leftOfA);
  const onlyB = names(leftOfB);
  return onlyA.length + onlyB.length > 0 ? differs('differs in name', onlyA, onlyB) : null;
}

const isThird = (person: string): boolean => THIRD_PERSON.has(person) && !SOMEBODY.has(person);

function personVeto(a: Analysis, b: Analysis, alignment: Alignment): string | null {
  const [thirdOfA, thirdOfB] = difference(a.persons.filter(isThird), b.persons.filter(isThird));
  if (thirdOfA.length + thirdOfB.length > 0) return differs('about someone else', thirdOfA, thirdOfB);
  const mine = ({ owners }: Analysis): boolean => owners.includes('my');
  const yours = ({ owners }: Analysis): boolean => owners.includes('your');
  if ((mine(a) && yours(b) && !mine(b)) || (mine(b) && yours(a) && !mine(a))) return 'about someone else: my / your';
  const [personsOfA, personsOfB] = difference(a.persons, b.persons);
  const everythingElseSame = alignment.leftOfA.length + alignment.leftOfB.length === 0;
  if (everythingElseSame && personsOfA.length > 0 && personsOfB.length > 0) return differs('about someone else', personsOfA, personsOfB);
  // The same persons in another order: who does it, and to whom.
  const swapped = personsOfA.length + personsOfB.length === 0 && a.persons.join() !== b.persons.join();
  return swapped ? differs('about someone else', [a.persons.join(' … ')], [b.persons.join(' … ')]) : null;
}

/** "My husband's package" is not "my package", and what visitors may is not what I may. */
function somebodyVeto(a: Analysis, b: Analysis, { leftOfA, leftOfB }: Alignment, lexicon: Lexicon): string | null {
  const people = (left: readonly Token[]): Token[] => left.filter((token) => token.kind === 'content' && lexicon.isPerson(token.key));
  const [onlyA, onlyB] = [people(leftOfA), people(leftOfB)];
  const strangers = [...onlyA, ...onlyB];
  if (strangers.length === 0 || (onlyA.length > 0 && onlyB.length > 0)) return null;
  const otherSpeaks = onlyA.length > 0 ? b.ofSpeaker && !a.ofSpeaker : a.ofSpeaker && !b.ofSpeaker;
  return strangers.some((token) => token.owned) || otherSpeaks ? differs('about someone else', onlyA.map(({ text }) => text), onlyB.map(({ text }) => text)) : null;
}

function quantifierVeto(a: Analysis, b: Analysis): string | null {
  const [onlyA, onlyB] = difference(a.quantifiers, b.quantifiers);
  const contradict = QUANTIFIER_GROUPS.some((group) => onlyA.some((each) => group.has(each)) && onlyB.some((each) => group.has(each)));
  if (contradict || [...onlyA, ...onlyB].some((each) => STRONG_QUANTIFIERS.has(each))) return differs('differs in extent', onlyA, onlyB);
  const swapped = onlyA.length + onlyB.length === 0 && a.quantifiers.join() !== b.quantifiers.join();
  return swapped ? differs('differs in order', [a.quantifiers.join(' … ')], [b.quantifiers.join(' … ')]) : null;
}

function modalVeto(a: Analysis, b: Analysis): string | null {
  const modals = ({ modals: own, asks }: Analysis): string[] => [...own, ...asks].filter((each) => each === 'can' || each === 'should' || each === 'must').sort();
  const [onlyA, onlyB] = difference(modals(a), modals(b));
  if (onlyA.length > 0 && onlyB.length > 0) return differs('differs in what is asked', onlyA, onlyB);
  const [conjunctionsOfA, conjunctionsOfB] = difference(a.conjunctions, b.conjunctions);
  const chooses = [...conjunctionsOfA, ...conjunctionsOfB].includes('or');
  return chooses && conjunctionsOfA.length > 0 && conjunctionsOfB.length > 0 ? differs('differs in choice', conjunctionsOfA, conjunctionsOfB) : null;
}

/** Asks that other words can stand for: two of these differ certainly only when everything else is the same. */
const LOOSE_ASKS = new Set(['', 'what', 'how', 'can', 'want', 'give', 'show', 'define', 'price', 'exist', 'whether', 'need', 'should', 'must', 'obliged', 'how much', 'long', 'how long',
  'time', 'when', 'how many']);
/** Of which one is never the other, in alphabetical order. */
const RIVAL_ASKS = new Set(['when|where', 'time|where', 'how|where', 'how|when', 'can|when', 'how|why', 'can|why', 'when|why', 'where|why', 'who|why']);

function askVeto(a: Analysis, b: Analysis, { leftOfA, leftOfB }: Alignment): string | null {
  const [onlyA, onlyB] = difference(a.asks, b.asks);
  const [first = '', second = ''] = [onlyA[0] ?? '', onlyB[0] ?? ''].sort();
  if (onlyA.length + onlyB.length === 0 || mayStandFor(first, second, a, b)) return null;
  const everythingElseSame = leftOfA.length + leftOfB.length === 0;
  // "What … time" and a bare noun can ask anything, if other words say so.
  const sayable = !everythingElseSame && [first, second].some((ask) => ask === 'what' || ask === '');
  const loose = sayable || (LOOSE_ASKS.has(first) && LOOSE_ASKS.has(second));
  if (`${first}|${second}` === 'time|when') return null;
  const certain = RIVAL_ASKS.has(`${first}|${second}`) || !loose || (everythingElseSame && isQuestion(first) && isQuestion(second));
  return certain ? differs('asks', onlyA, onlyB) : null;
}

const isQuestion = (ask: string): boolean => /^(?:what|why|when|time|where|who|whose|how|price|long|define|meaning|exist)/.test(ask);

/** Two asks that the same answer serves, given that all else is the same. In alphabetical order. */
export function mayStandFor(first: string, second: string, a: Analysis, b: Analysis): boolean {
  const pair = `${first}|${second}`;
  if (pair === 'how|want') return !a.makes && !b.makes;
  if (pair === '|want') return true;
  if (pair === '|what') return a.tokens[0]?.kind === 'content' && !a.makes && !b.makes;
  if (pair === 'define|what') return a.tokens.length <= 3 && b.owners.length + a.owners.length === 0;
  if (pair === 'define|meaning') return true;
  return pair === '|show' || pair === '|give' || pair === 'give|show';
}

function siblingVeto({ leftOfA, leftOfB }: Alignment, lexicon: Lexicon): string | null {
  for (const x of leftOfA) {
    for (const y of leftOfB) {
      if (x.kind !== 'content' || y.kind !== 'content') continue;
      const known = SIBLINGS.has(x.key, y.key) || SIBLINGS.has(x.text, y.text);
      const related = isNoun(x, lexicon) && isNoun(y, lexicon) && lexicon.areSiblings(x.key, y.key);
      if (known || related || isOtherWord(x, y, lexicon)) return differs('kinds of the same', [x.text], [y.text]);
    }
  }
  return null;
}

/** Two words of the dictionary that differ in a letter: nobody's slip, or one that leads to another answer. */
const isOtherWord = (x: Token, y: Token, lexicon: Lexicon): boolean => !x.unknown && !y.unknown && x.text !== y.text && x.key !== y.key && (isOneSlip(x.text, y.text) || (x.text.length > 3 && x.text.slice(1) === y.text.slice(1))) && `${x.text}s` !== y.text && `${y.text}s` !== x.text && !lexicon.areRelated(x.key, y.key);

/** More words that differ are another way of putting it rather than another thing. */
const MAX_OTHER_WORDS = 3;
/** All else being the same, other nouns are other things, unless one may stand for the other: "aspirin" and "ibuprofen", not "photo" and "picture". */
function thingVeto(a: Analysis, b: Analysis, { leftOfA, leftOfB }: Alignment, lexicon: Lexicon): string | null {
  if (leftOfA.length === 0 || leftOfB.length === 0 || Math.max(leftOfA.length, leftOfB.length) > MAX_OTHER_WORDS) return null;
  // What has no part of speech is a name of something: of a product, a medicine.
  const isThing = (token: Token): boolean => token.kind === 'content' && (token.unknown || /^(?:n|$)/.test(lexicon.partsOfSpeech(token.key)));
  if (!leftOfA.every(isThing) || !leftOfB.every(isThing) || a.asks.join() !== b.asks.join()) return null;
  if (difference(a.prepositions, b.prepositions).some((only) => only.length > 0) || a.tokens.length - leftOfA.length === 0) return null;
  if (leftOfA.some((x) => leftOfB.some((y) => lexicon.areRelated(x.key, y.key) || isTypoOfEither(x, y)))) return null;
  return differs('about something else', leftOfA.map(({ text }) => text), leftOfB.map(({ text }) => text));
}

/** Perhaps one word with a slip that is too uncertain to serve: not certainly another thing either. */
const isTypoOfEither = (x: Token, y: Token): boolean => (x.unknown || y.unknown) && isOneSlip(x.text, y.text);

const isNoun = (token: Token, lexicon: Lexicon): boolean => lexicon.partsOfSpeech(token.key).includes('n');

const isRestriction = (governor: string): boolean => governor === 'if' || governor === 'while';

/** All else being the same, a phrase behind a preposition narrows what is asked: "for seniors", "in Norway". */
function scopeVeto(a: Analysis, b: Analysis, { leftOfA, leftOfB, partners }: Alignment): string | null {
  const all = [...leftOfA, ...leftOfB];
  if (all.length === 0 || !all.every((token) => token.governor !== '' && token.kind === 'content') || partners.every((partner) => partner < 0)) return null;
  // Behind prepositions that both have it is another word, not one more restriction.
  if (difference(a.prepositions, b.prepositions).every((only) => only.length === 0) && !all.some((token) => isRestriction(token.governor))) return null;
  const phrase = (left: readonly Token[]): string[] => left.map((token) => `${token.preposition} ${token.text}`);
  return differs('differs in scope', phrase(leftOfA), phrase(leftOfB));
}

/** All else being the same, one more word makes it another request: "my expired licence", "a file permanently". A word that is in no dictionary may be a slip. */
function additionVeto(a: Analysis, b: Analysis, { leftOfA, leftOfB, partners }: Alignment): string | null {
  const all = [...leftOfA, ...leftOfB];
  if (all.length === 0 || (leftOfA.length > 0 && leftOfB.length > 0) || a.asks.join() !== b.asks.join() || partners.every((partner) => partner < 0)) return null;
  if (all.some(({ key, unknown }) => unknown || EMPTY_ADDITIONS.has(key))) return null;
  const [onlyA, onlyB] = difference(a.prepositions, b.prepositions);
  if ((leftOfA.length > 0 ? onlyB : onlyA).some((each) => each !== 'of')) return null;
  return differs('differs in scope', leftOfA.map(({ text }) => text), leftOfB.map(({ text }) => text));
}
