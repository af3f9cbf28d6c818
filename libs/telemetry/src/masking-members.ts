export const MASK = '[masked]';

/** How names of members end whose value is never shown, whatever it looks like. `key`, `token` and the like only as the whole name. */
const NAME =
  '(?:authorization|api-?key|[-_](?:key|token|pwd)|(?:access|account|admin|bootstrap|master|private|shared|signing|subscription)-?key|secret|password|passwd|passphrase|cookie|signature|' +
  '(?:access|auth|bearer|client|id|refresh|security|session)token|(?<=")(?:auth|jwt|key|pass|pwd|token|value))';

/** A name and what leads to its value: a colon; or, in a list where names and values take turns as in raw headers, a comma and perhaps a line break. */
const SECRET_NAME = new RegExp(String.raw`${NAME}(\\*)"(?::\s?|(,)(?:\\{1,64}n)? {0,64}(?=\\*"))`, 'gi');

const NUMBER = /-?\d[\d.e+-]*/iy;

/**
 * A line (JSON) in which the values of members with telling names are masked whole: text, numbers, lists and objects. Also in JSON that is itself text
 * in this line, at any depth and where such text was cut off. Still JSON; linear in its length. Pure.
 */
export function membersMasked(line: string): string {
  let safe = '';
  let done = 0;
  SECRET_NAME.lastIndex = 0;
  for (let match = SECRET_NAME.exec(line); match !== null; match = SECRET_NAME.exec(line)) {
    const [found, escapes = '', comma] = match;
    const from = match.index + found.length;
    // In JSON inside JSON a quote has 1 backslash, then 3, 7, …: any other number is a backslash in the name, which then is another name.
    if ((escapes.length & (escapes.length + 1)) !== 0) continue;
    const to = endOfValue(line, from, escapes.length);
    if (to === from || (comma !== undefined && line[to] === ':')) continue; // what follows the comma is the next member
    safe += `${line.slice(done, from)}${escapes}"${MASK}${escapes}"`;
    done = to;
    SECRET_NAME.lastIndex = to;
  }
  return safe + line.slice(done);
}

/** Where the value that begins at `from` ends, its quotes having so many backslashes; `from` itself where there is nothing to hide. */
function endOfValue(line: string, from: number, escapes: number): number {
  NUMBER.lastIndex = from;
  if (NUMBER.test(line)) return NUMBER.lastIndex;
  const isContainer = line[from] === '[' || line[from] === '{';
  if (!isContainer && !line.startsWith(`${'\\'.repeat(escapes)}"`, from)) return from;
  let open = 0;
  let inText = false;
  for (let at = from; at < line.length; at++) {
    const char = line[at];
    if (char === '"') {
      const quote = quoteAt(line, at, escapes);
      if (typeof quote === 'number') return quote;
      if (quote === 'delimiter') inText = !inText;
    } else if (!inText && (char === '[' || char === '{')) open++;
    else if (!inText && (char === ']' || char === '}')) open--;
    else continue;
    if (open === 0 && !inText) return at + 1;
  }
  return line.length;
}

/**
 * What a quote is to JSON whose own quotes have n backslashes. A backslash in its texts is n + 1, so before a quote there are 2(n + 1)·m, and then n where it
 * delimits a text or 2n + 1 where it stands in one. Any other is of the text around, which ends here: then, where that end begins.
 */
function quoteAt(line: string, at: number, n: number): 'delimiter' | 'inside' | number {
  let run = 0;
  while (line[at - run - 1] === '\\') run++;
  const rest = run % (2 * (n + 1));
  if (rest === n) return 'delimiter';
  if (rest === 2 * n + 1) return 'inside';
  // The outer quote's own backslashes are as many as the run's lowest bits that are set.
  const outer = ((run + 1) & -(run + 1)) - 1;
  return at - outer;
}
