import type { Alignment } from './alignment.ts';
import type { Analysis, Token } from './analysis.ts';
import type { Lexicon } from './lexicon.ts';
import { difference, differs } from './vetoes.ts';
import { LETTERS, PLURALS_OF_THEIR_OWN } from './word-lists.ts';

/** A difference between two texts that use the same words: certain enough to refuse, or left open. */
export interface Disagreement { certain: boolean; explanation: string }

interface Context { a: Analysis; b: Analysis; alignment: Alignment; orderAgrees: boolean; lexicon: Lexicon }
interface Pair { x: Token; y: Token; /** Both stand in the first phrase of their text: what is asked about. */ first: boolean; /** Where both stand, when it is the same place; −1 otherwise. */ at: number; /** Another word follows both directly. */ compound: boolean; /** Each stands behind a noun, where a verb may stand. */ doing: boolean }

/**
 * What the forms of the same words say: who does it and to whom, now or in general, one or several, the one or any, and what `only` and `my` belong to.
 * Null when they agree. The same whichever text comes first.
 */
export function disagreement(a: Analysis, b: Analysis, alignment: Alignment, orderAgrees: boolean, lexicon: Lexicon): Disagreement | null {
  const context: Context = { a, b, alignment, orderAgrees, lexicon };
  const [lengthOfA, lengthOfB] = [firstPhraseLength(a.tokens), firstPhraseLength(b.tokens)];
  const found: Disagreement[] = [];
  const isFollowed = (tokens: readonly Token[], i: number): boolean => tokens[i + 1]?.adjacent === true;
  for (const [i, x] of a.tokens.entries()) {
    const j = alignment.partners[i] ?? -1;
    const y = b.tokens[j];
    if (y === undefined || x.kind !== 'content' || y.kind !== 'content') continue;
    if (a.spelled && b.spelled && x.text !== y.text && x.key === y.key && !LETTERS.has(x.text) && !LETTERS.has(y.text)) found.push({ certain: true, explanation: between('differs in form', x.text, y.text) });
    const pair: Pair = { x, y, first: i < lengthOfA && j < lengthOfB, at: i === j ? i : -1, compound: isFollowed(a.tokens, i) && isFollowed(b.tokens, j), doing: mayBeVerb(a.tokens, i, lexicon) && mayBeVerb(b.tokens, j, lexicon) };
    for (const check of [voice, gerund, grammaticalNumber, definiteness, preposition, possession]) {
      const each = check(pair, context);
      if (each !== null) found.push(each);
    }
  }
  for (const check of [tense, anchors, parts, quotation]) {
    const each = check(context);
    if (each !== null) found.push(each);
  }
  return found.find(({ certain }) => certain) ?? found[0] ?? null;
}

/** How many tokens stand side by side at the front: `interest rate` in "what is the interest rate in June". */
function firstPhraseLength(tokens: readonly Token[]): number {
  const end = tokens.findIndex((token, i) => i > 0 && !(token.adjacent && token.governor === ''));
  return end < 0 ? tokens.length : end;
}

const mayBeVerb = (tokens: readonly Token[], i: number, lexicon: Lexicon): boolean => tokens[i]?.determined === false && i > 0 && !lexicon.partsOfSpeech(tokens[i - 1]?.key ?? '').startsWith('a');

const between = (what: string, x: string, y: string): string => differs(what, [x], [y]);
const everyAsk = ({ a, b }: Context, asks: ReadonlySet<string>): boolean => [a, b].every((each) => asks.has(each.asks[0] ?? ''));
const someAsk = ({ a, b }: Context, asks: ReadonlySet<string>): boolean => [a, b].some((each) => asks.has(each.asks[0] ?? ''));

/** These ask for something to be done, or how: about any thing of a kind. */
const DOING_ASKS = new Set(['how', 'want', 'do', 'why', 'obliged', 'can', 'must', 'should', 'give', 'show', 'need', '']);
const WHETHER_ASKS = new Set(['whether']);
const VERB_ASKS = new Set(['how', 'can', 'want', 'do', 'must', 'should', 'obliged']);
const IDENTITY_ASKS = new Set(['what', 'define', 'meaning', 'who', 'where']);
const WHAT_ASKS = new Set(['what', 'define', 'meaning']);
const PERSON_OR_DAY = new Set(['who', 'when']);
const AGENT_ASKS = new Set(['who', 'what']);
/** Of these asks one thing and several are two requests: "may I bring a guest". */
const COUNTING_ASKS = new Set(['can', 'must', 'should', 'give', 'show', 'do', 'need', '']);

/** "Can I be charged" and "can I charge"; "is it raining" and "does it rain". What is turned round as well ("is it accepted", "do you accept it") is open. */
function voice({ x, y }: Pair, context: Context): Disagreement | null {
  if (x.key !== y.key || x.voice === y.voice) return null;
  const [active, other] = x.voice === 'passive' ? [y, x] : [x, y];
  const explanation = between('differs in who does it', x.text, y.text);
  if (other.voice === 'passive') {
    if (active.voice === 'copular') return null;
    const describes = active.past && (active.determined || active.governor !== '');
    return { certain: context.orderAgrees && !describes, explanation };
  }
  if (x.text === y.text || (x.voice !== 'progressive' && y.voice !== 'progressive')) return null;
  return { certain: everyAsk(context, WHETHER_ASKS), explanation: between('differs in tense', x.text, y.text) };
}

