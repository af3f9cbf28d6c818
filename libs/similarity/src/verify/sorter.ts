import type { Analysis, Token } from './analysis.ts';
import { CALENDAR, MONTHS } from './calendar.ts';
import type { Lexicon } from './lexicon.ts';
import { readNumber, unitOf } from './numbers.ts';
import type { Word } from './read-words.ts';
import {
  ANCHORED_QUANTIFIERS, BE, FIRST_PERSON, FREE, MAKING, MODALS, MY, NEGATIONS, OBJECTS, PARTICLES, PAST_AUXILIARIES, PREPOSITIONS, QUANTIFIERS, SECOND_PERSON, SOFT_PREPOSITIONS, THIRD_PERSON,
  UNCHANGING_VERBS, VERBS_WITH_PARTICLE, YOUR,
} from './word-lists.ts';

const CONJUNCTIONS = new Set(['and', 'or', 'but', 'nor', 'versus']);
const THIRD_FORMS = new Map([['him', 'he'], ['them', 'they']]);
const INFINITIVE_AFTER = new Set('want wants need needs how way ways like love able asking trying allowed easy hard safe ready time me you going willing unable possible necessary best'.split(' '));
const CONDITIONS = new Set(['if', 'while', 'because', 'although', 'though', 'once']);
const DETERMINERS = new Set(['a', 'an', 'the', 'my', 'your', 'our', 'some', 'any']);
const POLITE = new Set(['please', 'thanks', 'kindly', 'ok', 'okay', 'oh']);
const DEGREES = new Set(['this', 'these', 'those']);
/** Asks behind which the first word is a verb in its base form: "how do I found a company". */
const VERB_ASKS = new Set(['how', 'can', 'want', 'obliged', 'should', 'must', 'do', 'long']);

/** Sorts the words of one text by what they do in it. */
export class Sorter {
  private governor = '';
  private preposition = '';
  /** `if` or its like, until the clause ends. */
  private condition = '';
  private pendingNegation = false;
  private article: Token['article'] = '';
  /** A form of `be` stands before, without its verb yet. */
  private copula = false;
  private readonly openScopes: string[] = [];
  private readonly openOwners: string[] = [];
  private sinceToken: 'nothing' | 'join' | 'words' = 'words';
  private readonly analysis: Analysis;
  private readonly words: readonly Word[];
  private readonly lexicon: Lexicon;

  constructor(analysis: Analysis, words: readonly Word[], lexicon: Lexicon) {
    this.analysis = analysis;
    this.words = words;
    this.lexicon = lexicon;
  }

  sort(): void {
    for (let i = 0; i < this.words.length;) i += this.sortAt(i);
    if (this.pendingNegation) this.analysis.negations.push('not');
    this.anchor('');
    this.askForPrice();
    this.askForMeaning();
    if (this.analysis.tokens.some((token) => token.kind === 'calendar' && MONTHS.has(token.key))) {
      for (const token of this.analysis.tokens) if (token.kind === 'number') token.key = token.key.replace(/^0?([12]?\d|3[01])(?:st|nd|rd|th)?$/, '$1');
    }
  }

  /** "What does GDPR mean" asks to define it; what "the red light" means is not what it is. */
  private askForMeaning(): void {
    const { asks, tokens } = this.analysis;
    if (asks.length !== 1 || asks[0] !== 'what' || tokens.length < 2 || tokens.at(-1)?.text !== 'mean' || this.words.at(-1)?.text !== 'mean') return;
    tokens.pop();
    asks[0] = tokens.length === 1 && (tokens[0]?.article === '' || tokens[0]?.article === 'a') ? 'define' : 'meaning';
  }

  /** "How much does X cost" and "what does X cost" ask for the price of X. */
  private askForPrice(): void {
    const { asks, tokens } = this.analysis;
    const at = tokens.findIndex((token) => token.text === 'cost' || token.text === 'costs');
    const isLast = at === tokens.length - 1 && this.words.at(-1)?.text === tokens[at]?.text;
    if (at < 0 || tokens.length < 2 || asks.length !== 1 || !(asks[0] === 'how much' || (asks[0] === 'what' && isLast))) return;
    tokens.splice(at, 1);
    asks[0] = 'price';
  }

