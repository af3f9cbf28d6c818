const segmenter = new Intl.Segmenter('en', { granularity: 'grapheme' });
/** Takes two columns of a terminal. */
const WIDE = /\p{Emoji_Presentation}|[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|[\u{20000}-\u{3fffd}]/u;

/** What a terminal would obey, or nobody would see: controls, format characters (direction, zero width, tags) and all else that Unicode has shown as nothing. */
const UNSEEN = String.raw`[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]`;
/** JSON has no line ends but its own. */
const UNSEEN_IN_JSON = new RegExp(`(?!\\n)${UNSEEN}`, 'gu');
/** Also blanks at the ends, and what looks as if it stood for one of all these. The look-behind keeps long runs of blanks within a text linear. */
const SHOWN = new RegExp(String.raw`${UNSEEN}|^\p{Zs}+|(?<!\p{Zs})\p{Zs}+$|\\(?=u\{)`, 'gu');

/**
 * Text for a terminal on one line. What clients send gets as far as here (the ledger has their users and tags): what commands a terminal is shown and does
 * nothing, and so is what has no look of its own, so that different names look different.
 */
export const plainText = (text: string): string => text.replaceAll(SHOWN, (found) => Array.from(found, (character) => `\\u{${character.codePointAt(0)?.toString(16) ?? ''}}`).join(''));

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

/** JSON with two blanks for people: what a terminal would obey, or nobody would see, is escaped in it. */
export const shownJson = (value: unknown): string =>
  JSON.stringify(value, null, 2).replaceAll(UNSEEN_IN_JSON, (found) => Array.from({ length: found.length }, (_, at) => `\\u${found.charCodeAt(at).toString(16).padStart(4, '0')}`).join(''));

/** JSON with two blanks, without a character that a terminal would obey. */
export const jsonText = (value: unknown): string => JSON.stringify(value, null, 2).replaceAll(/[\x7f-\x9f]/g, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);
