import type { Analysis, Token } from './analysis.ts';
import type { Lexicon } from './lexicon.ts';
import { isTypo } from './typo.ts';
import { SPELLINGS, SYNONYMS, SYNONYMS_BESIDE } from './word-lists.ts';

/** Which token of one text stands for which of the other. */
export interface Alignment {
  /** Index of the partner in the other text, −1 for none; one entry a token of a. */
  partners: Int16Array;
  /** Tokens without a partner. */
  leftOfA: Token[];
  leftOfB: Token[];
  /** Some partners are synonyms, not the same word. */
  synonyms: [string, string][];
  /** Partners of which one is in a form of the past. */
  tenses: [string, string][];
  /** For the keys of a whose partner has another: the partner's. */
  renamed: Map<string, string>;
}

/** Of two texts that differ in more words nothing need be explained. */
export const MAX_EXPLAINED = 16;

/**
 * Pairs every token with its equal in the other text, then what is left with another spelling, a typing error, a word written apart,
 * or a synonym. Where the words themselves are the matter only equals are paired.
 */
export function align(a: Analysis, b: Analysis, lexicon: Lexicon): Alignment {
  const partners = new Int16Array(a.tokens.length).fill(-1);
  const taken = new Uint8Array(b.tokens.length);
  const alignment: Alignment = { partners, leftOfA: [], leftOfB: [], synonyms: [], tenses: [], renamed: new Map() };
  const pair = (i: number, j: number): void => { partners[i] = j; taken[j] = 1; };
  const rename = (i: number, j: number): void => { pair(i, j); alignment.renamed.set(a.tokens[i]?.key ?? '', b.tokens[j]?.key ?? ''); };
  pairEquals(a.tokens, b.tokens, partners, taken, true);
  pairEquals(a.tokens, b.tokens, partners, taken, false);
  for (const [i, x] of a.tokens.entries()) {
    const key = b.tokens[partners[i] ?? -1]?.key;
    if (key !== undefined && key !== x.key) alignment.renamed.set(x.key, key);
  }
  const merged = new Set<Token>();
  const unpaired = a.tokens.length - partners.reduce((sum, partner) => sum + (partner < 0 ? 0 : 1), 0);
  const unpairedOfB = unpaired + b.tokens.length - a.tokens.length;
  if (!a.spelled && !b.spelled && unpaired > 0 && unpairedOfB > 0 && Math.min(unpaired, unpairedOfB) <= MAX_EXPLAINED) {
    const beside = new Set(a.tokens.flatMap(({ key, text }, i) => (partners[i] === -1 ? [] : [key, text])));
    const areSynonyms = (x: Token, y: Token): boolean => !a.mentions && !b.mentions && isSynonym(x, y, beside, lexicon);
    for (const explains of [isSpelling, (x: Token, y: Token) => isTypo(x, y, lexicon), areSynonyms]) {
      for (const [i, x] of a.tokens.entries()) {
        if (partners[i] !== -1 || x.kind !== 'content') continue; // nothing explains but content by content
        const j = b.tokens.findIndex((y, at) => taken[at] === 0 && explains(x, y));
        const y = b.tokens[j];
        if (y === undefined) continue;
        rename(i, j);
        if (areSynonyms(x, y)) alignment.synonyms.push([x.text, y.text]);
      }
    }
    pairWrittenApart(lexicon, a.tokens, b.tokens, (i) => partners[i] === -1, (j) => taken[j] === 0, rename, merged);
    pairWrittenApart(lexicon, b.tokens, a.tokens, (j) => taken[j] === 0, (i) => partners[i] === -1, (j, i) => { rename(i, j); }, merged);
  }
  for (const [i, x] of a.tokens.entries()) {
    const y = b.tokens[partners[i] ?? -1];
    if (y === undefined) { if (!merged.has(x)) alignment.leftOfA.push(x); } else if (x.past !== y.past && x.key === y.key) alignment.tenses.push([x.text, y.text]);
  }
  alignment.leftOfB = b.tokens.filter((y, j) => taken[j] === 0 && !merged.has(y));
  return alignment;
}

/** In order; first those behind the same preposition. */
function pairEquals(a: readonly Token[], b: readonly Token[], partners: Int16Array, taken: Uint8Array, sameGovernor: boolean): void {
  for (const [i, x] of a.entries()) {
    if (partners[i] !== -1) continue;
    // A plain loop: of all comparing, this is done most.
    for (let j = 0; j < b.length; j++) {
      const y = b[j] as Token;
      if (taken[j] !== 0 || (x.key !== y.key && x.text !== y.text) || x.kind !== y.kind || (sameGovernor && x.governor !== y.governor)) continue;
      partners[i] = j;
      taken[j] = 1;
      break;
    }
  }
}

const bothContent = (x: Token, y: Token): boolean => x.kind === 'content' && y.kind === 'content';

function isSpelling(x: Token, y: Token): boolean {
  if (!bothContent(x, y)) return false;
  return SPELLINGS.has(x.text, y.text) || SPELLINGS.has(x.key, y.key) || (x.key.length > 4 && beginsAlike(x.key, y.key) && american(x.key) === american(y.key));
}

/** What American spelling leaves as it is. */
const beginsAlike = (a: string, b: string): boolean => a.charCodeAt(0) === b.charCodeAt(0) && a.charCodeAt(1) === b.charCodeAt(1);

/** The regular differences between British and American spelling. */
const american = (word: string): string => word.replace(/(?<=.{3})is(?=(?:e|ed|es|ing|ation)$)/, 'iz').replace(/(?<=.{3})yse(?=[drs]?$)/, 'yze').replace(/(?<=.{2})our(?=$|ed$|ing$|ful$|ite$|able$)/, 'or');

/** `beside`: the words that both texts have. With none, nothing says which sense is meant. */
function isSynonym(x: Token, y: Token, beside: ReadonlySet<string>, lexicon: Lexicon): boolean {
  if (!bothContent(x, y) || x.name || y.name || beside.size === 0) return false;
  const needed = SYNONYMS_BESIDE.get(x.key, y.key);
  if (needed !== undefined) return [...needed.words].some((word) => beside.has(word)) !== needed.not;
  if (SYNONYMS.has(x.key, y.key) || SYNONYMS.has(x.text, y.text)) return true;
  return x.key.length > 2 && y.key.length > 2 && lexicon.areSynonyms(x.key, y.key);
}

/** `screen shot` for `screenshot`: two neighbours of one text make the word of the other. Not `green house` and `greenhouse`, `re-sign` and `resign`. */
function pairWrittenApart(lexicon: Lexicon, whole: readonly Token[], parts: readonly Token[], isFreeWhole: (i: number) => boolean, isFreePart: (j: number) => boolean, pair: (i: number, j: number) => void, merged: Set<Token>): void {
  for (const [i, x] of whole.entries()) {
    if (!isFreeWhole(i) || x.kind !== 'content') continue;
    for (let j = 0; j + 1 < parts.length; j++) {
      const first = parts[j];
      const second = parts[j + 1];
      if (first === undefined || second === undefined || first.text === 're' || lexicon.partsOfSpeech(first.text).startsWith('a') || !isFreePart(j) || !isFreePart(j + 1) || !second.adjacent) continue;
      if (x.text !== first.text + second.text && x.key !== first.text + second.key) continue;
      pair(i, j);
      merged.add(second);
      break;
    }
  }
}
