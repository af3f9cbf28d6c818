import { normaliseText } from '@deja/cache-key';
import type { Placing } from './placing.ts';
import { writtenOf, type Written } from './written.ts';

export type TokenKind = 'content' | 'number' | 'calendar' | 'unit' | 'symbol' | 'particle';

/** What carries the matter of a text. */
export interface Token {
  kind: TokenKind;
  /** In lower case, as written. */
  text: string;
  /** By what it is compared: the base form of a word, the canonical form of a number or unit. */
  key: string;
  /** Written or known as a name. */
  name: boolean;
  /** In no dictionary. */
  unknown: boolean;
  /** In a form of the past: `cancelled`. */
  past: boolean;
  /** The preposition it stands behind: `paris` in "flights to Paris tomorrow" has `to`; empty for none. */
  governor: string;
  /** The same preposition as written, for people: governors are classes (`for` counts as `of`). */
  preposition: string;
  /** Follows the token before it directly: `account` in "business account". */
  adjacent: boolean;
  /** Behind an article or a possessive: a noun. */
  determined: boolean;
  /** The article of its phrase, `own` for a possessive: "the opening hours" gives `the` to both words; empty for none. */
  article: '' | 'the' | 'a' | 'own';
  /** What a form of `be` before it makes of it: "is being paid", "is paying", "is happy"; empty without one. */
  voice: '' | 'passive' | 'progressive' | 'copular';
  /** Somebody's: behind `my`, `your` and their like, or with an 's. */
  owned: boolean;
  /** With an 's: somebody's or something's. */
  possessive: boolean;
  /** Joined to the token before it by `and`, `or` or `versus`, directly. */
  joined: boolean;
}

/** All that the verdict needs to know of one text. Made once for an entry and kept. */
export interface Analysis {
  text: string;
  /** The text as the exact cache compares it. */
  normal: string;
  /** Why only the same text may be the same as this one: not English, code, look-alike letters; null for English prose. */
  literal: string | null;
  asks: string[];
  tokens: Token[];
  prepositions: string[];
  quantifiers: string[];
  modals: string[];
  /** For each negation what it stands before: `not charge`. */
  negations: string[];
  /** `i`, `you` and third persons in order. */
  persons: string[];
  /** Whose: `my`, `your`, `their`, …. */
  owners: string[];
  /** What each quantifier stands before: `only member`. */
  scopes: string[];
  /** What each possessive stands before: `my order`. */
  belongings: string[];
  /** For `i`, `you` and `it` in order: `doer` or `done to`. */
  parts: string[];
  /** The same for third persons whose form says it: `he`, `him`. */
  partsOfOthers: string[];
  /** How many things are spoken of as any: `a`, `an`. */
  indefinite: number;
  conjunctions: string[];
  past: boolean;
  /** Speaks of `I` or `my`. */
  ofSpeaker: boolean;
  /** The words themselves are the matter (spelling, meaning, translation, a quotation). */
  mentions: boolean;
  /** Every letter of its words is the matter: how they are spelled, pronounced, translated, or a quotation. */
  spelled: boolean;
  /** Holds a quotation. */
  quotes: boolean;
  /** Asks for something to be written or made. */
  makes: boolean;
  /** What its signs, commas and capitals say. */
  written: Written;
  /** Where its little words stand; null when it is not read as prose. */
  placing: Placing | null;
}

/** Of a text of which nothing is read yet. */
export const emptyAnalysis = (text: string): Analysis => ({
  text, normal: normaliseText(text), literal: null, asks: [], tokens: [], prepositions: [], quantifiers: [], modals: [], negations: [], persons: [], owners: [], scopes: [], belongings: [], parts: [], partsOfOthers: [], indefinite: 0, conjunctions: [], past: false, ofSpeaker: false,
  mentions: false, spelled: false, quotes: false, makes: false, written: writtenOf(text), placing: null,
});
