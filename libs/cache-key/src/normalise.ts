/** Joiners, soft hyphens, direction marks, variation selectors: nothing a reader sees. */
const INVISIBLE = /[\u00AD\u200B-\u200F\u202A-\u202E\u2060\u2066-\u2069\uFEFF]|\uFE0E|\uFE0F/g;
/** Raised, lowered and fractional characters: compatibility folding would turn 5² into 52. */
const RAISED = /([\p{No}\p{Lm}]+)/u;
const SINGLE_QUOTES = /[\u2018\u2019\u02BC]/g;
const DOUBLE_QUOTES = /[\u201C\u201D]/g;
const END_PUNCTUATION = new Set(['.', ',', ';', ':', '?', '…', '。', ' ']);
/** Before a `!`: a number, a bracket or a single letter, as in `5!`, `(a+b)!` and `n!`. These are factorials. */
const FACTORIAL = /(?:\p{N}|\)|(?<!\p{L})\p{L})$/u;

/**
 * The text without what a writer varies by accident: Unicode form (NFKC), case, white space, invisible characters,
 * typographic quotes, punctuation at the end. Idempotent. Equal results still need a look at case (see the verifier).
 */
export function normaliseText(text: string): string {
  // Quotes first, raised characters apart: U+02BC is a modifier letter and would stay as it is.
  const visible = text.replace(INVISIBLE, '').replace(SINGLE_QUOTES, "'").replace(DOUBLE_QUOTES, '"');
  const folded = RAISED.test(visible) ? visible.split(RAISED).map((part, i) => (i % 2 === 1 ? part : part.normalize('NFKC'))).join('') : visible.normalize('NFKC');
  return withoutEndPunctuation(folded.toLowerCase().replace(/\s+/gu, ' ').trim());
}

function withoutEndPunctuation(text: string): string {
  let end = text.length;
  for (;;) {
    const exclamations = end;
    while (text[end - 1] === '!') end--;
    if (end < exclamations && FACTORIAL.test(text.slice(Math.max(0, end - 4), end))) return text.slice(0, exclamations);
    const others = end;
    while (END_PUNCTUATION.has(text[end - 1] ?? '')) end--;
    if (end === others && end === exclamations) return text.slice(0, end);
  }
}
