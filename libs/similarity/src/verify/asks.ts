import { CALENDAR } from './calendar.ts';
import { ALIASES, CLOSINGS, GREETINGS, HOW_CLOSINGS, KNOWING_LEADS, LEADS, NOTICE_LEADS, OPENINGS, QUESTION_LEADS } from './phrases.ts';
import { PhraseTree } from './phrase-tree.ts';
import type { Word } from './read-words.ts';
import { FIRST_PERSON, MODALS, MY, PREPOSITIONS, QUESTIONS, YOUR } from './word-lists.ts';

const marked = (phrases: readonly string[]): [string, true][] => phrases.map((phrase) => [phrase, true]);
const greetings = new PhraseTree(marked(GREETINGS));
const closings = new PhraseTree(marked(CLOSINGS));
const howClosings = new PhraseTree(marked(HOW_CLOSINGS));
/** In front of what a phrase leads up to a question. */
type Lead = 'question' | 'notice' | 'definite' | 'anything';
const leads = new PhraseTree<Lead>([
  ...LEADS.map((phrase): [string, Lead] => [phrase, 'definite']),
  ...QUESTION_LEADS.map((phrase): [string, Lead] => [phrase, 'question']),
  ...NOTICE_LEADS.map((phrase): [string, Lead] => [phrase, 'notice']),
  ...KNOWING_LEADS.map((phrase): [string, Lead] => [phrase, 'anything']),
]);
const openings = new PhraseTree(OPENINGS);
const aliases = new PhraseTree(ALIASES);
const MAX_CLOSING_WORDS = 7;

/** As the first word these are a greeting only in front of a comma. */
const NEEDS_COMMA = new Set('right now well also question yes and but oh'.split(' '));
/** Never anything but a greeting, unless a thing is made of it: "hello world", "hi in French". */
const ONLY_GREETINGS = new Set('hi hello hey hiya howdy ok okay so um uh hmm please kindly basically actually honestly btw wondering yo'.split(' '));
const MENTIONED_BEHIND = new Set('in to for from on of world kitty card cards note notes message messages letter letters image images gif'.split(' '));
const AUXILIARIES = new Set('is are was were do does did can could will would should has have had must may might am'.split(' '));
const LEADING_PREPOSITIONS = new Set('in on at for from with before after during until by if when while within since without as under'.split(' '));
const DEFINITE = new Set(['the', 'about', 'if', 'whether', 'how', ...MY, ...YOUR]);

/** A clause that begins with one of these asks whether. */
const WHETHER = new Set('is are was were do does did am has'.split(' '));
/** "How much" and its like ask for something else than "how". */
const MEASURES = new Set('well much many long often far old big tall large fast late early soon high deep heavy wide hot cold expensive'.split(' '));

export interface Asked {
  /** In order: what each clause asks of the answerer; empty for a bare statement, noun or command. */
  asks: string[];
  /** The matter: words without politeness, openings and closings, aliases put in one spelling. */
  words: Word[];
}

/** Takes apart what is asked and how politely, and leaves the matter. */
export function readAsks(all: readonly Word[]): Asked {
  const { words: open, how } = withoutClosings(withoutGreetings(all));
  const words = withLeadingClauseLast(open);
  const asks: string[] = [];
  const rest: Word[] = [];
  for (let i = 0; i < words.length;) {
    const word = words[i];
    if (word === undefined) break;
    if (word.opensClause || i === 0) {
      const opening = openingAt(words, i);
      if (opening !== null && (i + opening.length < words.length)) {
        if (opening.ask !== '') asks.push(opening.ask);
        i += opening.length;
        continue;
      }
    }
    if (word.opensClause && WHETHER.has(word.text)) asks.push('whether');
    const measure = word.text === 'how' ? words[i + 1]?.text ?? '' : '';
    if (MEASURES.has(measure)) asks.push(`how ${measure}`);
    else if (QUESTIONS.has(word.text)) asks.push(word.text);
    else rest.push(word);
    i += MEASURES.has(measure) ? 2 : 1;
  }
  const asked = how && asks.every((ask) => ask === 'want') ? ['how'] : asks;
  return { asks: tidied(asked), words: withAliases(rest) };
}

