import { isAscii, isUtf8 } from 'node:buffer';
import { GatheredBytes } from '../pipeline/gathered-bytes.ts';
import { charsetOf, malformed, partHeader, withLength, type PartHeader } from './part-header.ts';

export { boundaryOf } from './part-header.ts';

export interface MultipartBounds {
  /** Of one field that is no file, in bytes: all of it is held until it ends. */
  maxFieldBytes: number;
  /** Of all fields that are no file together, in bytes. */
  maxFieldsBytes: number;
  maxParts: number;
  /** Of one part's header block, in bytes. */
  maxHeaderBytes: number;
}

/** Gives a field another value on the way; undefined leaves it byte for byte. Called for every field that is no file, also for a repeated name. */
export type RewriteField = (field: string, value: string) => string | undefined;

export interface FormFile {
  readonly name: string;
  readonly filename: string;
  readonly contentType: string | null;
  /** Seen so far. */
  readonly bytes: number;
}

export interface ScannerOptions extends MultipartBounds {
  rewrite?: RewriteField;
  /** Told of bytes of fields that are held from now on; may throw. */
  held?: (bytes: number) => void;
  /** Names that must be plain fields: what decides where a form goes must not come as a file, which some providers read as a field all the same. */
  plainFields?: readonly string[];
}

interface Part extends PartHeader {
  header: Buffer;
  bytes: number;
  held: GatheredBytes;
}

type State = 'start' | 'after delimiter' | 'header' | 'body' | 'end';

/** What a field's bytes may be said to be: they are read as UTF-8 here, and have to be read alike by the provider. */
const UTF_8 = new Set<string | null>([null, 'utf-8', 'utf8', 'us-ascii', 'ascii']);
/** What some clients say of every field. It makes no difference as long as there is nothing but ASCII. */
const LIKE_ASCII = new Set<string | null>(['iso-8859-1', 'latin1', 'windows-1252']);
const CR = 0x0d;
const LF = 0x0a;
const DASH = 0x2d;
const CRLF = Buffer.from('\r\n');
const DASHES = Buffer.from('--');
const NOTHING = Buffer.alloc(0);
const END_OF_HEADER = Buffer.from('\r\n\r\n');
/** Of a delimiter, its CRLF: before the first one, and after a header, it has been there already. */
const LINE_BREAK = 2;

/**
 * Follows a multipart/form-data body (RFC 2046, section 5.1; RFC 7578) as it streams by, and may change fields on the way. Holds one header block and one
 * field at a time, and the values of the fields seen: at most `maxFieldsBytes`; never a file. Without a rewrite what goes out is what came in.
 *
 * Strict, because what is checked here has to be what the provider sees: no preamble but one CRLF, nothing but white space after the final
 * boundary, no line that begins with the boundary and goes on. Throws `invalid_value` for a form that is not well formed, and is of no use then.
 */
export class MultipartScanner {
  /** The first value of each field that is no file. */
  readonly fields = new Map<string, string>();
  private readonly delimiter: Buffer;
  private readonly parts: Part[] = [];
  private partCount = 0;
  private fieldsBytes = 0;
  private state: State = 'start';
  /** Bytes of the delimiter that the last ones seen agree with, and how many of these need not be sent: they were, or never came. */
  private matched = LINE_BREAK;
  private sent = LINE_BREAK;
  /** The first of the two bytes after a delimiter. */
  private afterDelimiter = -1;
  private header: { gathered: GatheredBytes; endMatched: number } = { gathered: new GatheredBytes(), endMatched: 0 };
  private part: Part | null = null;
  private out: Uint8Array[] = [];

  constructor(
    boundary: string,
    private readonly o: ScannerOptions,
  ) {
    this.delimiter = Buffer.from(`\r\n--${boundary}`, 'latin1');
  }

  get files(): readonly FormFile[] {
    return this.parts.flatMap(({ name, filename, contentType, bytes }) => (filename === null ? [] : [{ name, filename, contentType, bytes }]));
  }

  /** Whether the final boundary was seen. */
  get complete(): boolean {
    return this.state === 'end';
  }

  /** Takes the next bytes, returns those to be sent on: views of `chunk` where nothing was changed. */
  push(chunk: Uint8Array): Uint8Array[] {
    const data = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    this.out = [];
    for (let at = 0; at < data.length; ) at = this.step(data, at);
    return this.out;
  }

  /** No more bytes come. Throws when the form is not complete. */
  end(): Uint8Array[] {
    if (!this.complete) throw malformed('it ends before its final boundary');
    return [];
  }

  /** Takes what it can from `at` on; returns where to go on. */
  private step(data: Buffer, at: number): number {
    if (this.state === 'start') return this.begin(data, at);
    if (this.state === 'after delimiter') return this.afterBoundary(data, at);
    if (this.state === 'header') return this.readHeader(data, at);
    if (this.state === 'body') return this.readBody(data, at);
    for (let i = at; i < data.length; i++) if (![CR, LF, 0x20, 0x09].includes(data[i] ?? 0)) throw malformed('something follows its final boundary');
    this.out.push(data.subarray(at));
    return data.length;
  }

  private begin(data: Buffer, at: number): number {
    if (this.sent > 0 && this.matched === LINE_BREAK && data[at] === CR) this.matched = this.sent = 0;
    const next = this.match(data, at);
    if (this.matched === this.delimiter.length) this.delimited();
    else if (next < data.length) throw malformed('it does not begin with the boundary that its content-type names');
    return next;
  }

