import { describe, expect, test } from '@jest/globals';
import type { DejaError } from '@deja/contracts';
import fc from 'fast-check';
import { boundaryOf, MultipartScanner, type ScannerOptions } from './multipart.ts';
import { Prelude } from './prelude.ts';

const BOUNDARY = 'b0undary-x';
const BOUNDS: ScannerOptions = { maxFieldBytes: 10_000, maxFieldsBytes: 100_000, maxParts: 20, maxHeaderBytes: 1000 };

interface FormPart {
  name: string;
  content: Buffer;
  filename?: string;
}

/** A form as RFC 7578 has it. */
function formOf(parts: FormPart[], end = '\r\n'): Buffer {
  const pieces = parts.flatMap(({ name, content, filename }) => {
    const disposition = `form-data; name="${name}"${filename === undefined ? '' : `; filename="${filename}"\r\nContent-Type: audio/mpeg`}`;
    return [Buffer.from(`--${BOUNDARY}\r\nContent-Disposition: ${disposition}\r\n\r\n`), content, Buffer.from('\r\n')];
  });
  return Buffer.concat([...pieces, Buffer.from(`--${BOUNDARY}--${end}`)]);
}

const field = (name: string, value: string): FormPart => ({ name, content: Buffer.from(value) });
const file = (content: string | Buffer, name = 'file'): FormPart => ({ name, content: Buffer.from(content), filename: 'a.mp3' });

/** Sends `body` through a scanner, cut at these places. */
function scan(body: Uint8Array, cuts: number[] = [], options: Partial<ScannerOptions> = {}, boundary = BOUNDARY): { out: Buffer; scanner: MultipartScanner } {
  const scanner = new MultipartScanner(boundary, { ...BOUNDS, ...options });
  const places = [0, ...cuts.map((cut) => cut % (body.length + 1)).sort((a, b) => a - b), body.length];
  const out = places.slice(1).flatMap((to, i) => scanner.push(body.subarray(places[i], to)));
  return { out: Buffer.concat([...out, ...scanner.end()]), scanner };
}

const seen = ({ fields, files, complete }: MultipartScanner): unknown => ({ fields: [...fields], files, complete });

/** Text that looks like a boundary again and again, and never is one. */
const tricky = fc
  .array(fc.oneof(fc.constantFrom('\r', '\n', '\r\n', '-', '--', `\r\n--${BOUNDARY.slice(0, 5)}`, `\r\r\n--${BOUNDARY.slice(0, -1)}`, BOUNDARY, `--${BOUNDARY.slice(1)}`), fc.string({ unit: 'grapheme', maxLength: 8 })), { maxLength: 12 })
  .map((pieces) => pieces.join(''))
  .filter((text) => !`\r\n${text}`.includes(`\r\n--${BOUNDARY}`));
const parts: fc.Arbitrary<FormPart[]> = fc.array(
  fc.oneof<fc.Arbitrary<FormPart>[]>(
    fc.record({ name: fc.constantFrom('model', 'prompt', 'include[]', 'größe'), content: tricky.map((text) => Buffer.from(text)) }),
    fc.record({ name: fc.constantFrom('file', 'image[]'), filename: fc.constantFrom('a.mp3', 'ä b.png', 'model'), content: fc.oneof(tricky.map((text) => Buffer.from(text)), fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes))) }),
  ),
  { minLength: 0, maxLength: 8 },
);
const cuts = fc.array(fc.nat(5000), { maxLength: 30 });

