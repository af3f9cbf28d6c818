const segmenter = new Intl.Segmenter('en', { granularity: 'grapheme' });
/** Takes two columns of a terminal. */
const WIDE = /\p{Emoji_Presentation}|[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|[\u{20000}-\u{3fffd}]/u;

/**
 * Text for a terminal on one line. What clients send gets as far as here (the ledger has their users and tags): control characters, and those that turn the
 * direction of writing, are shown and do nothing.
 */
export const plainText = (text: string): string => text.replaceAll(/[\p{Cc}\u200e\u200f\u202a-\u202e\u2028\u2029\u2066-\u2069]/gu, (character) => `\\u{${character.codePointAt(0)?.toString(16) ?? ''}}`);

/** Columns that a text takes in a terminal. */
export function textWidth(text: string): number {
  if (/^[\x20-\x7e]*$/.test(text)) return text.length;
  let width = 0;
  for (const { segment } of segmenter.segment(text)) width += WIDE.test(segment) ? 2 : 1;
  return width;
}

/** The text in at most so many columns; an ellipsis says that there is more. */
export function shortened(text: string, width: number): string {
  if (textWidth(text) <= width) return text;
  let short = '';
  let used = 1;
  for (const { segment } of segmenter.segment(text)) {
    used += textWidth(segment);
    if (used > width) break;
    short += segment;
  }
  return `${short}…`;
}

/** JSON with two blanks, without a character that a terminal would obey. */
export const jsonText = (value: unknown): string => JSON.stringify(value, null, 2).replaceAll(/[\x7f-\x9f]/g, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);