  private afterBoundary(data: Buffer, at: number): number {
    const byte = data[at] ?? 0;
    if (this.afterDelimiter < 0) {
      if (byte !== CR && byte !== DASH) throw malformed('a line begins with the boundary and goes on');
      this.afterDelimiter = byte;
      return at + 1;
    }
    if (byte !== (this.afterDelimiter === CR ? LF : DASH)) throw malformed('a line begins with the boundary and goes on');
    if (byte === DASH) {
      this.state = 'end';
      this.out.push(DASHES);
      return at + 1;
    }
    if (++this.partCount > this.o.maxParts) throw malformed(`it has more than ${this.o.maxParts} parts`);
    this.out.push(CRLF);
    this.state = 'header';
    // The line break before counts: a part without any header is an empty line.
    this.header = { gathered: new GatheredBytes(), endMatched: LINE_BREAK };
    return at + 1;
  }

  private readHeader(data: Buffer, at: number): number {
    const { header } = this;
    let next = at;
    while (next < data.length && header.endMatched < END_OF_HEADER.length) {
      const byte = data[next++];
      if (byte === END_OF_HEADER[header.endMatched]) header.endMatched++;
      else header.endMatched = byte === CR ? 1 : 0;
    }
    header.gathered.add(data.subarray(at, next));
    if (header.gathered.length > this.o.maxHeaderBytes) throw malformed(`the header of a part is longer than ${this.o.maxHeaderBytes} bytes`);
    if (header.endMatched === END_OF_HEADER.length) this.beginPart(header.gathered.bytes());
    return next;
  }

  private beginPart(block: Buffer): void {
    const part = { ...partHeader(block.subarray(0, -CRLF.length)), header: block, bytes: 0, held: new GatheredBytes() };
    if (part.filename !== null && this.o.plainFields?.includes(part.name)) throw malformed(`'${part.name}' is a file, a plain field is expected`);
    this.part = part;
    this.parts.push(part);
    this.state = 'body';
    this.matched = this.sent = LINE_BREAK;
    if (part.filename !== null) this.out.push(block);
  }

  private readBody(data: Buffer, at: number): number {
    if (this.matched > 0) {
      const next = this.match(data, at);
      if (this.matched === this.delimiter.length) this.endPart();
      else if (next < data.length) {
        // It was no delimiter after all. None can begin inside it: the only CR is its first byte.
        this.content(this.delimiter.subarray(this.sent, this.matched));
        this.matched = this.sent = 0;
      }
      return next;
    }
    const found = data.indexOf(this.delimiter, at);
    const end = found >= 0 ? found : data.length - beginningAtEnd(data, at, this.delimiter);
    this.content(data.subarray(at, end));
    this.matched = found >= 0 ? this.delimiter.length : data.length - end;
    if (found < 0) return data.length;
    this.endPart();
    return found + this.delimiter.length;
  }

  /** Goes on comparing with the delimiter; stops at the first difference, at its end, or at the end of the data. */
  private match(data: Buffer, at: number): number {
    let next = at;
    while (next < data.length && this.matched < this.delimiter.length && data[next] === this.delimiter[this.matched]) {
      next++;
      this.matched++;
    }
    return next;
  }

  private content(bytes: Buffer): void {
    const { part } = this;
    if (part === null || bytes.length === 0) return;
    part.bytes += bytes.length;
    if (part.filename !== null) {
      this.out.push(bytes);
      return;
    }
    if (part.bytes > this.o.maxFieldBytes) throw malformed(`the field '${part.name}' is longer than ${this.o.maxFieldBytes} bytes`);
    this.fieldsBytes += bytes.length;
    if (this.fieldsBytes > this.o.maxFieldsBytes) throw malformed(`its fields have more than ${this.o.maxFieldsBytes} bytes together`);
    this.o.held?.(bytes.length);
    part.held.add(bytes);
  }

  private endPart(): void {
    const { part } = this;
    if (part !== null) {
      if (this.sent > 0) throw malformed(`the boundary follows the header of '${part.name}' at once`);
      if (part.filename === null) this.endField(part);
      part.header = NOTHING;
    }
    this.part = null;
    this.delimited();
  }

  private endField(part: Part): void {
    const bytes = part.held.bytes();
    part.held = new GatheredBytes();
    const charset = charsetOf(part.contentType);
    if (!isUtf8(bytes)) throw malformed(`the field '${part.name}' is not valid UTF-8`);
    if (!UTF_8.has(charset) && !(LIKE_ASCII.has(charset) && isAscii(bytes))) throw malformed(`the field '${part.name}' has a charset that is not UTF-8`);
    const value = bytes.toString('utf8');
    if (!this.fields.has(part.name)) this.fields.set(part.name, value);
    // RFC 7578, section 4.6: the charset of all the others.
    if (part.name === '_charset_' && !UTF_8.has(value.trim().toLowerCase())) throw malformed('its fields are not in UTF-8');
    const replacement = this.o.rewrite?.(part.name, value);
    if (replacement === undefined) {
      this.out.push(part.header, bytes);
      return;
    }
    const rewritten = Buffer.from(replacement);
    // The field stands on a line of its own, so the boundary may not be its beginning either.
    if (Buffer.concat([CRLF, rewritten]).includes(this.delimiter)) throw malformed(`the boundary would be part of the field '${part.name}'`);
    this.out.push(withLength(part.header, rewritten.length), rewritten);
  }

  private delimited(): void {
    this.out.push(this.delimiter.subarray(this.sent));
    this.state = 'after delimiter';
    this.afterDelimiter = -1;
    this.matched = this.sent = 0;
  }
}

/** How many bytes at the end of `data` may be the beginning of the delimiter. */
function beginningAtEnd(data: Buffer, from: number, delimiter: Buffer): number {
  const at = data.lastIndexOf(CR);
  if (at < from) return 0;
  const bytes = data.length - at;
  return bytes < delimiter.length && data.compare(delimiter, 0, bytes, at) === 0 ? bytes : 0;
}
