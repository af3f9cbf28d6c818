import { mostTokens } from './image-tokens.ts';
import type { Tokenizer } from './models.ts';
import type { PromptParts } from './prompt-parts.ts';

/** Twice what OpenAI's cookbook counts, and something for each part of a message and for each tool call. */
const PER_MESSAGE = 8;
const PER_TEXT = 4;
const PER_PROMPT = 16;
/** No UTF-16 unit has more than three bytes in UTF-8. OpenAI writes schemas shorter than their JSON, and frames them once. */
const BYTES_PER_CHAR = 3;
const PER_TOOLS = 32;
/** Ten tokens a second of sound, at the 8 kbit/s that no MP3 goes below. */
const AUDIO_BYTES_PER_TOKEN = 100;

/**
 * Never fewer tokens than the prompt has in OpenAI's encodings: each token covers at least one byte of UTF-8, framing, tools and
 * sound are taken at more than they can be, and images at their most (at the model's rules if a tokenizer is given, else at the
 * dearest). O(n), allocates nothing of note.
 */
export function upperBound(parts: PromptParts, tokenizer?: Tokenizer): number {
  return bytesOf(parts.texts) + boundBesidesText(parts, tokenizer);
}

export function bytesOf(texts: readonly string[]): number {
  let bytes = 0;
  for (const text of texts) bytes += Buffer.byteLength(text);
  return bytes;
}

function boundBesidesText(parts: PromptParts, tokenizer: Tokenizer | undefined): number {
  const framing = parts.messages > 0 ? PER_PROMPT + PER_MESSAGE * parts.messages + PER_TEXT * parts.texts.length : 0;
  const seen = parts.images.reduce((sum, image) => sum + mostTokens(image, tokenizer?.images), 0);
  const tools = parts.tools > 0 ? PER_TOOLS + BYTES_PER_CHAR * parts.tools : 0;
  return framing + seen + tools + Math.ceil((parts.audioBytes ?? 0) / AUDIO_BYTES_PER_TOKEN) + (parts.tokens ?? 0);
}