describe('a form that passes', () => {
  test('goes out byte for byte as it came, with the same fields and files, however it is cut', () => {
    fc.assert(fc.property(parts, cuts, (form, places) => {
      const body = formOf(form);
      const { out, scanner } = scan(body, places);
      expect(out.equals(body)).toBe(true);
      const first = new Map<string, string>();
      for (const { name, content, filename } of form) if (filename === undefined && !first.has(name)) first.set(name, content.toString());
      expect([...scanner.fields]).toEqual([...first]);
      expect(scanner.files).toEqual(form.flatMap(({ name, content, filename }) => (filename === undefined ? [] : [{ name, filename, contentType: 'audio/mpeg', bytes: content.length }])));
      expect(scanner.complete).toBe(true);
    }));
  });

  test('says the same byte by byte as at once', () => {
    const body = formOf([field('model', 'whisper-1'), file('\r\n--b0undary\r\n-'), field('prompt', '')]);
    const bytewise = scan(body, Array.from(body.keys()));
    expect(bytewise.out.equals(body)).toBe(true);
    expect(seen(bytewise.scanner)).toEqual(seen(scan(body).scanner));
  });

  test('of a file holds nothing: its bytes go out with the chunk they came in', () => {
    const scanner = new MultipartScanner(BOUNDARY, BOUNDS);
    const start = formOf([file('')]).subarray(0, -`\r\n--${BOUNDARY}--\r\n`.length);
    scanner.push(start);
    const chunk = Buffer.alloc(100_000, 'x');
    expect(scanner.push(chunk)).toEqual([chunk]);
    expect(scanner.files).toMatchObject([{ bytes: 100_000 }]);
    expect(scanner.complete).toBe(false);
  });

  test('as this runtime writes it is understood', async () => {
    const form = new FormData();
    form.append('model', 'whisper-1');
    form.append('timestamp_granularities[]', 'word');
    form.append('timestamp_granularities[]', 'segment');
    form.append('file', new Blob(['RIFF']), 'sp"eech.wav');
    const response = new Response(form);
    const body = Buffer.from(await response.clone().arrayBuffer());
    const { out, scanner } = scan(body, [7, 90], {}, boundaryOf(response.headers.get('content-type') ?? '') ?? '');
    expect(out.equals(body)).toBe(true);
    expect([...scanner.fields]).toEqual([['model', 'whisper-1'], ['timestamp_granularities[]', 'word']]);
    expect(scanner.files).toEqual([{ name: 'file', filename: 'sp%22eech.wav', contentType: 'application/octet-stream', bytes: 4 }]);
  });

  test.each([
    ['a line break before the first boundary', Buffer.concat([Buffer.from('\r\n'), formOf([field('model', 'm')])])],
    ['nothing after the final boundary', formOf([field('model', 'm')], '')],
    ['empty lines after the final boundary', formOf([field('model', 'm')], '\r\n\r\n')],
    ['no parts', formOf([])],
  ])('may have %s', (_, body) => {
    expect(scan(body, [1, 3]).out.equals(body)).toBe(true);
  });

  test('may name files and fields without quotes, with escaped quotes, and in UTF-8', () => {
    const heads = ['name=a', 'name="b"; filename="x\\"y.mp3"', 'filename=z.mp3;name=c', "name=\"d\"; filename*=UTF-8''%e2%82%ac.mp3", 'name="ü"'];
    const body = Buffer.from(heads.map((head) => `--${BOUNDARY}\r\ncontent-disposition:FORM-DATA; ${head}\r\n\r\nv\r\n`).join('') + `--${BOUNDARY}--`);
    const { scanner } = scan(body);
    expect([...scanner.fields.keys()]).toEqual(['a', 'ü']);
    expect(scanner.files.map(({ name, filename }) => [name, filename])).toEqual([['b', 'x"y.mp3'], ['c', 'z.mp3'], ['d', "UTF-8''%e2%82%ac.mp3"]]);
  });
});

