/** Any of these words or phrases, whole; as a pattern to build others of. Lines may end after a `|`. One pattern of several lists is quicker than one of each: what stands around them is looked at once. */
export const phrases = (...lists: string[]): string => `(?<![\\p{L}\\p{N}'_-])(?:${lists.map((list) => list.trim().replaceAll(/\|\s*\n\s*/gu, '|')).join('|')})(?![\\p{L}\\p{N}_])`;

/** Any of these words or phrases, whole. */
export const words = (list: string): RegExp => new RegExp(phrases(list), 'iu');

export const anyOf = (...patterns: string[]): RegExp => new RegExp(patterns.join('|'), 'iu');
