import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { jsonText, plainText, shortened, shownJson, textWidth } from './plain-text.ts';
import { fields, table, type Column } from './table.ts';

interface Row {
  id: string;
  name: string;
  n: number;
}
const COLUMNS: Column<Row>[] = [{ title: 'ID', cell: ({ id }) => id }, { title: 'NAME', cell: ({ name }) => name, shrinks: true }, { title: 'N', cell: ({ n }) => String(n), align: 'right' }];
const plain = (text: string): string => text;

describe('tables', () => {
  test('columns stand under their titles, numbers to the right', () => {
    expect(table([{ id: 'a', name: 'first', n: 5 }, { id: 'bcd', name: 'x', n: 1234 }], COLUMNS, { width: null, paint: plain })).toEqual(['ID   NAME      N', 'a    first     5', 'bcd  x      1234']);
  });

  test('where the terminal is too narrow, names give way and ids do not; where nobody looks, nothing is cut', () => {
    const rows = [{ id: 'x'.repeat(20), name: 'y'.repeat(30), n: 1 }];
    expect(table(rows, COLUMNS, { width: 40, paint: plain })[1]).toBe(`${'x'.repeat(20)}  ${'y'.repeat(14)}…  1`);
    expect(table(rows, COLUMNS, { width: 10, paint: plain })[1]).toBe(`${'x'.repeat(20)}  ${'y'.repeat(7)}…  1`);
    expect(table(rows, COLUMNS, { width: null, paint: plain })[1]).toContain('y'.repeat(30));
  });

  test('whatever the names, every line ends in the same column', () => {
    const row = fc.record({ id: fc.stringMatching(/^[a-f0-9]{1,8}$/), name: fc.string({ unit: 'grapheme', maxLength: 20 }), n: fc.nat() });
    fc.assert(fc.property(fc.array(row, { minLength: 1, maxLength: 8 }), fc.integer({ min: 40, max: 80 }), (rows, width) => {
      expect(new Set(table(rows, COLUMNS, { width, paint: plain }).map(textWidth)).size).toBe(1);
    }));
  });

  test('an optional column in which nothing stands is left out, and colours take no room', () => {
    const columns: Column<Row>[] = [...COLUMNS.slice(0, 2).map((column) => ({ ...column, tone: () => 'red' as const })), { title: 'NOTE', cell: () => '–', optional: true }];
    expect(table([{ id: 'a', name: 'x', n: 1 }, { id: 'bb', name: 'y', n: 2 }], columns, { width: null, paint: (text, tone) => `<${tone}>${text}</>` })).toEqual(['<bold>ID</>  <bold>NAME</>', '<red>a</>   <red>x</>', '<red>bb</>  <red>y</>']);
  });

  test('fields stand under each other, lists a line each, and empty ones not at all', () => {
    expect(fields([['id', '1'], ['models', ['a', 'b']], ['limits', []]], plain)).toEqual(['id      1', 'models  a', '        b']);
  });
});

describe('what clients send into the ledger', () => {
  test('commands no terminal: whatever the text, no control character is left', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary', maxLength: 40 }), (text) => expect(plainText(text)).not.toMatch(/[\p{Cc}\u202e\u2066]/u)));
    expect(plainText('a\u001b[2Jb\u009bc\n')).toBe(String.raw`a\u{1b}[2Jb\u{9b}c\u{a}`);
  });

  test('looks different where it is different: what nobody would see is shown, and so are blanks at the ends', () => {
    expect(['bob', 'bo\u200bb', '\ufeffbob', 'bob\u00ad', 'bob ', ' bob', 'bob\u00a0', 'b  b', 'b\u3164', 'b\u{e0041}', '  ', '\ud800'].map(plainText)).toEqual(
      ['bob', String.raw`bo\u{200b}b`, String.raw`\u{feff}bob`, String.raw`bob\u{ad}`, String.raw`bob\u{20}`, String.raw`\u{20}bob`, String.raw`bob\u{a0}`, 'b  b', String.raw`b\u{3164}`, String.raw`b\u{e0041}`, String.raw`\u{20}\u{20}`, String.raw`\u{d800}`],
    );
    const alike = fc.string({ unit: fc.constantFrom('a', ' ', '\\', 'u', '{', '2', '0', '}', '\u200b', '\u202e', '\u00a0', '\n', 'é'), maxLength: 12 });
    fc.assert(fc.property(alike, alike, (one, other) => {
      expect(plainText(one) === plainText(other)).toBe(one === other);
      expect(plainText(one)).not.toMatch(/^\s|\s$|[\p{Cc}\p{Cf}]/u);
    }));
    expect(table([{ id: 'a', name: 'x ', n: 1 }], COLUMNS, { width: null, paint: plain })[1]).toBe(String.raw`a   x\u{20}  1`);
  });

  test('is the same in JSON, without control characters', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary', maxLength: 40 }), (text) => {
      const json = jsonText({ text });
      expect(json.replaceAll('\n', '')).not.toMatch(/\p{Cc}/u);
      expect(JSON.parse(json)).toEqual({ text });
    }));
  });

  test('is, as JSON for people, without anything that nobody would see', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary', maxLength: 40 }), (text) => {
      const json = shownJson({ text });
      expect(json.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\p{Cf}\p{Default_Ignorable_Code_Point}]/u);
      expect(JSON.parse(json)).toEqual({ text });
    }));
    expect(shownJson('a\u202eb\u{e0041}')).toBe(String.raw`"a\u202eb\udb40\udc41"`);
  });

  test('is cut where its room ends, also in wide letters', () => {
    expect([shortened('日本語', 5), shortened('abc', 3), shortened('abcd', 3), textWidth('日本')]).toEqual(['日本…', 'abc', 'ab…', 4]);
    fc.assert(fc.property(fc.string({ unit: 'grapheme', maxLength: 40 }), fc.integer({ min: 1, max: 40 }), (text, width) => expect(textWidth(shortened(text, width))).toBeLessThanOrEqual(width)));
  });
});
