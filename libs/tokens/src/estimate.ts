import { tokensBy } from './image-tokens.ts';
import { IMAGE_RULES, type ImageRule } from './image-rules.ts';
import type { Tokenizer } from './models.ts';
import type { PromptParts } from './prompt-parts.ts';

/** Three that frame a message, one for its role, three that open the answer. Source: OpenAI Cookbook, "How to count tokens with tiktoken". */
const PER_MESSAGE = 4;
const PER_ANSWER = 3;
/** OpenAI writes schemas shorter than JSON; this is still on the safe side of JSON's own count. */
const TOOL_CHARS_PER_TOKEN = 3;
/** Ten tokens a second (OpenAI's guide "Managing costs", realtime) of sound at 64 kbit/s. */
const AUDIO_BYTES_PER_TOKEN = 800;

/** Longer texts are judged by their windows, evenly spread. */
const WINDOWS = 16;
const WINDOW_CHARS = 128;

/**
 * About how many tokens a prompt has, for reservations; the bill uses the provider's own number. Takes microseconds: of a long
 * text it reads 2,048 characters. Measured against o200k_base on prose in nineteen languages, code and JSON: half of the texts are
 * within 9 %, nineteen of twenty within 25 %. Far off only where no words are: base64 has twice as many, one letter repeated a
 * third. In cl100k_base texts of other alphabets have up to twice as many.
 */
export function estimate(parts: PromptParts, tokenizer?: Tokenizer): number {
  let tokens = 0;
  for (const text of parts.texts) tokens += estimateText(text);
  return Math.ceil(tokens * (tokenizer?.factor ?? 1)) + besidesText(parts, tokenizer?.images ?? IMAGE_RULES.gpt4o);
}

/** Tokens of all that is not text. Sound and schemas are never more than an estimate: nobody outside the provider can count them. */
export function besidesText(parts: PromptParts, images: ImageRule): number {
  const framing = parts.messages > 0 ? parts.messages * PER_MESSAGE + PER_ANSWER : 0;
  const seen = parts.images.reduce((sum, image) => sum + tokensBy(images, image), 0);
  return framing + seen + Math.ceil(parts.tools / TOOL_CHARS_PER_TOKEN) + Math.ceil((parts.audioBytes ?? 0) / AUDIO_BYTES_PER_TOKEN) + (parts.tokens ?? 0);
}

/** About how many tokens a text has in o200k_base; not a whole number. */
export function estimateText(text: string): number {
  if (text.length <= WINDOWS * WINDOW_CHARS) return weigh(text, 0, text.length);
  const step = (text.length - WINDOW_CHARS) / (WINDOWS - 1);
  let tokens = 0;
  for (let window = 0; window < WINDOWS; window++) {
    const from = Math.floor(window * step);
    tokens += weigh(text, from, from + WINDOW_CHARS);
  }
  return (tokens / (WINDOWS * WINDOW_CHARS)) * text.length;
}

/** Tokens of each kind of character, fitted to o200k_base: a word is one, and a long one a little more. */
const WEIGHT = { word: 1.02, beyondSixLetters: 0.45, digit: 0.3, mark: 0.56, line: 0.5, indent: 0.09, cyrillic: 0.33, otherAlphabet: 0.42, ideograph: 0.8, surrogate: 0.9 };
const SPACE = 0x20;
const TAB = 0x09;
const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;

function weigh(text: string, from: number, to: number): number {
  let tokens = 0;
  let letters = 0;
  let afterWhite = false;
  for (let index = from; index < to; index++) {
    const code = text.charCodeAt(index);
    if (isLatin(code)) {
      letters += 1;
      if (letters === 1) tokens += WEIGHT.word;
      else if (letters > 6) tokens += WEIGHT.beyondSixLetters;
      afterWhite = false;
      continue;
    }
    letters = 0;
    const white = code === SPACE || code === TAB || code === CARRIAGE_RETURN || code === LINE_FEED;
    if (!white) tokens += weightOf(code);
    else if (afterWhite) tokens += WEIGHT.indent;
    else if (code === LINE_FEED) tokens += WEIGHT.line;
    afterWhite = white;
  }
  return tokens;
}

const isLatin = (code: number): boolean =>
  (code >= 0x61 && code <= 0x7a) || (code >= 0x41 && code <= 0x5a) || (code >= 0xc0 && code < 0x250) || (code >= 0x1e00 && code < 0x1f00);

function weightOf(code: number): number {
  if (code < 0x80) return code >= 0x30 && code <= 0x39 ? WEIGHT.digit : WEIGHT.mark;
  if (code >= 0x400 && code < 0x530) return WEIGHT.cyrillic;
  if (code < 0x2000) return WEIGHT.otherAlphabet;
  return code >= 0xd800 && code <= 0xdfff ? WEIGHT.surrogate : WEIGHT.ideograph;
}
