const COLOURS: Record<string, string> = { fatal: '\u{1b}[31m', error: '\u{1b}[31m', warn: '\u{1b}[33m', debug: '\u{1b}[2m', trace: '\u{1b}[2m' };
const RESET = '\u{1b}[0m';
const ROUTINE = new Set(['level', 'time', 'app', 'instance', 'msg', 'trace_id', 'span_id', 'err']);
/** What a terminal would obey instead of show, and what breaks or turns a line: Unicode has several of each. */
const CONTROL = /[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu;

interface Entry {
  level: string;
  time: string;
  app: string;
  msg?: string;
  err?: { stack?: string; message?: string };
}

/** A log line for people: time, level, app, message, then the fields that are not routine. A stack only with an error. */
export function prettyLine(line: string): string {
  const entry = JSON.parse(line) as Entry & Record<string, unknown>;
  const fields = Object.entries(entry).filter(([name]) => !ROUTINE.has(name)).map(([name, value]) => ` ${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`);
  const isError = entry.level === 'error' || entry.level === 'fatal';
  const error = entry.err ? ` ${isError ? indented(entry.err.stack ?? '') : shown(entry.err.message ?? '')}` : '';
  const said = `${entry.app.padEnd(14)} ${shown(`${entry.msg ?? ''}${fields.join('')}`)}${error}`;
  return `${entry.time.slice(11, 19)} ${COLOURS[entry.level] ?? ''}${entry.level.padEnd(5)}${RESET} ${said}\n`;
}

/** On one line: what a client sent must not look like a line of its own. */
const shown = (text: string): string => text.replace(CONTROL, (char) => (char === '\n' ? '\\n' : char === '\r' ? '\\r' : char === '\t' ? '\\t' : `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`));

/** A stack has several lines, and its first ones may be a text of anybody's: none of them begins where a log line does. */
const indented = (stack: string): string => stack.split('\n').map((line, i) => (i === 0 || line.startsWith('    ') ? shown(line) : `    ${shown(line)}`)).join('\n');