  /** Returns how many words it took. */
  private sortAt(i: number): number {
    const word = this.words[i];
    if (word === undefined) return 1;
    if (word.opensClause) { this.condition = ''; this.governor = ''; this.sinceToken = 'words'; this.article = ''; this.copula = false; }
    const amount = this.sortAmount(word, i);
    if (amount > 0) return amount;
    const { text } = word;
    if (BE.has(text)) this.copula = true;
    const unit = unitOf(text, this.analysis.tokens.at(-1)?.kind === 'number' && i > 0);
    if (unit !== null) return this.push({ kind: 'unit', text, key: unit });
    const calendar = this.calendarAt(i);
    if (calendar !== null) {
      if (this.sinceToken === 'nothing') this.release();
      return this.push({ kind: 'calendar', text, key: calendar });
    }
    if (!/[\p{L}]/u.test(text)) return this.push({ kind: 'symbol', text, key: text });
    if (!this.sortLittleWord(word, i)) return this.pushContent(word, i);
    if (CONJUNCTIONS.has(text)) this.sinceToken = this.sinceToken === 'nothing' ? 'join' : 'words';
    else if (!(this.sinceToken === 'join' && DETERMINERS.has(text)) && !PARTICLES.has(text)) this.sinceToken = 'words';
    return 1;
  }

  /** A number with the unit glued to it or its currency in front; returns how many words it took. */
  private sortAmount({ text }: Word, i: number): number {
    const currency = /[\p{L}\d%]/u.test(text) ? null : unitOf(text, false);
    const number = readNumber(this.words, currency === null ? i : i + 1);
    if (number === null) return 0;
    this.push({ kind: 'number', text: number.value, key: number.value });
    const unit = currency ?? number.unit;
    if (unit !== null) this.push({ kind: 'unit', text: unit, key: unit });
    return number.length + (currency === null ? 0 : 1);
  }

  /** Months that are also other words count beside a number, a preposition or as a name. */
  private calendarAt(i: number): string | null {
    const word = this.words[i];
    if (word === undefined) return null;
    if (word.text === 'may') return this.isDateAt(i) || (word.capital && !word.opensSentence) ? 'may' : null;
    if (word.text === 'mon' || word.text === 'wed' || word.text === 'jun' || word.text === 'mar') return this.isDateAt(i) ? CALENDAR.get(word.text) ?? null : null;
    return CALENDAR.get(word.text) ?? null;
  }

  private isDateAt(i: number): boolean {
    const before = this.words[i - 1]?.text ?? '';
    return /\d|^(?:in|of|on|until|by|since|this|next|last|during|before|after)$/.test(before) || /^\d/.test(this.words[i + 1]?.text ?? '');
  }

  /** Function words; false when the word carries matter of its own. */
  private sortLittleWord(word: Word, i: number): boolean {
    const { analysis } = this;
    const { text, capital } = word;
    if (capital && !FREE.has(text) && !PREPOSITIONS.has(text) && !NEGATIONS.has(text) && !MODALS.has(text) && !THIRD_PERSON.has(text)) return false;
    if (this.isLetter(word, i)) return false;
    if (NEGATIONS.has(text)) return this.negate();
    if (this.isParticle(text, i)) { this.push({ kind: 'particle', text, key: text }); this.release(); return true; }
    if (CONJUNCTIONS.has(text)) { analysis.conjunctions.push(text); return true; }
    if (DEGREES.has(text) && !this.isTimeSpan(this.words[i + 1]?.text)) return true;
    const quantifier = this.quantifierAt(i);
    if (quantifier !== undefined) {
      analysis.quantifiers.push(quantifier);
      if (ANCHORED_QUANTIFIERS.has(quantifier)) this.openScopes.push(quantifier);
      return true;
    }
    const modal = MODALS.get(text);
    if (modal !== undefined) { this.release(); analysis.modals.push(modal); return true; }
    if (PAST_AUXILIARIES.has(text)) { analysis.past = true; this.release(); return true; }
    if (text === 'to' && this.isInfinitive(i)) { this.release(); this.copula = false; return true; }
    if (text === 'like' && analysis.asks[0] === 'what' && this.endsPhrase(i)) {
      analysis.asks[0] = 'how is';
      return true;
    }
    if (PREPOSITIONS.has(text)) return this.govern(text, i);
    if (text === 'a' || text === 'an') { analysis.indefinite++; this.article = 'a'; }
    if (text === 'the') this.article = 'the';
    return this.sortPerson(word, this.words[i - 1]?.text ?? '') || this.isFree(text, i);
  }

