import { NAMES_TOO, QUESTIONS } from './word-lists.ts';

/** What one text says by the very way it is written, which reading it for its matter leaves out. */
export interface Written {
  /** What stands behind a colon as data to be worked on, letter by letter; null without one. */
  data: string | null;
  /** Signs named as such: `!` in "what does "!" mean". */
  signs: string;
  /** Words in lower case, contractions as they are. */
  words: readonly string[];
  /** The words that stand behind a comma or a sentence, by index; not in front of `and` and its like. */
  commas: readonly number[];
  /** Words spoken of as words, behind those that say so: `word` → `please`. */
  mentioned: ReadonlyMap<string, string>;
  /** Shortened negations and their like: `don't`. */
  contractions: string;
  /** The same word on both sides of `or`. */
  repeats: boolean;
  /** Words that are a name with a capital and something else without (Turkey), as written; none in a text that uses no capitals. */
  namesToo: ReadonlyMap<string, boolean>;
}

/** "Question: …" only leads up to what is asked. */
const LABEL = /(?:^|\s)(?:question|questions|q|hi|hello|hey|prompt|user|query|help|note|request|ask|wondering|this|following)$/iu;
const WORKING = /(?<!\p{L})(?:translate|capitali[sz]e|count|fix|correct|summari[sz]e|rewrite|rephrase|paraphrase|convert|sort|proofread|reverse|repeat|edit|format|reformat|parse|classify|spell|lowercase|uppercase|punctuate|text|sentence|word|words|list|say|write|print|type|copy|encode|decode|hash|explain|analy[sz]e)(?!\p{L})/iu;
const SAYS_DATA = /\s(?:this|following)$/iu;
const MENTION = new Set('word words term phrase letter say write spell translate pronounce define'.split(' '));
const UNMENTIONED = new Set(['a', 'an', 'the', 'word', 'words', 'term', 'phrase', 'letter']);
/** Behind these no word is spoken of: "how do you say in French …". */
const NO_MENTION = new Set(['in', 'into', 'to', 'for', 'from', 'of', 'it', 'this', 'that', 'is', 'are', 'my', 'with', 'about']);
const JOINING = new Set(['and', 'or', 'but', 'nor']);
/** Up to this many letters words are small in a title too. */
const MAX_SMALL_IN_TITLE = 3;
const PIECE = /[\p{L}\p{N}]+(?:'\p{L}+)*|[,.;!?](?=\s)/gu;

/** Of a longer text only its data is read: its words are compared as a whole. */
const MAX_CHARS = 2000;

/** Reads the signs of a text; time grows with its length. */
export function writtenOf(text: string): Written {
  const plain = text.replace(/[\u2018\u2019\u02BC\u00B4]/g, "'").replace(/[\u201C\u201D]/g, '"');
  if (plain.length > MAX_CHARS) return { data: dataOf(plain), signs: '', words: [], commas: [], mentioned: new Map(), contractions: '', repeats: false, namesToo: new Map() };
  const raw: string[] = [];
  const commas: number[] = [];
  for (const [piece] of plain.matchAll(PIECE)) if (/^[,.;!?]$/.test(piece)) commas.push(raw.length); else raw.push(piece);
  const words = raw.map((word) => word.toLowerCase());
  const usesCase = /^\P{L}*\p{Lu}/u.test(text) && raw.some((word, i) => i > 0 && word.length > MAX_SMALL_IN_TITLE && word === word.toLowerCase());
  return {
    data: dataOf(plain), signs: (plain.match(/"[^\p{L}\p{N}\s"]+"|(?<=\S )[!?;:](?= \S)/gu) ?? []).map((sign) => sign.replace(/["\s]/g, '')).join(' '),
    words, commas: commas.filter((at) => at > 0 && at < words.length && !JOINING.has(words[at] ?? '')),
    mentioned: mentionedIn(words), contractions: words.filter((word) => word.endsWith("n't") || word === 'cannot').join(' '),
    repeats: words.some((word, i) => word === 'or' && i > 0 && words[i - 1] === words[i + 1]),
    namesToo: new Map(usesCase ? raw.flatMap((word, i): [string, boolean][] => (i > 0 && NAMES_TOO.has(word.toLowerCase()) ? [[word.toLowerCase(), word !== word.toLowerCase()]] : [])) : []),
  };
}

function dataOf(text: string): string | null {
  const at = /(?<=\p{L}):(?=[\s"'])/u.exec(text)?.index ?? -1;
  if (at < 0 || (LABEL.test(text.slice(0, at)) && !SAYS_DATA.test(text.slice(0, at)))) return null;
  const data = text.slice(at + 1).trim();
  // "Freud: A Life for Our Time" is a title, if nothing is to be done with what follows.
  const isTitle = /(?<![\p{L}'])\p{Lu}[\p{L}']*$/u.test(text.slice(0, at)) && /^\p{Lu}/u.test(data) && text[at + 1] !== '\n';
  return data === '' || (isTitle && !WORKING.test(text.slice(0, at))) ? null : data;
}

function mentionedIn(words: readonly string[]): Map<string, string> {
  const mentioned = new Map<string, string>();
  for (const [i, word] of words.entries()) {
    if (!MENTION.has(word)) continue;
    let next = i + 1;
    while (UNMENTIONED.has(words[next] ?? '')) next++;
    const each = words[next] ?? '';
    if (!NO_MENTION.has(each)) mentioned.set(word, each);
  }
  return mentioned;
}

/** Differences that count whatever the words say, for people; null when there are none. `spelled`: the letters of both are the matter; `mentions`: their words are. */
export function writingDiffers(a: Written, b: Written, { spelled, mentions }: { spelled: boolean; mentions: boolean }): string | null {
  if (a.data !== null && b.data !== null && a.data !== b.data) return 'differs in the text to work on';
  if (a.signs !== b.signs) return `differs in sign: ${[a.signs || '–', b.signs || '–'].sort().join(' / ')}`;
  if (a.repeats !== b.repeats) return 'differs in choice';
  if (commasDiffer(a, b)) return 'differs in where the comma stands';
  for (const [word, capital] of a.namesToo) if ((b.namesToo.get(word) ?? capital) !== capital) return `differs in case: ${word}`;
  if (spelled && a.contractions !== b.contractions) return `differs in form: ${[a.contractions || '–', b.contractions || '–'].sort().join(' / ')}`;
  if (!mentions) return null;
  for (const [word, each] of a.mentioned) {
    const other = b.mentioned.get(word) ?? each;
    if (other !== each && (isQuiet(each) || isQuiet(other))) return `speaks of another word: ${[each || '–', other || '–'].sort().join(' / ')}`;
  }
  return null;
}

/** Words that elsewhere only open or close a request; what other words say is compared as matter. */
const isQuiet = (word: string): boolean => word === '' || QUESTIONS.has(word) || QUIET.has(word);
const QUIET = new Set('please thanks hello hi hey sorry ok okay kindly mean really so then too also maybe perhaps'.split(' '));

/** The same words, each text with a comma where the other has none: "say no, more …", "say no more, …". */
function commasDiffer(a: Written, b: Written): boolean {
  if (a.commas.length === 0 || b.commas.length === 0 || a.words.join(' ') !== b.words.join(' ')) return false;
  return a.commas.some((at) => !b.commas.includes(at)) && b.commas.some((at) => !a.commas.includes(at));
}
