import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { alsoDecoded, textsIn, withTexts } from './texts.ts';

const gone = (text: string): string => text.replaceAll('FALCON', 'gone');

describe('texts of a value', () => {
  test('are replaced where they stand, and nothing else is made anew', () => {
    const value = { a: { text: 'FALCON', id: 'FALCON' }, b: [{ kept: 'x' }] };
    const treated = withTexts(value, gone);
    expect(treated).toEqual({ a: { text: 'gone', id: 'FALCON' }, b: [{ kept: 'x' }] });
    expect(treated.b).toBe(value.b);
    expect(withTexts(value.b, gone)).toBe(value.b);
  });

  test('what was signed and has changed carries no signature, and an unchanged one keeps it', () => {
    expect(withTexts([{ thinking: 'FALCON', signature: 's' }, { thinking: 'hm', signature: 's' }], gone)).toEqual([{ thinking: 'gone' }, { thinking: 'hm', signature: 's' }]);
  });

  test('pictures and credentials are none, whatever their shape', () => {
    expect(textsIn([{ type: 'image_generation_call', result: 'AAAA', revised_prompt: 'a cat' }, { type: 'mcp', headers: { a: 'b' } }, { result: 'c' }])).toEqual(['a cat', 'c']);
  });

  test('reading sees what treating sees, and treating to the same changes nothing, whatever the value', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 5 }), (value) => {
        const seen: string[] = [];
        expect(withTexts(value, (text) => (seen.push(text), text))).toBe(value);
        expect(textsIn(value)).toEqual(seen);
      }),
    );
  });
});

describe('JSON in a text', () => {
  const escaped = (text: string): string => text.replaceAll('F', '\\u0046');

  test('is read as whoever parses it will: escapes hide nothing, also in names and in JSON within JSON', () => {
    expect(alsoDecoded(escaped('{"n": 1.50, "a":"FALCON","FALCON": "\\n"}'), gone)).toBe('{"n": 1.50, "a":"gone","gone": "\\n"}');
    const nested = JSON.stringify({ a: escaped(JSON.stringify({ b: 'FALCON' })), c: '"' });
    expect(alsoDecoded(nested, gone)).toBe(JSON.stringify({ a: JSON.stringify({ b: 'gone' }), c: '"' }));
  });

  test('stays byte for byte where nothing in it changes', () => {
    const text = '{ "a" : "\\u0061\\/", "n": 12345678901234567890, "s": "F" }';
    expect(alsoDecoded(text, gone)).toBe(text);
  });

  test('stays JSON that says the same but for what was taken out, whatever it says', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.boolean(), (value, hidden) => {
        const json = JSON.stringify([value, 'FALCON"']);
        expect(JSON.parse(alsoDecoded(hidden ? escaped(json) : json, gone))).toEqual(JSON.parse(json.replaceAll('FALCON', 'gone')));
      }),
    );
  });

  test('a text that only looks like JSON is read as it is', () => {
    expect(alsoDecoded('{"a": "\\u0046ALCON" and more', gone)).toBe('{"a": "\\u0046ALCON" and more');
  });
});
