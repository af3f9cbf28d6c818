import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { masked } from './masking.ts';

const SECRET = 'sk-deja-0123456789abcdef';
/** What comes close to the patterns' edges. */
const FRAGMENT = fc.constantFrom('"', '\\', '\n', '\t', '\u0001', 'key', 'password', 'api_key', ':', '=', '{', '}', '[', ']', ',', ' ', 'sk-', 'Bearer ', '://', '@', '?key=', 'eyJ', '-----BEGIN PRIVATE KEY-----', 'a', 'é', '😀', '1', "'");
const awkward = fc.oneof(fc.array(FRAGMENT, { maxLength: 12 }).map((parts) => parts.join('')), fc.string({ unit: 'grapheme' }));
const value = fc.letrec((tie) => ({
  any: fc.oneof({ maxDepth: 3 }, awkward, fc.integer(), fc.double({ noNaN: true, noDefaultInfinity: true }), fc.boolean(), fc.constant(null), fc.array(tie('any'), { maxLength: 3 }), fc.dictionary(awkward, tie('any'), { maxKeys: 3 }), tie('any').map((inner) => JSON.stringify(inner))),
})).any;

describe('masking', () => {
  test('a masked line is still JSON', () => {
    fc.assert(fc.property(value, (any) => expect(() => JSON.parse(masked(JSON.stringify({ any })))).not.toThrow()), { numRuns: 1000 });
  });

  test('a client key is found in any surroundings that are no letter', () => {
    const before = awkward.filter((text) => !/[a-z]$/i.test(text));
    fc.assert(fc.property(before, awkward, fc.nat(3), (left, right, depth) => {
      let line = JSON.stringify({ text: `${left}${SECRET}${right}` });
      for (let n = 0; n < depth; n++) line = JSON.stringify({ text: line });
      expect(masked(line)).not.toContain(SECRET);
    }), { numRuns: 1000 });
  });

  test('the value of a secret member is never shown, at any depth of JSON in JSON', () => {
    fc.assert(fc.property(awkward, fc.constantFrom('password', 'x-api-key', 'secret', 'key'), fc.nat(2), (rest, name, depth) => {
      let line = JSON.stringify({ [name]: `${rest}hidden${rest}`, after: 1 });
      for (let n = 0; n < depth; n++) line = JSON.stringify({ text: line });
      expect(masked(line)).not.toContain('hidden');
    }), { numRuns: 1000 });
  });

  test('masking twice changes nothing more', () => {
    fc.assert(fc.property(value, (any) => {
      const once = masked(JSON.stringify({ any }));
      expect(masked(once)).toBe(once);
    }));
  });
});