describe('a rewritten field', () => {
  test('changes and nothing else does, also where the name is repeated', () => {
    const upstream = 'whisper-large-v3';
    fc.assert(fc.property(parts, cuts, (form, places) => {
      const { out, scanner } = scan(formOf(form), places, { rewrite: (name) => (name === 'model' ? upstream : undefined) });
      expect(out.equals(formOf(form.map((part) => (part.name === 'model' ? field('model', upstream) : part))))).toBe(true);
      // What is known of the form is what the client sent.
      expect(seen(scanner)).toEqual(seen(scan(formOf(form)).scanner));
    }));
  });

  test('gets its new length, where the client gave one', () => {
    const form = (length: number, value: string): string => `--${BOUNDARY}\r\nContent-Length: ${length}\r\nContent-Disposition: form-data; name="model"\r\n\r\n${value}\r\n--${BOUNDARY}--`;
    expect(scan(Buffer.from(form(1, 'm')), [], { rewrite: () => 'longer' }).out.toString()).toBe(form(6, 'longer'));
  });

  test.each([`--${BOUNDARY}--`, `a\r\n--${BOUNDARY}`])('cannot become a boundary: %j', (value) => {
    expect(() => scan(formOf([field('model', 'm')]), [], { rewrite: () => value })).toThrow('the boundary would be part of the field');
  });
});

