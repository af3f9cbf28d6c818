import { RE2JS } from 're2js';
import { charClass, has, type CharClass, type Scan, type Span } from './scan.ts';
import type { Work } from './work.ts';

/**
 * Secrets that only their name gives away: `AWS_SECRET_ACCESS_KEY=…`, `"api-key": "…"`, `password: …`. A name, at most two blanks, an
 * operator, at most four blanks, a value without blanks.
 */
interface Assignment {
  /** The name in lower case, without `_`, `-` and `.`. */
  name: string;
  value: string;
  /** The value. */
  span: Span;
}

const NAME = charClass('a-z', 'A-Z', '0-9', '_', '-', '.');
const MAX_NAME = 64;
const QUOTES = charClass('"', "'", '`');
const BLANK = charClass(' ', '\t');
const OPERATOR = charClass(':', '=', '>');
const VALUE = charClass('!-~');
/** What ends a value. `[` does too, so that a redacted value stays as it is. */
const VALUE_ENDS = ['"', "'", '`', ',', ';', ')', ']', '[', '}', '{', '<', '>', '&', '\\'];
for (const end of VALUE_ENDS) VALUE[end.charCodeAt(0)] = 0;

/** Ends of the names below: a cheap way past the many names that are none of them. */
const LAST_LETTER = charClass('d', 'D', 'e', 'E', 't', 'T', 'y', 'Y', 'n', 'N');
const NAME_ENDS = new Set(['ord', 'swd', 'pwd', 'ase', 'ret', 'key', 'ken']);
const SECRET_NAME = RE2JS.compile('(?:password|passwd|passphrase|pwd|secret|secretkey|accesskey|apikey|accesstoken|authtoken|refreshtoken|bearertoken|token|privatekey|accountkey|subscriptionkey|signingkey|encryptionkey)$');
const AWS_NAME = RE2JS.compile('(?:secretaccesskey|awssecretkey|awssecret|secretkey)$');
const AZURE_NAME = RE2JS.compile('(?:azure.*(?:key|secret)|ocpapimsubscriptionkey|subscriptionkey|accountkey|cognitive.*key|^apikey)$');
/** AWS IAM user guide, "Manage access keys": 40 characters of base64. */
const AWS_SECRET = RE2JS.compile('[A-Za-z0-9/+]{40}');
/** Azure AI services, "Authenticate requests": 32 hexadecimal digits, or 84 characters; storage accounts: 64 bytes of base64. */
const AZURE_KEY = RE2JS.compile('[0-9a-fA-F]{32}|[A-Za-z0-9]{84}|[A-Za-z0-9+/]{86}==');
const UPPER = RE2JS.compile('[A-Z]');
const LOWER = RE2JS.compile('[a-z]');
const DIGIT = RE2JS.compile('[0-9]');
/** Code rather than a value, or what documentation writes in its place. */
const NO_SECRET = RE2JS.compile('(?i)[a-z_]\\(|^\\$|\\$\\{|^(?:process|os|env|config|self|this|req|request|options|settings|secrets|vault)\\.|your|example|changeme|placeholder|x{4}|\\*{3}|^//|\\.\\.\\.');
const REDACTED = '[redacted:';
/** How much of a value is looked at; what is longer is never taken for code. */
const LONG_VALUE = 64;

export function findAwsSecretKeys(scan: Scan): Work<Span[]> {
  return spansWhere(scan, ({ name, value }) => AWS_NAME.test(name) && AWS_SECRET.testExact(value) && [UPPER, LOWER, DIGIT].every((some) => some.test(value)));
}

export function findAzureKeys(scan: Scan): Work<Span[]> {
  return spansWhere(scan, ({ name, value }) => AZURE_NAME.test(name) && AZURE_KEY.testExact(value) && new Set(value).size >= 6);
}

/** A value of 8 or more characters, with a digit among others: `password: string` and `token = None` are none. */
export function findAssignedSecrets(scan: Scan): Work<Span[]> {
  return spansWhere(scan, ({ value }) => {
    const head = value.slice(0, LONG_VALUE);
    if (value.length > LONG_VALUE) return true;
    return value.length >= 8 && DIGIT.test(head) && (LOWER.test(head) || UPPER.test(head)) && !NO_SECRET.test(head);
  });
}

function* spansWhere(scan: Scan, isSecret: (assignment: Assignment) => boolean): Work<Span[]> {
  const spans: Span[] = [];
  for (const assignment of yield* assignmentsIn(scan)) {
    if (scan.isTurnOver()) yield;
    if (isSecret(assignment)) spans.push(assignment.span);
  }
  return spans;
}

/** Three detectors read the same assignments of a text. */
const read = new WeakMap<Scan, Assignment[]>();

function* assignmentsIn(scan: Scan): Work<Assignment[]> {
  const known = read.get(scan);
  if (known) return known;
  const found = [...(yield* assignmentsWith(scan, ':')), ...(yield* assignmentsWith(scan, '='))];
  read.set(scan, found);
  return found;
}

/** As far before its value an operator can stand. A value may be read whose name has gone out already. */
const OPERATOR_REACH = 8;

/** A long value is read once, whatever operators stand in it but at its end (`…password: …`); a short one costs little to read again. */
function* assignmentsWith(scan: Scan, operator: string): Work<Assignment[]> {
  const found: Assignment[] = [];
  let at = scan.indexOf(operator, Math.max(0, scan.from - OPERATOR_REACH));
  while (at >= 0) {
    if (scan.isTurnOver()) yield;
    const assignment = assignmentAt(scan, at);
    if (assignment && assignment.span.start >= scan.from) found.push(assignment);
    at = scan.indexOf(operator, assignment && assignment.value.length > LONG_VALUE ? assignment.span.end - OPERATOR_REACH : at + 1);
  }
  return found;
}

function assignmentAt(scan: Scan, operator: number): Assignment | null {
  const { text } = scan;
  let nameEnd = skipBack(scan, operator, BLANK, 2);
  nameEnd = skipBack(scan, nameEnd, QUOTES, 1);
  if (text[nameEnd - 1] === '\\') nameEnd--; // a quote inside of a JSON string
  if (!has(LAST_LETTER, text, nameEnd - 1) || !NAME_ENDS.has(text.slice(nameEnd - 3, nameEnd).toLowerCase())) return null;
  const nameStart = scan.runStart(nameEnd, NAME, Math.max(0, nameEnd - MAX_NAME));
  const name = text.slice(nameStart, nameEnd).toLowerCase().replaceAll('_', '').replaceAll('-', '').replaceAll('.', '');
  if (!SECRET_NAME.test(name)) return null;
  let start = skip(scan, operator, OPERATOR, 2);
  start = skip(scan, start, BLANK, 4);
  if (text[start] === '\\') start++;
  start = skip(scan, start, QUOTES, 1);
  const end = scan.runEnd(start, VALUE);
  if (text.startsWith(REDACTED, end)) return null; // what is left of it is no value
  let stop = end;
  while (stop > start && (text[stop - 1] === '.' || text[stop - 1] === '?')) stop--; // the end of the sentence
  return { name, value: text.slice(start, stop), span: { start, end: stop } };
}

function skip({ text }: Scan, at: number, chars: CharClass, most: number): number {
  let end = at;
  while (end < at + most && has(chars, text, end)) end++;
  return end;
}

function skipBack({ text }: Scan, at: number, chars: CharClass, most: number): number {
  let start = at;
  while (start > 0 && start > at - most && has(chars, text, start - 1)) start--;
  return start;
}
