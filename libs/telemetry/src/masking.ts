const MASK = '[masked]';

// Every pattern begins at a fixed text or has a bounded head: a line that a client shaped must not make masking quadratic.

/** How names of members end whose value is never shown, whatever it looks like. `key`, `token` and the like only as the whole name. */
const SECRET_NAME = '(?:authorization|api-?key|[-_](?:key|token|pwd)|(?:admin|bootstrap|master|private)key|secret|password|passwd|passphrase|cookie|(?:access|refresh|auth|session)token|(?<=")(?:key|token|value|pwd))';
const STRING = String.raw`"(?:[^"\\]|\\.)*"`;
const SECRET_MEMBER = new RegExp(String.raw`(${SECRET_NAME}":)(?:${STRING}|\[(?:${STRING},?)*\]|-?\d[\d.e+-]*)`, 'gi');

/**
 * The same in JSON that is itself text in this line. Its quotes carry n backslashes (captured as 2), a backslash in it is n + 1, so within its
 * strings a run before a quote is 2(n + 1)·m, then n + 1 + n for an escaped quote or n for the closing one.
 */
const SECRET_MEMBER_IN_TEXT = new RegExp(String.raw`(${SECRET_NAME}(\\(?:\\\\)*)":\s*\2")(?:[^"\\]|\\+[^"\\]|(?:\\\2){2}(?=\\*")|\\\2\2")*(?=\2")`, 'gi');

/** No letter stands before it. The letters of JSON's own escapes, as in a line break before a key, are no letters. */
const START = String.raw`(?:(?<![a-z])|(?<=\\[bfnrt])|(?<=\\u[0-9a-f]{4}))`;
const word = (pattern: string): RegExp => new RegExp(START + pattern, 'gi');

const SECRET_TEXT: [pattern: RegExp, replacement: string][] = [
  [word(String.raw`(sk-)[\w-]{6,}`), `$1${MASK}`],
  [word(String.raw`(bearer|basic) +[^\s"'\\,;]{6,}`), `$1 ${MASK}`],
  // JWT and JWE
  [word(String.raw`eyJ[\w-]{8,}(?:\.[\w-]*){0,4}`), MASK],
  [word(String.raw`(?:AKIA[A-Z0-9]{12,}|AIza[\w-]{30,}|gh[pousr]_\w{20,}|xox[abprs]-[\w-]{10,})`), MASK],
  [/(-----BEGIN [A-Z ]{0,20}PRIVATE KEY-----)(?:[^"\\-]|\\n)*/g, `$1${MASK}`],
  [/(hooks\.slack\.com\/services\/)[\w/-]+/g, `$1${MASK}`],
  // user and password of a URL
  [/(:\/\/)[^\s/?#"\\]+@/g, `$1${MASK}@`],
  // OPENAI_API_KEY=…, password: '…', ?key=…
  [/((?:api-?key|[-_](?:key|token)|secret|password|passwd|passphrase)(?:=|: ?))(?!\[masked)(?:'[^'"\\]*'|[^\s'"\\,;&)}\]]+)/gi, `$1${MASK}`],
  [/([?&](?:key|token|sig|signature)=)[^\s"\\&]+/gi, `$1${MASK}`],
];

/** A log line (JSON text) without anything that looks like a secret; still JSON. Pure. */
export function masked(line: string): string {
  let safe = line.replace(SECRET_MEMBER, `$1"${MASK}"`);
  if (safe.includes('\\"')) safe = safe.replace(SECRET_MEMBER_IN_TEXT, `$1${MASK}`);
  for (const [pattern, replacement] of SECRET_TEXT) safe = safe.replace(pattern, replacement);
  return safe;
}