  /** "Too late" is not "late", "exactly ten" not "ten"; at the end of a phrase both add nothing. */
  private quantifierAt(i: number): string | undefined {
    const text = this.words[i]?.text ?? '';
    if (text === 'too') return this.endsPhrase(i) ? undefined : 'too';
    if (text === 'exactly') return readNumber(this.words, i + 1) === null ? undefined : 'exactly';
    return QUANTIFIERS.get(text);
  }

  /** "On Friday" is "Friday"; "at 5" and "for 5" stay two things. */
  private govern(text: string, i: number): true {
    const preposition = SOFT_PREPOSITIONS.get(text) ?? text;
    const next = /^(?:the|this|next|last)$/.test(this.words[i + 1]?.text ?? '') ? i + 2 : i + 1;
    const isBare = (preposition === 'at' || preposition === 'of') && this.calendarAt(next) !== null;
    this.governor = isBare ? this.condition : preposition;
    this.preposition = text;
    this.article = '';
    if (CONDITIONS.has(preposition)) this.condition = preposition;
    if (!isBare) this.analysis.prepositions.push(preposition);
    return true;
  }

  private sortPerson({ text, possessive }: Word, before: string): boolean {
    const { persons, owners, parts } = this.analysis;
    const isDoneTo = this.sinceToken === 'nothing' || PREPOSITIONS.has(before);
    if (FIRST_PERSON.has(text)) parts.push(OBJECTS.has(text) ? 'done to' : 'doer');
    else if (SECOND_PERSON.has(text) || text === 'it') parts.push(isDoneTo ? 'done to' : 'doer');
    if (FIRST_PERSON.has(text)) persons.push('i');
    else if (SECOND_PERSON.has(text)) persons.push('you');
    else if (MY.has(text) || YOUR.has(text)) {
      owners.push(MY.has(text) ? 'my' : 'your');
      this.openOwners.push(MY.has(text) ? 'my' : 'your');
      this.article = 'own';
      return true;
    }
    else if (THIRD_PERSON.has(text)) {
      persons.push(possessive ? 'they' : THIRD_FORMS.get(text) ?? text);
      if (/^(?:he|she|they)$/.test(text)) this.analysis.partsOfOthers.push('doer');
      else if (THIRD_FORMS.has(text)) this.analysis.partsOfOthers.push('done to');
    }
    else return false;
    this.release();
    return true;
  }

  /** A new phrase begins: only a condition still holds. */
  private release(): void {
    this.governor = this.condition;
  }

  private negate(): boolean {
    if (this.pendingNegation) this.analysis.negations.push('not');
    this.pendingNegation = true;
    return true;
  }

  private isParticle(text: string, i: number): boolean {
    if (PARTICLES.has(text)) return true;
    if (text !== 'on' && text !== 'in' && text !== 'over') return false;
    return VERBS_WITH_PARTICLE.has(this.lexicon.inflectionOf(this.words[i - 1]?.text ?? '').base) || i === this.words.length - 1;
  }

  private readonly isTimeSpan = (word: string | undefined): boolean => word !== undefined && (CALENDAR.has(word) || unitOf(word, false) !== null || word === 'time' || word === 'quarter' || word === 'spring');

  /** In front of a verb, and no "from" before it: "want to pay", not "transfer to savings". */
  private isInfinitive(i: number): boolean {
    const next = this.words[i + 1];
    if (next === undefined || next.capital || this.analysis.prepositions.at(-1) === 'from') return false;
    const parts = this.lexicon.partsOfSpeech(next.text);
    if (parts.includes('v') && (INFINITIVE_AFTER.has(this.words[i - 1]?.text ?? '') || DETERMINERS.has(this.words[i + 2]?.text ?? ''))) return true;
    return parts.startsWith('v') || next.text === 'be' || next.text === 'do' || next.text === 'have' || next.text === 'not';
  }

