/** A kind of wording that makes a prompt's meaning depend on more than its words, and how it is recognised. */
interface Wording {
  readonly reason: 'code' | 'time' | 'place' | 'person' | 'anaphoric';
  readonly pattern: RegExp;
  /** In a procedural question it says nothing of the person ("How do I reset my password?"). */
  readonly inProcedure?: boolean;
}

/** Any of these words or phrases, whole. */
export const words = (list: string): RegExp => new RegExp(`(?<![\\p{L}\\p{N}'_-])(?:${list.trim().split(/\s*\|\s*/).join('|')})(?![\\p{L}\\p{N}_])`, 'iu');

/** Fences, markup, calls, operators, braces with assignments, SQL, paths, addresses, identifiers, hashes. */
const CODE = new RegExp(
  [
    '`',
    '</?[a-z][^>]*>',
    '[a-z_]\\w{0,64}\\([^)]{0,200}\\)',
    '(?:[=!<>]=|=>|->|&&|\\|\\||::|\\+=|-=|<<|>>|(?<!\\S)[<>=|](?!\\S))',
    '[{}]|;\\s*(?:\\n|$)|\\[\\s*["\'\\d]',
    '\\b(?:select\\s.{1,200}?\\sfrom|insert\\s+into|update\\s+\\w+\\s+set|delete\\s+from|create\\s+table)\\b',
    '\\b[a-z][a-z+.-]*://|\\bwww\\.|[\\w.+-]{1,64}@[\\w-]+\\.\\w',
    '(?<!\\S)(?:~|\\.{1,2})?/[\\w.-]+|\\b[a-z]:\\\\|\\w/\\w+[/.]\\w',
    '(?<!\\S)--?[a-z][\\w-]*|\\$\\w',
    '\\b[a-z]\\w*_\\w+\\b|\\b[0-9a-f]{12,}\\b',
  ].join('|'),
  'iu',
);
/** camelCase and dotted calls, where case matters. */
const IDENTIFIER = /\b[a-z]+[A-Z]\w*\b(?<!\biP\w+)|\b\w+\.\w+\(/u;

const ANAPHORIC = /^\W*(?:(?:and|but|or|also|then|so|now|ok|okay|yes|no|yeah|it|its|it's|that|that's|those|these|this|they|them|he|she|him|her|his|their|same|again|continue|more|another|instead|otherwise|neither|both|which one|what about|how about|why not|what else|anything else|the (?:first|second|third|last|next|previous|other|former|latter|same|above)(?: one)?)(?![\p{L}\p{N}'])|(?:go on|keep going|try again)\b)/iu;

const TIME = words(`
  today|today's|tonight|tomorrow|yesterday|now|nowadays|current|currently|latest|newest|recent|recently|lately|upcoming|ago|so far|
  at the moment|at present|up to date|as of|just (?:now|happened|announced|released)|breaking|news|
  (?:this|last|next|past|previous|coming) (?:second|minute|hour|morning|afternoon|evening|night|day|week|weekend|month|quarter|year|season|decade|monday|tuesday|wednesday|thursday|friday|saturday|sunday)s?|
  what (?:time|day|date|year) is it|the (?:time|date)|still|yet|weather|forecast`);

const PLACE = words(`here|nearby|near me|around me|near us|closest|nearest|close by|local|locally|in my area|this (?:city|town|country|place|area|region|address)|where am i`);

const PERSON = words(`
  my|mine|myself|our|ours|ourselves|am i|was i|did i|have i|had i|i am|i'm|im|i was|i have|i've|i had|i'd|i will|i'll|i want|i need|i live|i work|i bought|i ordered|i paid|i got|i feel|
  about me|for me|we are|we're|we have|we've|we were|we will|we'll|for us|about us|your|yours|yourself`);

/** What was said before, and who answers: a way to do something is never meant by these. */
const TALK = words(`know me|remember me|who are you|you said|you told|you mentioned|earlier|above|previously`);

/** In this order: the first that matches is the reason. */
export const WORDINGS: readonly Wording[] = [
  { reason: 'code', pattern: CODE },
  { reason: 'code', pattern: IDENTIFIER },
  { reason: 'anaphoric', pattern: ANAPHORIC },
  { reason: 'time', pattern: TIME },
  { reason: 'place', pattern: PLACE },
  { reason: 'person', pattern: TALK },
  { reason: 'person', pattern: PERSON, inProcedure: true },
];
