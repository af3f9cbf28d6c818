import { isAscii } from '../is-ascii.ts';
import { openContraction } from './phrases.ts';

/** A word, number or sign as it stands in a text. */
export interface Word {
  /** In lower case. */
  text: string;
  /** Capitalised where English would not: a name. */
  capital: boolean;
  /** First of a sentence or of what follows a comma. */
  opensClause: boolean;
  opensSentence: boolean;
  /** Had an 's of possession. */
  possessive: boolean;
}

export interface Reading {
  words: Word[];
  /** Why this text must be taken letter by letter; null when it is plain prose. */
  literal: string | null;
  /** Holds a quotation: its words are the matter themselves. */
  quotes: boolean;
}

const INVISIBLE = /[\u00AD\u200B-\u200F\u202A-\u202E\u2060-\u2064\u2066-\u2069\uFEFF]|\uFE0E|\uFE0F/gu;
const FRACTIONS: Readonly<Record<string, string>> = { '½': ' 0.5 ', '¼': ' 0.25 ', '¾': ' 0.75 ' };
/** Minus signs, and dashes in front of a number that no word ends at: a negative sign, or between two numbers what a hyphen is there. */
const MINUS = /\u2212|(?<![\p{L}])[\u2010-\u2014](?=\d)|(?<=^|\s)[\u2010-\u2014](?= \d)/gu;
/** Signs that belong to code, formulas and addresses, where every character counts. */
const CODE = /[{}\\|~^<>=`_\u2190-\u22FF]|[\p{L}\p{N}][[(]|;\s*$|:\/\/|\/[\p{N}.-]*[\p{L}_][\p{L}\p{N}_.-]*\/|\b\p{L}[\p{L}\p{N}]*\.\p{L}+\(|\*\S|--\p{L}|@\p{L}/u;
/** Brackets that say what is calculated first. */
const CALCULATION = /\([^()]*\d\s{0,3}[-+*x×÷·^]\s{0,3}\d|\d\s{0,3}[-+*x×÷·^]\s{0,3}\(/u;
/** Raised, lowered and circled characters: folding would turn 5² into 52. */
const RAISED = /[\p{No}\p{Lm}]/u;
/** Latin beside letters that look like Latin, in one word. */
const MIXED_SCRIPT = /\p{Script=Latin}[\p{M}']*[\p{Script=Cyrillic}\p{Script=Greek}\p{Script=Armenian}\p{Script=Cherokee}]|[\p{Script=Cyrillic}\p{Script=Greek}\p{Script=Armenian}\p{Script=Cherokee}][\p{M}']*\p{Script=Latin}/u;
const QUOTED = /"[^"]+"|(?:^|\s)'[^']+'(?=$|[\s?.!,])/u;

const PIECE = /\d+(?:[.,:/]\d+)*\p{L}*|\p{L}[\p{L}\p{N}]*(?:'\p{L}+)*(?:[+#]+(?![\p{L}\p{N}]))?|[^\s\p{L}\p{N}]/gu;
const SENTENCE_END = new Set(['.', '?', '!', '\n']);
/** Signs that say nothing of their own. */
const SILENT = new Set(['.', ',', ';', ':', '?', '!', '"', "'", '(', ')', '[', ']', '…', '—', '–', '·', '•', '*', '¿', '¡']);

/** Shown as written by people: one form of quotes, no invisible characters, compatibility forms folded (NFKC). */
function cleaned(text: string): string {
  const plain = isAscii(text) ? text : folded(text);
  return plain.includes('.') ? plain.replace(/(?<![\p{L}\p{N}.])\.(?=\d)/gu, '0.') : plain;
}

function folded(text: string): string {
  return text
    .replace(INVISIBLE, '').replace(/[\u2018\u2019\u02BC\u00B4]/g, "'").replace(/[\u201C\u201D]/g, '"').replace(/[½¼¾]/g, (sign) => FRACTIONS[sign] ?? sign)
    .replace(MINUS, '-').normalize('NFKC');
}

function literalReason(text: string, clean: string): string | null {
  if (!isAscii(clean) && (MIXED_SCRIPT.test(clean) || /\p{M}/u.test(clean))) return 'holds letters that look like others';
  if (CALCULATION.test(clean)) return 'holds code, a formula or an address';
  if ((!isAscii(text) && RAISED.test(text.replace(/[\u02BC½¼¾]/g, ''))) || CODE.test(clean)) return 'holds code, a formula or an address';
  return null;
}

/** Words, numbers and signs in order; contractions opened, silent punctuation left out. Stops soon after `maxWords`. */
export function readWords(text: string, maxWords = Infinity): Reading {
  const clean = cleaned(text).replace(/\b([ap])\.\s?m\b\.?/giu, '$1m').replace(/\bU\.\s?S\.(?:\s?A\.)?/gu, 'USA').replace(/\bU\.\s?K\./gu, 'UK');
  const readsCase = !isShouted(clean);
  const words: Word[] = [];
  let opensSentence = true;
  let opensClause = true;
  let isQuoting = false;
  for (const match of clean.matchAll(PIECE)) {
    if (words.length > maxWords) break;
    const [piece] = match;
    const before = clean[match.index - 1] ?? ' ';
    const after = clean[match.index + piece.length] ?? ' ';
    if (isOperator(piece, clean, match.index)) {
      words.push({ ...SIGN, text: piece });
      continue;
    }
    const prime = primeOf(piece, before, after, isQuoting);
    if (prime !== null) { words.push({ ...SIGN, text: prime }); continue; }
    if (piece === '"') isQuoting = !isQuoting;
    if (SILENT.has(piece)) {
      opensSentence ||= SENTENCE_END.has(piece) && !/[\p{L}\p{N}]/u.test(after);
      opensClause ||= opensSentence || piece === ',' || piece === ':' || piece === ';' || piece === '—' || piece === '–';
      continue;
    }
    const sign = signOf(piece, before, /^ \d/.test(clean.slice(match.index + 1, match.index + 3)) && before === ' ' ? clean[match.index + 2] ?? ' ' : after);
    if (sign === null) continue;
    const isUs = readsCase && piece === 'US';
    const capital = readsCase && !opensSentence && /^\p{Lu}/u.test(piece) && piece !== 'I' && !piece.startsWith("I'");
    const parts = isUs ? ['united_states'] : openContraction(sign.toLowerCase());
    for (const [i, part] of parts.entries()) {
      words.push({ text: part, capital: capital && i === 0, opensClause: opensClause && i === 0, opensSentence: opensSentence && i === 0, possessive: parts.length === 1 && sign.endsWith("'s") });
    }
    opensSentence = false;
    opensClause = false;
  }
  joinSigns(words);
  return { words, literal: literalReason(text, clean), quotes: QUOTED.test(clean) };
}

const SIGN: Omit<Word, 'text'> = { capital: false, opensClause: false, opensSentence: false, possessive: false };

/** Between numbers or behind one these calculate: `12 * 5`, `12 : 5`, `12 - 5`, `5!`. */
function isOperator(piece: string, text: string, at: number): boolean {
  if (piece === '!') return /[\d)]/.test(text[at - 1] ?? '') && text[at + 1] !== '!';
  if (piece !== '*' && piece !== ':' && piece !== '·' && piece !== '-') return false;
  return /[\d)] $/.test(text.slice(Math.max(0, at - 2), at)) && /^ [\d(]/.test(text.slice(at + 1, at + 3));
}

/** Feet and inches: 5' and 5", if no quotation ends there. */
function primeOf(piece: string, before: string, after: string, isQuoting: boolean): string | null {
  if ((piece !== "'" && piece !== '"') || isQuoting || !/\d/.test(before) || /[\p{L}\p{N}]/u.test(after)) return null;
  return piece === "'" ? 'feet' : 'inches';
}

/** Hyphens part words or join them, which is the same; before a number they are a minus, between numbers a range. */
function signOf(piece: string, before: string, after: string): string | null {
  if (piece === '&') return 'and';
  if (piece !== '-') return piece;
  if (/\d/.test(after)) return /\d/.test(before) ? 'to' : /[\p{L}]/u.test(before) ? null : '-';
  return null;
}

/** Behind these `minus` takes away from nothing: "what is minus 40". */
const BEFORE_NEGATIVE = /^(?:is|of|at|to|from|below|was|convert)$/;
/** A minus joins the number behind it. */
function joinSigns(words: Word[]): void {
  for (let i = words.length - 2; i >= 0; i--) {
    const word = words[i];
    const next = words[i + 1];
    if (word === undefined || next === undefined || !/^\d/.test(next.text)) continue;
    if (word.text === '-' || (word.text === 'minus' && BEFORE_NEGATIVE.test(words[i - 1]?.text ?? ''))) words.splice(i, 2, { ...word, text: `-${next.text}` });
  }
}

/** Fewer long words say nothing about how a text uses capitals. */
const MIN_LONG_WORDS = 3;
/** All capitals, or every longer word with one as in a title: case tells nothing. */
function isShouted(text: string): boolean {
  if (text === text.toUpperCase()) return true;
  const long = (text.match(/\p{L}+/gu) ?? []).slice(1).filter((word) => word.length > 3);
  return long.length >= MIN_LONG_WORDS && long.every((word) => /^\p{Lu}/u.test(word));
}
