/** More than any answer has; what is made of one later goes down its levels by recursion, as `JSON.stringify` does, and the stack has some thousands. */
const MOST_LEVELS = 512;

/** What a provider sent, parsed. Throws a SyntaxError where it is no JSON, a RangeError where it is nested deeper than 512 levels. */
export function boundedJson(text: string): unknown {
  if (text.length > MOST_LEVELS && isDeeper(text, MOST_LEVELS)) throw new RangeError(`the reply is nested deeper than ${MOST_LEVELS} levels`);
  return JSON.parse(text) as unknown;
}

const [QUOTE, BACKSLASH, OPEN_ARRAY, CLOSE_ARRAY, OPEN_OBJECT, CLOSE_OBJECT] = [0x22, 0x5c, 0x5b, 0x5d, 0x7b, 0x7d];

/** Of a text that is JSON: brackets within strings do not count. */
function isDeeper(text: string, most: number): boolean {
  let depth = 0;
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (c === QUOTE) i = endOfString(text, i);
    else if (c === OPEN_ARRAY || c === OPEN_OBJECT) {
      if (++depth > most) return true;
    } else if (c === CLOSE_ARRAY || c === CLOSE_OBJECT) depth--;
  }
  return false;
}

/** Where the string ends that begins at `start`; the end of the text where it does not. */
function endOfString(text: string, start: number): number {
  for (let end = text.indexOf('"', start + 1); end >= 0; end = text.indexOf('"', end + 1)) {
    let escapes = 0;
    while (text.charCodeAt(end - 1 - escapes) === BACKSLASH) escapes++;
    if (escapes % 2 === 0) return end;
  }
  return text.length;
}
