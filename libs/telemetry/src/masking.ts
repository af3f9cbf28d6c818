import { MASK, membersMasked } from './masking-members.ts';

// Every pattern begins at a fixed text or has a bounded head: a line that a client shaped must not make masking quadratic. The line is JSON, and stays it: a
// pattern takes an escape whole or not at all, and never the quote that ends a text.

/** No letter stands before it. The letters of JSON's own escapes, as in a line break before a key, are no letters. */
const START = String.raw`(?:(?<![a-z])|(?<=\\[bfnrt])|(?<=\\u[0-9a-f]{4}))`;

/** Keys that say themselves what they are: of deja and OpenAI, of other providers and clouds, JWT and JWE. */
const KEYS = [
  String.raw`(?:AKIA|ASIA)[A-Z0-9]{12,}`,
  String.raw`AIza[\w-]{30,}`,
  String.raw`ya29\.[\w-]{10,}`,
  String.raw`gh[pousr]_\w{20,}`,
  String.raw`github_pat_\w{20,}`,
  String.raw`xox[abeprs]-[\w-]{10,}`,
  String.raw`(?:gsk|hf|r8|fw|tgp|whsec)_\w{16,}`,
  String.raw`(?:pplx|xai|csk)-\w{16,}`,
  String.raw`nvapi-[\w-]{16,}`,
  String.raw`eyJ[\w-]{8,}(?:\.[\w-]*){0,4}`,
].join('|');

/** Every word that a name or a text in front of a secret has in it. */
const TELLING = /key|token|pwd|secret|pass|sig|cookie|auth|jwt|value|bearer|basic/i;
/** A quote inside a text of the line. */
const QUOTE = String.raw`\\(?:\\\\)*"`;
/** Words before a secret in running text, and what stands between the two: `OPENAI_API_KEY=…`, `x-api-key: …`, `'apiKey' => '…'`. */
const TOLD = String.raw`(?:(?:api|access|account|admin|bootstrap|master|private|shared|signing|subscription)-?key|[-_](?:key|token|pwd)|secret|password|passwd|passphrase|signature|${START}(?:token|pwd|pass)(?==))(?:${QUOTE}|')? ?(?:=>?|:) ?`;
/** Within such text a backslash that begins no line break. */
const BACKSLASH = String.raw`\\\\(?!\\{0,64}[nrt])`;
const ESCAPE = String.raw`\\[^u]|\\u[0-9a-f]{4}`;
const VALUE = String.raw`(?:${QUOTE}[^"\\]*|'(?:[^'"\\]|${ESCAPE})*'?|\`(?:[^\`"\\]|${ESCAPE})*\`?|(?:[^\s'"\\,;&)}\]]|${BACKSLASH})+)`;

type Rule = [pattern: RegExp, replacement: string];

/** Rules by what a match has in it: most lines have none of it, and looking for it takes less than the rules do. */
const RULES: [needed: RegExp | string, rules: Rule[]][] = [
  [/sk-|a(?:kia|sia|iza)|ya29|gh[pousr]_|github_pat|xox|(?:gsk|hf|r8|fw|tgp|whsec)_|(?:pplx|xai|csk|nvapi)-|eyj/i, [
    [new RegExp(String.raw`${START}(sk-)[\w-]{6,}`, 'gi'), `$1${MASK}`],
    [new RegExp(`${START}(?:${KEYS})`, 'gi'), MASK],
  ]],
  [TELLING, [
    [new RegExp(String.raw`${START}(bearer|basic) +[^\s"'\\,;]{6,}`, 'gi'), `$1 ${MASK}`],
    [/(-----BEGIN [A-Z ]{0,20}PRIVATE KEY-----)(?:[^"\\-]|\\+[nr])*/g, `$1${MASK}`],
    [new RegExp(String.raw`(${TOLD})(?!(?:${QUOTE}|['\`])?\[masked)${VALUE}`, 'gi'), `$1${MASK}`],
    [/([?&](?:key|token|sig|signature)=)[^\s"\\&]+/gi, `$1${MASK}`],
    // The rest of a line of headers.
    [/((?:authorization|cookie): ?)(?!\[masked)[^"\\]+/gi, `$1${MASK}`],
    // What providers say of a key that they refuse.
    [/(key provided: ?)(?!\[masked)[^\s"\\]+/gi, `$1${MASK}`],
    [/((?:key|secret|token|password)(?: provided| given| is| was)?[:=]? ?(?:\\+"|')?)[a-z0-9]{32,}/gi, `$1${MASK}`],
  ]],
  // User and password of a URL. Passwords of databases are often written with a slash in them.
  ['://', [
    [new RegExp(String.raw`((?:rediss?|valkeys?|postgres(?:ql)?|mongodb(?:\+srv)?|amqps?|mysql)://)(?:[^\s"\\]|${BACKSLASH}){1,256}@`, 'gi'), `$1${MASK}@`],
    [new RegExp(String.raw`(://)(?:[^\s/?#"\\]|${BACKSLASH})+@`, 'g'), `$1${MASK}@`],
  ]],
  ['slack.com/services/', [[/(hooks\.slack\.com\/services\/)[\w/-]+/g, `$1${MASK}`]]],
  // Bytes: a Buffer as JSON and as Node shows it, and any other array of bytes.
  ['Buffer', [
    [/("type\\*":\s?\\*"Buffer\\*",(?:\\+n)?\s{0,64}\\*"data\\*":\s?)\[(?:[\d,\s]|\\+n)*\]/g, '$1[]'],
    [/(<Buffer )[0-9a-f ]+/g, `$1${MASK}`],
  ]],
  ['"0', [[/\{(?:\\+n)?\s{0,64}\\*"0\\*":\s?\d{1,3}(?:,(?:\\+n)?\s{0,64}\\*"\d{1,9}\\*":\s?\d{1,3})*(?:\\+n)?\s{0,64}\}/g, '{}']]],
];

/** A log line (JSON text) without anything that looks like a secret; still JSON. Pure. */
export function masked(line: string): string {
  let safe = TELLING.test(line) ? membersMasked(line) : line;
  for (const [needed, rules] of RULES) {
    if (typeof needed === 'string' ? !line.includes(needed) : !needed.test(line)) continue;
    for (const [pattern, replacement] of rules) safe = safe.replace(pattern, replacement);
  }
  return safe;
}
