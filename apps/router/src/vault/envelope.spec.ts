import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { additionalDataOf, INTAKE_KEY, open, seal, type Sealed, type ValueOwner } from './envelope.ts';

const bytes = (length: number): fc.Arbitrary<Buffer> => fc.uint8Array({ minLength: length, maxLength: length }).map((array) => Buffer.from(array));
const text = fc.oneof(fc.string(), fc.constantFrom('', 'a', '","', '\\"', '\ud800', 'null'));
const owner: fc.Arbitrary<ValueOwner> = fc.record({ tenant: fc.option(text), provider: text, name: text, version: text, baseUrl: fc.option(text) });
const value = fc.uint8Array({ maxLength: 64 }).map((array) => Buffer.from(array));

const flipped = (buffer: Buffer, bit: number): Buffer => {
  const copy = Buffer.from(buffer);
  copy[bit >> 3]! ^= 1 << (bit & 7);
  return copy;
};

describe('an envelope', () => {
  test('gives back what was put in, and shows nothing of it', () => {
    fc.assert(fc.property(value, bytes(32), bytes(12), owner, (secret, key, nonce, whose) => {
      const sealed = seal(secret, key, nonce, additionalDataOf(whose));
      expect(open(sealed, key, additionalDataOf(whose))).toEqual(secret);
      expect(secret.length >= 8 && sealed.ciphertext.includes(secret)).toBe(false);
    }));
  });

  test('does not open when any bit of it, or of its key, was flipped', () => {
    fc.assert(fc.property(value, bytes(32), bytes(12), owner, fc.nat(), (secret, key, nonce, whose, at) => {
      const sealed = seal(secret, key, nonce, additionalDataOf(whose));
      const data = additionalDataOf(whose);
      expect(open({ ...sealed, nonce: flipped(nonce, at % 96) }, key, data)).toBeNull();
      expect(open({ ...sealed, ciphertext: flipped(sealed.ciphertext, at % (sealed.ciphertext.length * 8)) }, key, data)).toBeNull();
      expect(open(sealed, flipped(key, at % 256), data)).toBeNull();
    }));
  });

  test('does not open when it was cut or lengthened', () => {
    fc.assert(fc.property(value, bytes(32), bytes(12), fc.nat(), (secret, key, nonce, at) => {
      const { ciphertext } = seal(secret, key, nonce, INTAKE_KEY);
      const changed: Sealed[] = [
        { nonce, ciphertext: ciphertext.subarray(0, at % ciphertext.length) },
        { nonce, ciphertext: Buffer.concat([ciphertext, Buffer.of(0)]) },
        { nonce: nonce.subarray(0, 11), ciphertext },
      ];
      expect(changed.map((sealed) => open(sealed, key, INTAKE_KEY))).toEqual([null, null, null]);
    }));
  });

  test('does not open for any other tenant, provider, name, version or address', () => {
    fc.assert(fc.property(value, bytes(32), bytes(12), owner, owner, fc.subarray(['tenant', 'provider', 'name', 'version', 'baseUrl'] as const, { minLength: 1 }), (secret, key, nonce, whose, other, changed) => {
      const another = { ...whose, ...Object.fromEntries(changed.map((field) => [field, other[field]])) };
      fc.pre(changed.some((field) => whose[field] !== other[field]));
      const sealed = seal(secret, key, nonce, additionalDataOf(whose));
      expect(open(sealed, key, additionalDataOf(another))).toBeNull();
      expect(open(sealed, key, INTAKE_KEY)).toBeNull();
    }));
  });

  test('tells apart owners whose parts only look the same when put together', () => {
    const whose = (over: Partial<ValueOwner>): string => additionalDataOf({ tenant: 't', provider: 'p', name: 'n', version: 'v', baseUrl: null, ...over });
    expect(new Set([whose({}), whose({ tenant: null }), whose({ tenant: 'null' }), whose({ tenant: '' }), whose({ provider: 'p","n' }), whose({ provider: 'pn', name: '' }), whose({ baseUrl: 'null' })]).size).toBe(7);
  });
});
