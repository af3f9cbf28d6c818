import type { Readable } from 'node:stream';

const LONGEST_LINE = 1_000_000;

/** Calls `onLine` for every line of a stream, without its line end; an overlong line is handed over in pieces rather than kept for ever. */
export function eachLine(stream: Readable, onLine: (line: string) => void): void {
  let rest = '';
  stream.setEncoding('utf8');
  stream.on('data', (chunk: string) => {
    const lines = (rest + chunk).split(/\r?\n/);
    rest = lines.pop() ?? '';
    for (const line of lines) onLine(line);
    if (rest.length > LONGEST_LINE) {
      onLine(rest);
      rest = '';
    }
  });
  stream.on('end', () => {
    if (rest !== '') onLine(rest);
    rest = '';
  });
  // The reader of a dead child's pipe learns of the death from 'exit'; a broken pipe adds nothing to that.
  stream.on('error', () => {});
}