describe('a malformed form', () => {
  const withHeader = (header: string, value = 'v'): string => `--${BOUNDARY}\r\n${header}\r\n\r\n${value}\r\n--${BOUNDARY}--`;
  const named = 'Content-Disposition: form-data; name="model"';

  test.each<[string, string]>([
    ['it ends before its final boundary', ''],
    ['it ends before its final boundary', `--${BOUNDARY}\r\n${named}\r\n\r\nv`],
    ['it ends before its final boundary', `--${BOUNDARY}\r\n${named}\r\n\r\nv\r\n--${BOUNDARY}`],
    ['it ends before its final boundary', `--${BOUNDARY}\r\n${named}\r\n\r\nv\r\n--${BOUNDARY}\r\n`],
    ['it does not begin with the boundary', `--other\r\n${named}\r\n\r\nv\r\n--other--`],
    ['it does not begin with the boundary', `preamble\r\n${withHeader(named)}`],
    ['it does not begin with the boundary', `\r\n\r\n${withHeader(named)}`],
    ['it does not begin with the boundary', '{"model":"m"}'],
    ['a line begins with the boundary and goes on', withHeader(named, `\r\n--${BOUNDARY}x`)],
    ['a line begins with the boundary and goes on', withHeader(named, `\r\n--${BOUNDARY} \r\n`)],
    ['a line begins with the boundary and goes on', withHeader(named, `\r\n--${BOUNDARY}-x`)],
    ['a line begins with the boundary and goes on', withHeader(named, `\r\n--${BOUNDARY}\n`)],
    ["the boundary follows the header of 'model' at once", `--${BOUNDARY}\r\n${named}\r\n\r\n--${BOUNDARY}--`],
    ['something follows its final boundary', `${withHeader(named)}\r\n--${BOUNDARY}`],
    ['a part has no name', withHeader('Content-Disposition: form-data')],
    ['a part has no name', withHeader(`${named}; name*=UTF-8''other`)],
    ['a part has a name that is empty', withHeader('Content-Disposition: form-data; name=""')],
    ['a part has a name that is empty, too long or escaped', withHeader('Content-Disposition: form-data; name="mo\\del"')],
    ['a part has a name that is empty, too long or escaped', withHeader(`Content-Disposition: form-data; name="${'n'.repeat(300)}"`)],
    ["the file in 'model' has an empty filename", withHeader(`${named}; filename=""`)],
    ['a part has no well-formed header', withHeader('Content-Type: text/plain')],
    ['a part has no well-formed header', withHeader('Content-Disposition: attachment; name="model"')],
    ['a part has no well-formed header', withHeader(`${named}; name="other"`)],
    ['a part has no well-formed header', withHeader(`${named}; filename="a" x`)],
    ['a part has no well-formed header', withHeader(`${named} filename="a"`)],
    ['a part has no well-formed header', `--${BOUNDARY}\r\n\r\nv\r\n--${BOUNDARY}--`],
    ['a part has two headers content-disposition', withHeader(`${named}\r\n${named}`)],
    ['the header of a part is not made of lines', withHeader(`${named}\r\n folded`)],
    ['the header of a part is not made of lines', withHeader(`${named}\nX: y`)],
    ['the header of a part is not made of lines', withHeader(`${named}\0`)],
    ['the header of a part is not made of lines', withHeader(`Content-Disposition : form-data; name="model"`)],
    ['the header of a part is longer than 1000 bytes', withHeader(`${named}\r\nX: ${'y'.repeat(1000)}`)],
    ["the field 'model' is encoded as base64", withHeader(`${named}\r\nContent-Transfer-Encoding: base64`, 'bQ==')],
    ["the field 'model' is longer than 10000 bytes", withHeader(named, 'v'.repeat(10_001))],
    ['its fields have more than 100000 bytes together', formOf(Array.from({ length: 11 }, (_, i) => field(`f${i}`, 'v'.repeat(9_500)))).toString()],
    ['it has more than 20 parts', formOf(Array.from({ length: 21 }, () => field('a', ''))).toString()],
    ["'purpose' is a file", withHeader('Content-Disposition: form-data; name="purpose"; filename="x"')],
  ])('is refused, whole or byte by byte: %s', (why, text) => {
    const body = Buffer.from(text);
    for (const places of [[], Array.from(body.keys())]) {
      const refused = (): unknown => scan(body, places, { plainFields: ['purpose'] });
      expect(refused).toThrow(why);
      expect(refused).toThrow(expect.objectContaining({ code: 'invalid_value' }));
    }
  });

  test('is refused when a field is not valid UTF-8', () => {
    expect(() => scan(formOf([{ name: 'model', content: Buffer.from([0xff]) }]))).toThrow("the field 'model' is not valid UTF-8");
  });

  test('is refused when a field would be read as anything but UTF-8', () => {
    const said = (charset: string, value: string): (() => unknown) => () => scan(Buffer.from(withHeader(`${named}\r\nContent-Type: text/plain; charset=${charset}`, value)));
    for (const charset of ['utf-16', 'UTF-7', 'ibm037', '"']) expect(said(charset, 'v')).toThrow("the field 'model' has a charset that is not UTF-8");
    expect(said('ISO-8859-1', 'é')).toThrow("the field 'model' has a charset that is not UTF-8");
    for (const [charset, value] of [['ISO-8859-1', 'v'], ['UTF-8', 'é'], ['"us-ascii"', 'v']] as const) expect(said(charset, value)).not.toThrow();
    expect(() => scan(formOf([field('_charset_', 'utf-16')]))).toThrow('its fields are not in UTF-8');
  });

  test('is refused at the first byte too many, before its end is seen', () => {
    const scanner = new MultipartScanner(BOUNDARY, BOUNDS);
    scanner.push(Buffer.from(`--${BOUNDARY}\r\nX: `));
    expect(() => scanner.push(Buffer.alloc(1000, 'y'))).toThrow('longer than 1000 bytes');
  });

  test('of any bytes gives an error of the client, never a defect', () => {
    const bytes = fc.array(fc.oneof(fc.constantFrom('\r\n', `--${BOUNDARY}`, '--', `${named}\r\n\r\n`, named, '"', ';', '\\', ':'), fc.string({ maxLength: 4 })), { maxLength: 15 }).map((pieces) => Buffer.from(pieces.join('')));
    fc.assert(fc.property(bytes, cuts, fc.boolean(), (body, places, begun) => {
      const whole = begun ? Buffer.concat([Buffer.from(`--${BOUNDARY}\r\n${named}`), body]) : body;
      const outcome = (at: number[]): { code: string; text: string } => {
        try {
          return { code: 'none', text: scan(whole, at).out.toString() };
        } catch (error) {
          return { code: String((error as DejaError).code), text: (error as DejaError).message };
        }
      };
      expect(outcome(places)).toEqual(outcome([]));
      expect(['none', 'invalid_value']).toContain(outcome(places).code);
    }));
  });
});

