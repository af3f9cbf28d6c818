import { setImmediate as nextTurn } from 'node:timers/promises';
import { bytesOf, upperBound } from './bounds.ts';
import { wholeCharacters } from './byte-pairs.ts';
import { counterFor } from './encodings.ts';
import { besidesText, estimate, estimateText } from './estimate.ts';
import { IMAGE_RULES } from './image-rules.ts';
import type { Encoding, Tokenizer } from './models.ts';
import type { PromptParts } from './prompt-parts.ts';

/** UTF-16 units counted between two turns of the event loop: a few milliseconds. */
const SLICE_CHARS = 8192;
/** How far back from a slice's end a gap between words is looked for. */
const LOOK_BACK_CHARS = 1024;

/**
 * How many tokens a prompt has: its texts counted by the tokenizer (times its factor where it is only a resemblance), messages
 * as OpenAI's cookbook counts them, images by their rules, tools and sound estimated. An encoding by its name stands for an
 * OpenAI model's, with gpt-4o's images. Works in slices and lets others run between them. Rejects if the vocabulary cannot be read.
 */
export async function countTokens(parts: PromptParts, tokenizer: Tokenizer | Encoding): Promise<number> {
  return (await count(parts, whole(tokenizer), null)).tokens;
}

/**
 * Whether a prompt has at most `limit` tokens. The cheap bound answers for nearly all; only what it leaves open is counted, and
 * only until the answer is known. `tokens` is therefore exact only where all of it had to be counted; else what was not read is
 * estimated, on the side of the limit where it is. A factor above 1 never makes more tokens of a text than it has bytes.
 */
export async function isWithin(parts: PromptParts, limit: number, tokenizer: Tokenizer | Encoding): Promise<{ within: boolean; tokens: number }> {
  const by = whole(tokenizer);
  if (upperBound(parts, by) <= limit) return { within: true, tokens: Math.min(limit, estimate(parts, by)) };
  return count(parts, by, limit);
}

const whole = (tokenizer: Tokenizer | Encoding): Tokenizer => (typeof tokenizer === 'string' ? { encoding: tokenizer, factor: 1, images: IMAGE_RULES.gpt4o } : tokenizer);

async function count(parts: PromptParts, { encoding, factor, images }: Tokenizer, limit: number | null): Promise<{ within: boolean; tokens: number }> {
  const besides = besidesText(parts, images);
  const total = (textTokens: number): number => besides + Math.ceil(textTokens * factor);
  if (limit !== null && besides > limit) return { within: false, tokens: total(estimateRest(parts.texts, 0, 0)) };

  const counter = await counterFor(encoding);
  let counted = 0;
  let unreadBytes = bytesOf(parts.texts);
  let sincePause = 0;
  for (const [index, text] of parts.texts.entries()) {
    for (let from = 0; from < text.length; ) {
      // What is left has at most as many tokens as bytes: often the answer is known long before the end.
      if (limit !== null && total(counted) + unreadBytes <= limit) {
        return { within: true, tokens: Math.min(limit, total(counted + estimateRest(parts.texts, index, from))) };
      }
      const to = sliceEnd(text, from);
      const slice = text.slice(from, to);
      if (sincePause > 0 && sincePause + slice.length > SLICE_CHARS) {
        sincePause = 0;
        await nextTurn();
      }
      counted += counter(slice);
      unreadBytes -= Buffer.byteLength(slice);
      sincePause += slice.length;
      from = to;
      if (limit !== null && total(counted) > limit) return { within: false, tokens: total(counted + estimateRest(parts.texts, index, from)) };
    }
  }
  return { within: limit === null || total(counted) <= limit, tokens: total(counted) };
}

function estimateRest(texts: readonly string[], index: number, from: number): number {
  let tokens = estimateText((texts[index] ?? '').slice(from));
  for (const text of texts.slice(index + 1)) tokens += estimateText(text);
  return tokens;
}

/**
 * Where a slice ends: before a space that follows a word, because no piece of either encoding's pattern reaches over it and the
 * count stays exact. A text without such a gap is cut where it is, which makes a token or two too many for each slice.
 */
function sliceEnd(text: string, from: number): number {
  const end = from + SLICE_CHARS;
  if (end >= text.length) return text.length;
  for (let at = end; at > end - LOOK_BACK_CHARS; at--) {
    if (text[at] === ' ' && /\S/.test(text[at - 1] ?? '')) return at;
  }
  return wholeCharacters(text, end);
}
