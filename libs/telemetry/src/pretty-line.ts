const COLOURS: Record<string, string> = { fatal: '\u{1b}[31m', error: '\u{1b}[31m', warn: '\u{1b}[33m', debug: '\u{1b}[2m', trace: '\u{1b}[2m' };
const RESET = '\u{1b}[0m';
const ROUTINE = new Set(['level', 'time', 'app', 'instance', 'msg', 'trace_id', 'span_id', 'err']);
/** What a terminal would obey instead of show. */
const CONTROL = /[\p{Cc}--[\n\t]]/gv;

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
  const error = entry.err ? ` ${(isError ? entry.err.stack : entry.err.message) ?? ''}` : '';
  const said = `${entry.app.padEnd(14)} ${entry.msg ?? ''}${fields.join('')}${error}`.replace(CONTROL, '');
  return `${entry.time.slice(11, 19)} ${COLOURS[entry.level] ?? ''}${entry.level.padEnd(5)}${RESET} ${said}\n`;
}