/** `what` and `which` ask the same; "could you" asks nothing that the command would not. */
function tidied(asks: readonly string[]): string[] {
  return asks.map((ask) => SAME_ASKS.get(ask) ?? ask).filter((ask) => ask !== 'do');
}
const SAME_ASKS = new Map([['which', 'what'], ['whom', 'who'], ['how high', 'how tall'], ['how large', 'how big']]);

/** Puts the words of an alias in its place. */
function withAliases(words: readonly Word[]): Word[] {
  const out: Word[] = [];
  for (let i = 0; i < words.length;) {
    const word = words[i];
    if (word === undefined) break;
    const alias = aliases.longestAt(words, i);
    if (alias === null) { out.push(word); i++; continue; }
    for (const text of alias.value) out.push({ text, capital: false, opensClause: word.opensClause, opensSentence: word.opensSentence, possessive: false });
    i += alias.length;
  }
  return out;
}

function withoutGreetings(words: readonly Word[]): readonly Word[] {
  let start = 0;
  for (;;) {
    const greeting = greetings.longestAt(words, start);
    if (greeting === null || start + greeting.length >= words.length || !isGreetingAt(words, start, start + greeting.length)) return start === 0 ? words : reopened(words.slice(start));
    if (openings.longestAt(words, start) !== null && (openings.longestAt(words, start)?.length ?? 0) > greeting.length) return reopened(words.slice(start));
    start += greeting.length;
  }
}

/** "Good morning, …" and "good morning what is …" greet; "good morning messages", "thank you in Japanese" are about it. */
function isGreetingAt(words: readonly Word[], start: number, end: number): boolean {
  const next = words[end];
  if (next === undefined) return false;
  if (next.opensClause) return true;
  const first = words[start]?.text ?? '';
  if (end - start === 1 && NEEDS_COMMA.has(first)) return false;
  const begins = QUESTIONS.has(next.text) || beginsMainClause(next.text) || isConditional(next.text) || openings.longestAt(words, end) !== null || leads.longestAt(words, end) !== null || greetings.longestAt(words, end) !== null;
  return begins || (ONLY_GREETINGS.has(first) && !MENTIONED_BEHIND.has(next.text));
}

function withoutClosings(words: readonly Word[]): { words: readonly Word[]; how: boolean } {
  let rest = words;
  let how = false;
  for (;;) {
    const howLength = howClosings.longestAtEnd(rest, MAX_CLOSING_WORDS);
    const length = howLength > 0 ? howLength : closings.longestAtEnd(rest, MAX_CLOSING_WORDS);
    // What is polite behind "please" or a sentence is the matter behind a verb: "ask him for help".
    if (length === 0 || length >= rest.length || !isApart(rest, rest.length - length)) return { words: rest, how };
    how ||= howLength > 0;
    rest = rest.slice(0, rest.length - length);
  }
}

const ALWAYS_APART = new Set('please thanks thank kindly in cheers if or by'.split(' '));
/** Behind these, what is polite is itself the matter: "how do I say thank you". */
const SAYING = new Set('say saying says said write writing spell word words of to or and than a with'.split(' '));
const isApart = (words: readonly Word[], at: number): boolean => words[at]?.opensClause === true || (ALWAYS_APART.has(words[at]?.text ?? '') && !SAYING.has(words[at - 1]?.text ?? ''));

const reopened = (words: readonly Word[]): Word[] => words.map((word, i) => (i === 0 ? { ...word, opensClause: true, opensSentence: true } : word));