/** Is a word in -ing a thing of its own, and not what the verb does: `booking` / `book`, `training` / `train`? */
function gerund({ x, y, at }: Pair, context: Context): Disagreement | null {
  const [isX, isY] = [isGerund(x), isGerund(y)];
  if (x.key !== y.key || isX === isY || x.voice === 'progressive' || y.voice === 'progressive') return null;
  if (at === 0 && everyAsk(context, VERB_ASKS)) return null;
  // To stop smoking is not to stop to smoke.
  if ([context.a, context.b].every(({ tokens }) => tokens.some(({ key }) => TURNED_BY_FORM.has(key)))) return { certain: true, explanation: between('differs in form', x.text, y.text) };
  if (!context.lexicon.partsOfSpeech(isX ? x.text : y.text).includes('n')) return null;
  const isNamed = someAsk(context, WHAT_ASKS) && context.a.tokens.length < 3 && context.b.tokens.length < 3;
  return { certain: isNamed || x.article !== '' || y.article !== '' || !someAsk(context, DOING_ASKS), explanation: between('differs in form', x.text, y.text) };
}

const TURNED_BY_FORM = new Set(['stop', 'forget', 'remember', 'regret', 'forgot']);
const isGerund = (token: Token): boolean => token.text !== token.key && token.text.endsWith('ing');

/** One or several. In general they are the same ("what is a mortgage", "what are mortgages"); of something certain they are not. */
function grammaticalNumber({ x, y, first, doing }: Pair, context: Context): Disagreement | null {
  const { lexicon } = context;
  // Of a word that is in no dictionary the plural is no known form: "a haiku", "haikus".
  if (x.key !== y.key && isRequested(x, y, context) && ((x.article === 'a' && `${x.text}s` === y.text) || (y.article === 'a' && `${y.text}s` === x.text))) return { certain: true, explanation: between('differs in number', x.text, y.text) };
  if (x.key !== y.key || x.text === y.text || x.past || y.past || isGerund(x) || isGerund(y) || !lexicon.partsOfSpeech(x.key).includes('n')) return null;
  // "How interest works", "how does interest work".
  if (doing && lexicon.partsOfSpeech(x.key).includes('v')) return null;
  const [one, several] = x.text === x.key ? [x, y] : [y, x];
  if (one.text !== one.key) return null;
  const explanation = between('differs in number', x.text, y.text);
  const articles = new Set([x.article, y.article]);
  if (PLURALS_OF_THEIR_OWN.has(several.text)) return { certain: true, explanation };
  if (lexicon.partsOfSpeech(several.text) !== '') return { certain: (one.article === 'a' && isRequested(x, y, context)) || (everyAsk(context, WHAT_ASKS) && context.a.tokens.length === 1), explanation };
  if (articles.has('the') || articles.has('own')) return { certain: isRequested(x, y, context) || isListed(x, y, context) || ((first || everyAsk(context, PERSON_OR_DAY)) && !someAsk(context, DOING_ASKS)), explanation };
  if (articles.has('a') && isRequested(x, y, context)) return { certain: true, explanation };
  if (articles.has('a') && (someAsk(context, COUNTING_ASKS) || context.a.makes || context.b.makes)) return { certain: false, explanation };
  return null;
}

/** What is to be given, named or made, not what that is about: "a joke about a cat". */
const isRequested = (x: Token, y: Token, context: Context): boolean => x.governor === '' && y.governor === '' && everyAsk(context, REQUEST_ASKS);
/** "List the kings" asks which they are, "list the king" asks nothing of the sort. */
const isListed = (x: Token, y: Token, { a, b }: Context): boolean => x.governor === '' && y.governor === '' && [a, b].some(({ tokens }) => tokens[0]?.text === 'list') && [a, b].some(({ asks }) => asks[0] === 'what');
const REQUEST_ASKS = new Set(['give', 'show', '']);

/** "What is the deposit" and "what is a deposit". */
function definiteness({ x, y, first }: Pair, context: Context): Disagreement | null {
  if (x.article === y.article || x.article === 'own' || y.article === 'own') return null;
  if (x.name || y.name) return isWhoAlone(context) && x.key === y.key ? { certain: true, explanation: differs('differs in which one', [`${x.article} ${x.text}`.trim()], [`${y.article} ${y.text}`.trim()]) } : null;
  const explanation = differs('differs in which one', [`${x.article} ${x.text}`.trim()], [`${y.article} ${y.text}`.trim()]);
  if (x.article !== '' && y.article !== '') {
    if (first && everyAsk(context, IDENTITY_ASKS)) return { certain: true, explanation };
    return someAsk(context, DOING_ASKS) && !someAsk(context, COUNTING_ASKS) ? null : { certain: false, explanation };
  }
  if (x.text !== y.text && x.article !== 'the' && y.article !== 'the') return null;
  const { a, b } = context;
  const isAll = first && [a, b].every(({ tokens }) => firstPhraseLength(tokens) === tokens.length);
  if (!isAll || !everyAsk(context, IDENTITY_ASKS)) return null;
  return { certain: a.tokens.length === 1 && (x.article === 'the' || y.article === 'the'), explanation };
}

