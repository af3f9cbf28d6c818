import { createHash } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { ADMIN_TOKEN_PREFIX, CLIENT_KEY_PREFIX, isGenuine, keySha256, makeKey, publicIdCheckKey, publicIdOf, sameHash, visiblePart, type RandomBytes } from './client-key.ts';

const SALT = new Uint8Array(32).fill(7);
const CHECK = publicIdCheckKey(SALT, CLIENT_KEY_PREFIX);

/** Bytes that look random and are the same each time. */
function bytesOf(seed: number): RandomBytes {
  let n = 0;
  return (size) => createHash('shake256', { outputLength: size }).update(`${seed}:${n++}`).digest();
}
const anyKey = fc.nat().map((seed) => makeKey(CLIENT_KEY_PREFIX, bytesOf(seed), CHECK));
const base62 = (length: number): fc.Arbitrary<string> => fc.stringMatching(new RegExp(`^[0-9A-Za-z]{${length}}$`));

describe('a client key', () => {
  test('has a public id that its cluster knows for its own, and a secret; what is kept of it is a hash', () => {
    fc.assert(fc.property(anyKey, ({ key, publicId, sha256 }) => {
      expect(key).toMatch(/^sk-deja-[0-9A-Za-z]{16}-[0-9A-Za-z]{32}$/);
      expect(publicIdOf(key, CLIENT_KEY_PREFIX)).toBe(publicId);
      expect(isGenuine(publicId, CHECK)).toBe(true);
      expect(sha256).toBe(createHash('sha256').update(key).digest('hex'));
      expect(key.startsWith(`${visiblePart(CLIENT_KEY_PREFIX, publicId)}-`)).toBe(true);
    }));
  });

  test('is never made twice', () => {
    const made = Array.from({ length: 1000 }, (_, seed) => makeKey(CLIENT_KEY_PREFIX, bytesOf(seed), CHECK));
    expect(new Set(made.map(({ publicId }) => publicId)).size).toBe(1000);
    expect(new Set(made.map(({ sha256 }) => sha256)).size).toBe(1000);
  });

  test('has each character as often as any other', () => {
    const counts = new Map<string, number>();
    for (let seed = 0; seed < 2000; seed++) for (const character of makeKey(CLIENT_KEY_PREFIX, bytesOf(seed), CHECK).key.slice(-32)) counts.set(character, (counts.get(character) ?? 0) + 1);
    expect(counts.size).toBe(62);
    // 64,000 characters, about 1,032 of each: six standard deviations are 193.
    for (const count of counts.values()) expect(Math.abs(count - 64_000 / 62)).toBeLessThan(193);
  });
});

describe('what somebody made up is not genuine', () => {
  test('any 16 characters', () => {
    fc.assert(fc.property(base62(16), (publicId) => isGenuine(publicId, CHECK) === false));
  });

  test('a public id with any character changed', () => {
    fc.assert(fc.property(anyKey, fc.nat(15), base62(1), ({ publicId }, at, other) => {
      fc.pre(publicId[at] !== other);
      expect(isGenuine(publicId.slice(0, at) + other + publicId.slice(at + 1), CHECK)).toBe(false);
    }));
  });

  test('a public id of another cluster, or of an admin token', () => {
    fc.assert(fc.property(anyKey, fc.uint8Array({ minLength: 32, maxLength: 32 }), ({ publicId }, salt) => {
      fc.pre(!Buffer.from(salt).equals(SALT));
      expect(isGenuine(publicId, publicIdCheckKey(salt, CLIENT_KEY_PREFIX))).toBe(false);
      expect(isGenuine(publicId, publicIdCheckKey(SALT, ADMIN_TOKEN_PREFIX))).toBe(false);
    }));
  });

  test('any text whatever', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary', maxLength: 40 }), (text) => isGenuine(text, CHECK) === false));
  });
});

describe('a text that has not the form of a key has no public id', () => {
  test('whatever it is', () => {
    fc.assert(fc.property(fc.oneof(fc.string({ unit: 'binary', maxLength: 80 }), fc.string({ maxLength: 60 }).map((rest) => `sk-deja-${rest}`)), (text) => {
      expect(publicIdOf(text, CLIENT_KEY_PREFIX) !== null).toBe(/^sk-deja-[0-9A-Za-z]{16}-[0-9A-Za-z]{32}$/.test(text));
    }));
  });

  test('also when it is a key with something before, after or left out of it, or of the other prefix', () => {
    fc.assert(fc.property(anyKey, fc.string({ minLength: 1, maxLength: 3 }), fc.nat(56), ({ key }, more, at) => {
      for (const text of [more + key, key + more, key.slice(0, at) + key.slice(at + 1), `${key}\n`]) expect(publicIdOf(text, CLIENT_KEY_PREFIX)).toBeNull();
      expect(publicIdOf(key, ADMIN_TOKEN_PREFIX)).toBeNull();
    }));
  });
});

test('hashes are the same when they are, and not when they differ in any place or in length', () => {
  const a = keySha256('a');
  expect(sameHash(a, keySha256('a'))).toBe(true);
  for (let at = 0; at < a.length; at++) expect(sameHash(a, a.slice(0, at) + (a[at] === '0' ? '1' : '0') + a.slice(at + 1))).toBe(false);
  expect(sameHash(a, a.slice(1))).toBe(false);
  expect(sameHash(a, '')).toBe(false);
});
