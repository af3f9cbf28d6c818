import { ANAPHORIC } from './anaphora.ts';
import { PERSON, TALK } from './person.ts';
import { words } from './phrases.ts';
import { RANDOM } from './random.ts';
import { CONVERSION, TIME } from './time.ts';

/** A kind of wording that makes a prompt's meaning depend on more than its words, and how it is recognised. */
interface Wording {
  readonly reason: 'code' | 'anaphoric' | 'random' | 'time' | 'place' | 'person';
  readonly pattern: RegExp;
  /** What every text has in it that the pattern matches. Most texts have none of it, and looking for it takes less than the pattern does. */
  readonly sign?: RegExp;
  /** A question for a way to do something does not depend on it ("How do I reset my password?", "How do I convert euros to dollars?"). */
  readonly inProcedure?: boolean;
}

/** Fences, markup, calls, operators, braces with assignments, paths, addresses, identifiers. */
const CODE = new RegExp(
  [
    '`',
    '</?[a-z][^>]*>',
    '[a-z_]\\w{0,64}\\([^)]{0,200}\\)',
    '(?:[=!<>]=|=>|->|&&|\\|\\||::|\\+=|-=|<<|>>|(?<!\\S)[<>=|](?!\\S))',
    '[{}]|;\\s*(?:\\n|$)|\\[\\s*["\'\\d]',
    '\\b[a-z][a-z+.-]*://|[\\w.+-]{1,64}@[\\w-]+\\.\\w',
    '(?<!\\S)(?:~|\\.{1,2})?/[\\w.-]+|\\b[a-z]:\\\\|\\w/\\w+[/.]\\w',
    '\\$\\w',
    '\\b[a-z]\\w*_\\w+\\b',
  ].join('|'),
  'iu',
);
/** Each of its alternatives takes one of these. */
const CODE_SIGN = /[`<=>(&|:;{}[/\\@$_]/;

/** SQL, addresses, options and hashes: code that may do without any sign. */
const CODE_IN_LETTERS = new RegExp(
  ['\\b(?:select\\s.{1,200}?\\sfrom|insert\\s+into|update\\s+\\w+\\s+set|delete\\s+from|create\\s+table)\\b', '\\bwww\\.', '(?<!\\S)--?[a-z][\\w-]*', '\\b[0-9a-f]{12,}\\b'].join('|'),
  'iu',
);
/** camelCase and dotted calls, where case matters. */
const IDENTIFIER = /\b[a-z]+[A-Z]\w*\b(?<!\biP\w+)|\b\w+\.\w+\(/u;

const PLACE = words(`here|nearby|near me|around me|near us|closest|nearest|close by|local|locally|in my area|this (?:city|town|country|place|area|region|address)|where am i`);

/** In this order: the first that matches is the reason. */
export const WORDINGS: readonly Wording[] = [
  { reason: 'code', pattern: CODE, sign: CODE_SIGN },
  { reason: 'code', pattern: CODE_IN_LETTERS },
  { reason: 'code', pattern: IDENTIFIER },
  { reason: 'anaphoric', pattern: ANAPHORIC },
  { reason: 'random', pattern: RANDOM, inProcedure: true },
  { reason: 'time', pattern: TIME },
  { reason: 'time', pattern: CONVERSION, inProcedure: true },
  { reason: 'place', pattern: PLACE },
  { reason: 'person', pattern: TALK },
  { reason: 'person', pattern: PERSON, inProcedure: true },
];
