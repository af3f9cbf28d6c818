/** Any of these words or phrases, whole; as a pattern to build others of. Lines may end after a `|`. */
export const phrases = (list: string): string => `(?<![\\p{L}\\p{N}'_-])(?:${list.trim().replaceAll(/\|\s*\n\s*/gu, '|')})(?![\\p{L}\\p{N}_])`;

/** Any of these words or phrases, whole. */
export const words = (list: string): RegExp => new RegExp(phrases(list), 'iu');

export const anyOf = (...patterns: string[]): RegExp => new RegExp(patterns.join('|'), 'iu');
