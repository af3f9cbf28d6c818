const MASK = '[masked]';

/** Values of JSON members with such a name never reach a log, whatever they look like. */
const SECRET_MEMBER = /"((?:[a-z0-9_-]*(?:authorization|api[-_]?key|secret|password|passwd|access[-_]?token|cookie))|key|token|value)":"(?:[^"\\]|\\.)*"/gi;

const SECRET_TEXT: [pattern: RegExp, replacement: string][] = [
  [/\bsk-[A-Za-z0-9_-]{6,}/g, `sk-${MASK}`],
  [/\b(Bearer|Basic) +[A-Za-z0-9._~+/=-]{6,}/gi, `$1 ${MASK}`],
  [/\beyJ[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*){1,4}/g, MASK],
  [/\b([a-z][a-z0-9+.-]*:\/\/)[^\s/@:"]*:[^\s/@"]+@/gi, `$1${MASK}@`],
  [/\bAKIA[A-Z0-9]{12,}/g, MASK],
];

/** A log line (JSON text) without anything that looks like a secret. Pure. */
export function masked(line: string): string {
  let text = line.replace(SECRET_MEMBER, `"$1":"${MASK}"`);
  for (const [pattern, replacement] of SECRET_TEXT) text = text.replace(pattern, replacement);
  return text;
}
