import { GatheredBytes } from '../pipeline/gathered-bytes.ts';

const LF = 10;
const CR = 13;

/** What a line of data takes at least: also an empty one is held until its event ends. */
const LINE_CHARS = 16;

/** One server-sent event. `data` lines are joined by `\n`; comments are dropped. */
export interface SseEvent {
  event: string | null;
  data: string;
}

/**
 * Reads server-sent events (WHATWG HTML, section 9.2.6) from bytes cut anywhere: inside a line, between CR and LF, inside
 * a UTF-8 character. Throws a RangeError when one event grows past `maxEventBytes`: a peer that never ends a line, or never
 * an event, must not fill the memory.
 */
export class SseParser {
  /** The beginning of a line whose end has not come. */
  private begun: GatheredBytes | null = null;
  private data: string[] = [];
  /** Of the data lines of the event that is being read. */
  private dataChars = 0;
  private event: string | null = null;
  private afterCr = false;
  private atStart = true;

  constructor(private readonly maxEventBytes = 16 * 1024 * 1024) {}

  /** Events completed by these bytes. */
  push(chunk: Uint8Array): SseEvent[] {
    const events: SseEvent[] = [];
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    let lineStart = this.afterCr && bytes[0] === LF ? 1 : 0;
    if (bytes.length > 0) this.afterCr = false;
    let lf = bytes.indexOf(LF, lineStart);
    let cr = bytes.indexOf(CR, lineStart);
    while (lf >= 0 || cr >= 0) {
      const end = lf < 0 || (cr >= 0 && cr < lf) ? cr : lf;
      this.line(this.text(bytes, lineStart, end), events);
      lineStart = end + 1;
      if (end === cr) {
        if (lineStart === bytes.length) this.afterCr = true; // its LF may still come
        else if (bytes[lineStart] === LF) lineStart += 1;
        cr = bytes.indexOf(CR, lineStart);
      }
      if (lf >= 0 && lf < lineStart) lf = bytes.indexOf(LF, lineStart);
    }
    // A copy: what is left of a chunk must not keep all of it.
    if (lineStart < bytes.length) this.hold(Buffer.from(bytes.subarray(lineStart)));
    if ((this.begun?.length ?? 0) + this.dataChars > this.maxEventBytes) throw new RangeError('an event of the stream is too long');
    return events;
  }

  private hold(piece: Buffer): void {
    this.begun ??= new GatheredBytes();
    this.begun.add(piece);
  }

  /** The line that ends with these bytes. */
  private text(bytes: Buffer, start: number, end: number): string {
    if (this.begun === null) return start === end ? '' : bytes.toString('utf8', start, end);
    this.begun.add(bytes.subarray(start, end));
    const line = this.begun.bytes().toString('utf8');
    this.begun = null;
    return line;
  }

  private line(raw: string, events: SseEvent[]): void {
    const line = this.atStart && raw.startsWith('\u{feff}') ? raw.slice(1) : raw;
    this.atStart = false;
    if (line === '') {
      if (this.data.length > 0) events.push({ event: this.event, data: this.data.length === 1 ? (this.data[0] ?? '') : this.data.join('\n') });
      this.data = [];
      this.dataChars = 0;
      this.event = null;
      return;
    }
    const colon = line.indexOf(':');
    if (colon === 0) return;
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(line.charCodeAt(colon + 1) === 0x20 ? colon + 2 : colon + 1);
    if (field === 'data') {
      this.data.push(value);
      this.dataChars += value.length + LINE_CHARS;
    } else if (field === 'event') this.event = value;
  }
}

/** One event on the wire. A line break inside `data` becomes several data lines, so text can never forge an event. */
export function sseEvent(data: string): string {
  return data.includes('\n') || data.includes('\r') ? `data: ${data.split(/\r\n|\r|\n/).join('\ndata: ')}\n\n` : `data: ${data}\n\n`;
}

export const SSE_DONE = '[DONE]';