/** The opening of the clause at word `i`, with the phrases that lead up to it; null when it has none. */
function openingAt(words: readonly Word[], i: number): { ask: string; length: number } | null {
  let length = 0;
  let ask: string | null = null;
  for (;;) {
    const opening = openings.longestAt(words, i + length);
    const leadsUp = ask === 'do' || ask === 'want';
    const lead = ask === null || leadsUp ? leads.longestAt(words, i + length) : null;
    if (lead !== null && lead.length >= (opening?.length ?? 0) && leadsOn(lead.value, words, i + length + lead.length)) {
      length += lead.length;
      ask = asksItself(words, i + length) ? '' : 'what';
      if (isConditional(words[i + length]?.text) && openings.longestAt(words, i + length) === null) { length++; ask = 'whether'; }
      continue;
    }
    const [next = ''] = opening?.value ?? [];
    const mayFollow = ask === null || ask === '' || ask === 'what' || (leadsUp && next !== 'when');
    if (opening === null || !mayFollow || !fits(next, words, i + length + opening.length, words[i + length + opening.length - 1]?.text ?? '')) return ask === null ? null : { ask, length };
    length += opening.length;
    ask = next;
  }
}

const isConditional = (word: string | undefined): boolean => word === 'if' || word === 'whether';
const NOTICED = new Set(['when', 'if', 'whether', 'once']);
/** A question follows, so that what led up to it adds nothing. */
const asksItself = (words: readonly Word[], i: number): boolean => QUESTIONS.has(words[i]?.text ?? '') || isConditional(words[i]?.text) || openings.longestAt(words, i) !== null;
/** Behind "tell me" follows a question or a definite thing, not "a joke". */
function leadsOn(lead: Lead, words: readonly Word[], i: number): boolean {
  const text = words[i]?.text ?? '';
  // "Tell me if it rains" asks to be told once it does; "tell me if it is raining" asks whether.
  if (words[i - 2]?.text === 'tell' && (i === 2 || words[i - 3]?.text === 'please') && isConditional(text) && !words.slice(i).some((word) => AUXILIARIES.has(word.text))) return false;
  // "List the benefits" asks what they are; "list my files" and "list the king" do something else.
  if (words[i - 1]?.text === 'list') return text === 'the' && /[^s]s$/.test(words[i + 1]?.text ?? '');
  if (asksItself(words, i)) return lead !== 'notice' || !NOTICED.has(text);
  return lead === 'anything' || (lead === 'definite' && DEFINITE.has(text));
}
/** `last`: the last word of the opening. "I want you …" is not "I want …", "do you have to" asks for no thing; "can you" needs its verb. */
function fits(ask: string, words: readonly Word[], next: number, last: string): boolean {
  const text = words[next]?.text;
  if (text === undefined) return false;
  // "Can I see my invoices" asks to be shown them, "can I see a doctor" does not.
  if (ask === 'show' && (last === 'see' || last === 'view')) return MY.has(text) || YOUR.has(text) || text === 'all' || QUESTIONS.has(text);
  // "The number of planets" is how many there are, "the number of the bank" is not.
  if (ask === 'how many' && last === 'of') return /[^s]s$|^(?:people|children|women|men)$/.test(text) && words[next]?.possessive === false;
  if (ask === 'exist') return text !== 'to';
  if (ask === 'want' || ask === 'do' || ask === 'how') return text !== 'not' && text !== 'you';
  return true;
}

/** "On Friday, what time …" and "If I am late, can I …" become what people say as often: the question first. */
function withLeadingClauseLast(words: readonly Word[]): readonly Word[] {
  const first = words[0]?.text ?? '';
  if (!LEADING_PREPOSITIONS.has(first) && !CALENDAR.has(first)) return words;
  const comma = words.findIndex((word, i) => i > 0 && word.opensClause);
  const day = CALENDAR.has(first) ? 1 : PREPOSITIONS.has(first) && CALENDAR.has(words[1]?.text ?? '') ? 2 : 0;
  const split = comma > 0 && words[comma]?.opensSentence !== true ? comma : day;
  const next = words[split];
  if (split === 0 || next === undefined || !beginsMainClause(next.text)) return words;
  if (words.slice(split + 1).some((word) => word.opensSentence)) return words;
  return reopened([...words.slice(split), ...words.slice(0, split).map((word) => ({ ...word, opensClause: false, opensSentence: false }))]);
}

const beginsMainClause = (text: string): boolean => QUESTIONS.has(text) || AUXILIARIES.has(text) || MODALS.has(text) || FIRST_PERSON.has(text) || text === 'please';