/** "Who is the Rock" asks for another than "who is Rock". */
const isWhoAlone = ({ a, b }: Context): boolean => [a, b].every(({ asks, tokens }) => asks[0] === 'who' && tokens.length === 1);

/** In front of the same word each of these is another place or purpose, though both may be left out: "on the box", "in the box". */
const RIVAL_PREPOSITIONS = new Set(['in on', 'for of', 'into to', 'onto to']);
function preposition({ x, y }: Pair): Disagreement | null {
  return RIVAL_PREPOSITIONS.has([x.preposition, y.preposition].sort().join(' ')) ? { certain: true, explanation: between('differs in preposition', x.preposition, y.preposition) } : null;
}

/** "My manager's calendar" is not my manager; "the manager's calendar" is that of the manager, and perhaps "the managers calendar". */
function possession({ x, y, compound }: Pair, { lexicon }: Context): Disagreement | null {
  if (x.possessive === y.possessive || compound || !lexicon.isPerson(x.key)) return null;
  const other = x.possessive ? y : x;
  return other.preposition === 'of' ? null : { certain: true, explanation: differs('differs in whose', [`${x.text}${x.possessive ? "'s" : ''}`], [`${y.text}${y.possessive ? "'s" : ''}`]) };
}

const OPEN_TENSES = new Set(['why', 'how']);

/** Who is it and who was it; will it and did it. What was done is as often said to be done: "is it shipped", "was it shipped". */
function tense(context: Context): Disagreement | null {
  const { a, b, alignment: { leftOfA, leftOfB, tenses } } = context;
  if (leftOfA.length + leftOfB.length > 0 || (a.past === b.past && tenses.length === 0)) return null;
  const explanation = 'differs in tense';
  const [earlier, later] = a.past ? [a, b] : [b, a];
  if (a.past !== b.past && later.modals.includes('will') && !earlier.modals.includes('will')) return { certain: true, explanation };
  const isDone = [...a.tokens, ...b.tokens].some((token) => token.voice === 'passive');
  return { certain: !isDone && !someAsk(context, OPEN_TENSES), explanation };
}

const EXTENT = 'differs in extent';
const WHOSE = 'differs in whose';
/** "Only members" and "only tickets", "my cat" and "my baby": the same little words, before another word. */
function anchors({ a, b, alignment: { leftOfA, leftOfB, renamed } }: Context): Disagreement | null {
  if (leftOfA.length + leftOfB.length > 0) return null;
  const inB = (anchored: readonly string[]): string[] => anchored.map((each) => { const [little = '', key = ''] = each.split(' '); return `${little} ${renamed.get(key) ?? key}`; });
  for (const [what, words, ofA, ofB] of [[EXTENT, [a.quantifiers, b.quantifiers], a.scopes, b.scopes], [WHOSE, [a.owners, b.owners], a.belongings, b.belongings]] as const) {
    if (difference(words[0], words[1]).some((only) => only.length > 0)) continue;
    if (words[0].join() !== words[1].join() && new Set(words[0]).size > 1) return { certain: true, explanation: differs(what, [words[0].join(' … ')], [words[1].join(' … ')]) };
    const [onlyA, onlyB] = difference(inB(ofA), ofB);
    if (onlyA.length + onlyB.length === 0) continue;
    const keys = [...onlyA, ...onlyB].map((each) => each.split(' ')[1] ?? '');
    // "My bank account", "the account of my bank".
    return { certain: what === EXTENT || ![a, b].some(({ tokens }) => tokens.some((token, i) => token.adjacent && keys.includes(token.key) && keys.includes(tokens[i - 1]?.key ?? ''))), explanation: differs(what, onlyA, onlyB) };
  }
  return null;
}

/** "Who should I pay" and "who should pay me"; "what is it worth" and "what is worth it". */
function parts(context: Context): Disagreement | null {
  const { a, b, alignment: { leftOfA, leftOfB } } = context;
  if (leftOfA.length + leftOfB.length > 0) return null;
  const others = [a.partsOfOthers, b.partsOfOthers].map((each) => [...each].sort().join(', '));
  if (others[0] !== others[1]) return { certain: true, explanation: differs('differs in who does it', [others[0] ?? ''], [others[1] ?? '']) };
  if (!everyAsk(context, AGENT_ASKS) || a.parts.length !== b.parts.length || a.parts.join() === b.parts.join()) return null;
  return { certain: true, explanation: differs('differs in who does it', [a.parts.join(', ')], [b.parts.join(', ')]) };
}

/** The meaning of life and of "life". */
function quotation(context: Context): Disagreement | null {
  return context.a.quotes !== context.b.quotes && everyAsk(context, WHAT_ASKS) ? { certain: true, explanation: 'differs in quotation' } : null;
}
