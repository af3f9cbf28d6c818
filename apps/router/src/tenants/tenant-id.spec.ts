import { describe, expect, test } from '@jest/globals';
import { tenantId } from '@deja/admin-api';
import fc from 'fast-check';
import { freeId, tenantIdOf } from './tenant-id.ts';

describe('an id made of a name', () => {
  test.each([
    ['Acme', 'acme'],
    ['Zürich  Büro & Söhne', 'zurich-buro-sohne'],
    ['--a--', 'a'],
    ['日本', 'tenant'],
    ['a/../b', 'a-b'],
  ])('of %j is %s', (name, id) => expect(tenantIdOf(name)).toBe(id));

  test('is always one that the admin API takes, also with a number behind it', () => {
    fc.assert(fc.property(fc.string({ unit: 'grapheme', maxLength: 200 }), fc.array(fc.nat({ max: 5 })), (name, numbers) => {
      const id = tenantIdOf(name);
      const taken = [id, ...numbers.map((number) => `${id}-${number}`)];
      expect(tenantId.safeParse(id).success).toBe(true);
      expect(tenantId.safeParse(freeId(id, taken)).success).toBe(true);
      expect(taken).not.toContain(freeId(id, taken));
    }));
  });

  test('is free of numbers while nobody has it, and counts from two', () => {
    expect(freeId('acme', [])).toBe('acme');
    expect(freeId('acme', ['acme', 'acme-2', 'acme-4'])).toBe('acme-3');
  });

  test('is never the one that stands for everybody together', () => {
    expect(freeId('global', [])).toBe('global-2');
  });
});