  /** `have` and `do` are free in front of a verb, and matter as verbs of their own. */
  private isFree(text: string, i: number): boolean {
    if (!FREE.has(text) || (this.analysis.mentions && POLITE.has(text)) || (text === 'do' && (this.words[i - 1]?.text === 'to' || (i > 0 && this.endsPhrase(i))))) return false;
    if (text !== 'have' && text !== 'has') return true;
    const next = this.words[i + 1]?.text ?? '';
    return (text === 'has' && this.words[i]?.opensClause === true) || next === 'been' || NEGATIONS.has(next) || FIRST_PERSON.has(next) || SECOND_PERSON.has(next) || this.lexicon.inflectionOf(next).past;
  }

  private pushContent(word: Word, i: number): number {
    const before = this.words[i - 1]?.text ?? '';
    const { base, past } = this.baseOf(word.text);
    const unknown = !this.lexicon.knows(word.text) && !word.text.includes('_');
    if (MAKING.has(base) && this.analysis.tokens.length === 0) this.analysis.makes = true;
    const next = this.words[i + 1];
    const voice = this.voiceOf(word.text, { base, past, before, next });
    // "Get paid" is to be paid.
    if (base === 'get' && next !== undefined && this.lexicon.inflectionOf(next.text).past) this.copula = true;
    return this.push({
      kind: 'content', text: word.text, key: base, name: word.capital || this.lexicon.isName(base), unknown, past,
      voice, possessive: word.possessive, determined: DETERMINERS.has(before), owned: word.possessive || MY.has(before) || YOUR.has(before) || THIRD_PERSON.has(before),
    });
  }

  private baseOf(text: string): { base: string; past: boolean } {
    const { tokens, asks } = this.analysis;
    const inflection = this.lexicon.inflectionOf(text);
    const isBase = inflection.past && !this.copula && !text.endsWith('ed') && tokens.length === 0 && VERB_ASKS.has(asks.at(-1) ?? '');
    return isBase ? { base: text, past: false } : inflection;
  }

  private voiceOf(text: string, { base, past, before, next }: { base: string; past: boolean; before: string; next: Word | undefined }): Token['voice'] {
    if (!this.copula || this.article !== '') return '';
    // "Are cooked beans good": it only describes them.
    if (past && BE.has(before) && next?.opensClause === false && this.lexicon.partsOfSpeech(this.lexicon.inflectionOf(next.text).base).startsWith('n')) return '';
    const named = this.analysis.asks[0] === 'what' && this.analysis.tokens.length === 0;
    const progressive = text !== base && text.endsWith('ing') && this.governor === this.condition && !named;
    if (!progressive && !past && !UNCHANGING_VERBS.has(text)) return 'copular';
    this.copula = false;
    return progressive ? 'progressive' : 'passive';
  }

  /** What a quantifier or a possessive belongs to is the word that comes next. */
  private anchor(key: string): void {
    const { scopes, belongings } = this.analysis;
    scopes.push(...this.openScopes.splice(0).map((scope) => `${scope} ${key}`));
    belongings.push(...this.openOwners.splice(0).map((owner) => `${owner} ${key}`));
  }

  /** "Plan A", "World War I": a letter that names, not an article or a person. */
  private isLetter({ text, capital }: Word, i: number): boolean {
    if (text === 'a') return capital || this.endsPhrase(i);
    const before = this.words[i - 1]?.text ?? '';
    return text === 'i' && this.endsPhrase(i) && i > 0 && !CONJUNCTIONS.has(before) && !MODALS.has(before) && !FREE.has(before);
  }

  private endsPhrase(i: number): boolean {
    const next = this.words[i + 1];
    return next === undefined || next.opensClause || PREPOSITIONS.has(next.text) || CONJUNCTIONS.has(next.text) || CALENDAR.has(next.text);
  }

  private push(token: Pick<Token, 'kind' | 'text' | 'key'> & Partial<Token>): number {
    if (this.pendingNegation) {
      this.analysis.negations.push(`not ${token.key}`);
      this.pendingNegation = false;
    }
    this.anchor(token.key);
    const article = this.article === '' && this.sinceToken === 'nothing' ? this.analysis.tokens.at(-1)?.article ?? '' : this.article;
    this.article = '';
    this.analysis.tokens.push({
      name: false, unknown: false, past: false, owned: false, possessive: false, determined: false, article, voice: '',
      governor: this.governor, preposition: this.governor === this.condition ? this.condition : this.preposition,
      adjacent: this.sinceToken === 'nothing', joined: this.sinceToken === 'join', ...token,
    });
    this.sinceToken = 'nothing';
    return 1;
  }
}
