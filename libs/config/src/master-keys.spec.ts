import { randomBytes } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { parseMasterKeys } from './master-keys.ts';

const base64 = (byte: number, length = 32): string => Buffer.alloc(length, byte).toString('base64');

function parsed(text: string): { id: string; key: string }[] | string {
  const result = parseMasterKeys(text);
  return 'problem' in result ? result.problem : result.keys.map(({ id, key }) => ({ id, key: key.reveal() }));
}

describe('master keys', () => {
  test('are read in order, with their ids, from a list or from lines', () => {
    const keys = [{ id: '2026', key: base64(1) }, { id: 'old.one', key: base64(2) }];
    expect(parsed(`2026:${base64(1)},old.one:${base64(2)}`)).toEqual(keys);
    expect(parsed(`\n 2026:${base64(1)}\r\nold.one:${base64(2)}\n`)).toEqual(keys);
  });

  test('without an id are named alike by every replica, and not by what they are', () => {
    const [first, again, other] = [parsed(base64(7)), parsed(base64(7)), parsed(base64(8))];
    expect(first).toEqual(again);
    expect(first).toEqual([{ id: expect.stringMatching(/^mk-[0-9a-f]{8}$/), key: base64(7) }]);
    expect(first).not.toEqual(other);
  });

  test('are of any 32 bytes, in either alphabet of base64, with or without padding', () => {
    fc.assert(fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), fc.constantFrom('base64', 'base64url'), fc.boolean(), (bytes, alphabet, padded) => {
      const text = Buffer.from(bytes).toString(alphabet as 'base64').replace(/=$/, '');
      expect(parsed(`k:${text}${padded ? '=' : ''}`)).toEqual([{ id: 'k', key: Buffer.from(bytes).toString('base64') }]);
    }));
  });

  test('of any other length are refused', () => {
    fc.assert(fc.property(fc.integer({ min: 0, max: 80 }).filter((length) => length !== 32), (length) => {
      expect(parsed(`k:${base64(1, length)}`)).toBe('must hold keys of exactly 32 bytes in base64, but its key is none');
    }));
  });

  test.each([
    ['', 'holds no key: write 32 random bytes in base64'],
    [' ,\n', 'holds no key: write 32 random bytes in base64'],
    [`a:${base64(1)},b:${base64(2, 31)}`, 'must hold keys of exactly 32 bytes in base64, but key 2 of 2 is none'],
    [`:${base64(1)}`, 'must name keys by letters, digits, ".", "_" and "-", at most 64 of them, but its key has another id'],
    [`${'a'.repeat(65)}:${base64(1)}`, 'must name keys by letters, digits, ".", "_" and "-", at most 64 of them, but its key has another id'],
    [`transit:x:${base64(1)}`, 'must hold keys of exactly 32 bytes in base64, but its key is none'],
    [`a:${base64(1)},a:${base64(2)}`, 'must name each key once, but key 2 of 2 has the id of another: choose one of its own'],
    [`${base64(1)},${base64(1)}`, 'must name each key once, but key 2 of 2 has the id of another: choose one of its own'],
  ])('%j is refused: it %s', (text, problem) => {
    expect(parsed(text)).toBe(problem);
  });

  test('are never in the sentence that refuses them', () => {
    const key = randomBytes(33).toString('base64');
    expect(parsed(`id:${key}`)).not.toContain(key.slice(0, 8));
  });
});
