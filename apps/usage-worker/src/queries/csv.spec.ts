import fc from 'fast-check';
import { csvField } from './csv.ts';

test.each([
  ['plain', 'plain'],
  ['a,b', '"a,b"'],
  ['say "hi"', '"say ""hi"""'],
  ['two\nlines', '"two\nlines"'],
  ['', ''],
  [null, ''],
  [-5, '-5'],
  [false, 'false'],
])('%j is written as %j', (value, field) => {
  expect(csvField(value)).toBe(field);
});

test.each(['=1+1', '+1', '-1', '@SUM(A1)', '\tx', '\rx', '＝1', '=HYPERLINK("http://example.com","x")'])('%j is no formula in a spreadsheet', (text) => {
  expect(csvField(text)).toMatch(/^"?'/);
});

/** One field of RFC 4180, as a reader of it takes it apart. */
function read(field: string): string {
  if (!field.startsWith('"')) return field;
  return field.slice(1, -1).replaceAll('""', '"');
}

test('any text comes back as it was, but for the apostrophe of what looks like a formula, and ends no field early', () => {
  fc.assert(fc.property(fc.string({ unit: 'grapheme' }), (text) => {
    const field = csvField(text);
    expect([text, `'${text}`]).toContain(read(field));
    expect(field).toMatch(/^(?:[^",\r\n]*|"(?:[^"]|"")*")$/);
  }));
});
