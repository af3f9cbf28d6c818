import { createReadStream } from 'node:fs';
import { pipeline, type Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { CliFailure, EXIT } from '../failure.ts';

/** One line of a file that is not blank. */
export interface Line {
  /** From 1 on; blank lines count. */
  number: number;
  /** null: it is longer than may be held. */
  text: string | null;
}

/** A request with a few images may be long; a file without line ends must not fill the memory. */
const LONGEST_LINE_BYTES = 32 * 1024 * 1024;
const LINE_FEED = 10;
const BYTE_ORDER_MARK = '\uFEFF';

/** The lines of a file, or of standard input for `-`, as they come; what ends in `.gz` is unpacked. Throws a CliFailure where it cannot be read. */
export async function* fileLines(file: string, stdin: Readable): AsyncGenerator<Line> {
  try {
    yield* linesOf(file === '-' ? stdin : bytesOf(file));
  } catch (error) {
    const code = systemCode(error);
    throw code === null ? error : new CliFailure(EXIT.usage, `${file} cannot be read (${code}).`);
  }
}

/** As `ENOENT`; null: it is no error of the system's. */
export const systemCode = (error: unknown): string | null => (typeof error === 'object' && error !== null && 'code' in error && typeof error.code === 'string' ? error.code : null);

function bytesOf(file: string): Readable {
  const bytes = createReadStream(file);
  if (!file.endsWith('.gz')) return bytes;
  const unpacked = createGunzip();
  // Whatever breaks ends `unpacked` with its error, which is whose reader is told.
  pipeline(bytes, unpacked, () => {});
  return unpacked;
}

/** Splits at line feeds. A line is held as a whole, up to `longestBytes`; of a longer one only its number is told. */
export async function* linesOf(chunks: AsyncIterable<Buffer | string>, longestBytes = LONGEST_LINE_BYTES): AsyncGenerator<Line> {
  let parts: Buffer[] = [];
  let bytes = 0;
  let number = 1;
  const take = (part: Buffer): void => {
    bytes += part.length;
    if (bytes > longestBytes) parts = [];
    else parts.push(part);
  };
  const line = (): Line | null => {
    const text = bytes > longestBytes ? null : textOf(parts, number);
    parts = [];
    bytes = 0;
    return text === null || text.trim() !== '' ? { number, text } : null;
  };
  for await (const chunk of chunks) {
    const buffer = Buffer.from(chunk);
    let start = 0;
    for (let end = buffer.indexOf(LINE_FEED); end !== -1; end = buffer.indexOf(LINE_FEED, start)) {
      take(buffer.subarray(start, end));
      const complete = line();
      if (complete !== null) yield complete;
      number++;
      start = end + 1;
    }
    if (start < buffer.length) take(buffer.subarray(start));
  }
  const last = line();
  if (last !== null) yield last;
}

function textOf(parts: readonly Buffer[], number: number): string {
  const text = Buffer.concat(parts).toString('utf8');
  return number === 1 && text.startsWith(BYTE_ORDER_MARK) ? text.slice(1) : text;
}
