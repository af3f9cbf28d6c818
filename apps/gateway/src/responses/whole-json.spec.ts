import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { WholeJson } from './whole-json.ts';
import { isJson } from '../validate/is-json.ts';

/** JSON, JSON with something wrong in it, and numbers and words in all states of being written. */
const texts = fc.oneof(
  fc.json(),
  fc.tuple(fc.json(), fc.constantFrom('', ' ', '\n\t', '}', ']', ',', '{', '"', '0', '\u00a0')).map(([json, after]) => ` ${json}${after}`),
  fc.tuple(fc.json(), fc.nat(), fc.constantFrom('', '\\', '"', '{', ']', '\n', '\u0001')).map(([json, at, put]) => json.slice(0, at % (json.length + 1)) + put + json.slice(at % (json.length + 1))),
  fc.string({ unit: fc.constantFrom('0', '1', '-', '+', '.', 'e', 'E', ' ', '\n'), maxLength: 20 }),
  fc.string({ unit: fc.constantFrom('{', '}', '[', ']', '"', '\\', ',', ':', 'a', ' '), maxLength: 20 }),
  fc.constantFrom('true', 'false ', ' null\n', 'nul', 'truee', '12345678901234567890123.5e10  ', '-0012', '0012345', '"a\\"b"  ', '{}x', '[1]]'),
);

test('says after each piece what JSON.parse would say of all of them, however the text is cut', () => {
  fc.assert(
    fc.property(texts, fc.array(fc.nat({ max: 7 }), { minLength: 1, maxLength: 20 }), fc.boolean(), (text, sizes, always) => {
      const whole = new WholeJson();
      for (let at = 0, n = 0; at < text.length; n++) {
        const to = at + (sizes[n % sizes.length] ?? 1) + (n % sizes.length === 0 ? 1 : 0);
        whole.add(text.slice(at, to));
        at = to;
        // Nobody has to ask each time.
        const said = always || at >= text.length ? whole.isWhole : isJson(text.slice(0, at));
        expect([text.slice(0, at), said]).toEqual([text.slice(0, at), isJson(text.slice(0, at))]);
      }
    }),
    { numRuns: 3000 },
  );
});

test.each([`{"text":"${'a\\"{['.repeat(20_000)}"}`, `[${'{"a":1},'.repeat(12_000)}2]`, '9'.repeat(100_000), ' '.repeat(100_000), `{}${' '.repeat(100_000)}`])('reads each character twice at most, however often it is asked (%#)', (text) => {
  const whole = new WholeJson();
  for (let at = 0; at < text.length; at += 3) {
    whole.add(text.slice(at, at + 3));
    expect(whole.isWhole).toBe(text.trim() !== '' && (at + 3 >= text.length || text.startsWith('9') || (text.startsWith('{}') && at + 3 >= 2)));
  }
  expect(whole.read).toBeLessThanOrEqual(2 * text.length);
});