describe('reading ahead', () => {
  /** A source that counts what was taken from it. */
  function counted(chunks: Buffer[]): { source: AsyncIterable<Uint8Array>; taken: () => number; closed: () => boolean } {
    let taken = 0;
    let closed = false;
    const source = (async function* source(): AsyncGenerator<Uint8Array> {
      try {
        for (const chunk of chunks) {
          taken++;
          yield chunk;
        }
      } finally {
        closed = true;
      }
    })();
    return { source, taken: () => taken, closed: () => closed };
  }
  const pieces = (body: Buffer, size: number): Buffer[] => Array.from({ length: Math.ceil(body.length / size) }, (_, i) => body.subarray(i * size, (i + 1) * size));
  async function collect(chunks: AsyncIterable<Uint8Array>): Promise<string> {
    const all: Uint8Array[] = [];
    for await (const chunk of chunks) all.push(chunk);
    return Buffer.concat(all).toString('latin1');
  }
  const scanner = (options: Partial<ScannerOptions> = {}): MultipartScanner => new MultipartScanner(BOUNDARY, { ...BOUNDS, ...options });
  const toUpstream = { rewrite: (name: string): string | undefined => (name === 'model' ? 'upstream' : undefined) };

  test('stops at the model, and the whole form goes on under its upstream name', async () => {
    const form = (model: string): Buffer => formOf([field('language', 'de'), field('model', model), file('x'.repeat(1000))]);
    const { source, taken } = counted(pieces(form('m'), 50));
    const prelude = new Prelude(source);
    const ahead = scanner();
    const { head, exhausted } = await prelude.readAhead(ahead, 10_000);
    expect({ model: ahead.fields.get('model'), exhausted }).toEqual({ model: 'm', exhausted: false });
    expect(taken()).toBeLessThan(6);
    expect(head.length).toBeLessThan(form('m').length);
    expect(await collect(prelude.through(scanner(toUpstream)))).toBe(form('upstream').toString('latin1'));
    await expect(collect(prelude.through(scanner()))).rejects.toThrow('can be sent once');
  });

  test('of a form with its file first reads up to the bound, and says that the model is not known', async () => {
    const { source } = counted(pieces(formOf([file('x'.repeat(5000)), field('model', 'm')]), 100));
    const ahead = scanner();
    const { head, exhausted } = await new Prelude(source).readAhead(ahead, 1000);
    expect({ bytes: head.length, exhausted, model: ahead.fields.get('model') }).toEqual({ bytes: 1000, exhausted: false, model: undefined });
  });

  test('of a whole form lets it be sent more than once, each time under another name', async () => {
    const form = (model: string): string => formOf([file('x'.repeat(500)), field('model', model)]).toString();
    const prelude = new Prelude(counted(pieces(Buffer.from(form('m')), 64)).source);
    expect(await prelude.readAhead(scanner(), 10_000, 'never sent')).toMatchObject({ exhausted: true });
    expect(await collect(prelude.through(scanner(toUpstream)))).toBe(form('upstream'));
    expect(await collect(prelude.through(scanner()))).toBe(form('m'));
  });

  test('refuses a form that breaks off, at once or while it is sent on', async () => {
    const broken = formOf([field('model', 'm'), file('x'.repeat(500))]).subarray(0, 300);
    await expect(new Prelude(counted([broken]).source).readAhead(scanner(), 10_000, 'purpose')).rejects.toMatchObject({ code: 'invalid_value' });
    const prelude = new Prelude(counted(pieces(broken, 150)).source);
    await prelude.readAhead(scanner(), 10_000);
    await expect(collect(prelude.through(scanner()))).rejects.toMatchObject({ code: 'invalid_value' });
  });

  test('lets its source go when the rest is not wanted', async () => {
    const { source, closed } = counted(pieces(formOf([field('model', 'm'), file('x'.repeat(500))]), 100));
    const prelude = new Prelude(source);
    await prelude.readAhead(scanner(), 10_000);
    await prelude.close();
    expect(closed()).toBe(true);
  });
});
