import { expect, test } from '@jest/globals';
import { DejaError } from '@deja/contracts';
import fc from 'fast-check';
import { pageOf } from './admin-list.ts';

const ids = fc.uniqueArray(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 12 }), { maxLength: 40 });

test('whatever the size of a page, going through all pages gives everything once, in the order of the ids', () => {
  fc.assert(
    fc.property(ids, fc.integer({ min: 1, max: 50 }), (names, limit) => {
      const items = names.map((id) => ({ id }));
      const seen: string[] = [];
      let cursor: string | undefined;
      do {
        const page = pageOf('things', items, { limit, cursor });
        expect(page.has_more).toBe(page.next_cursor !== null);
        seen.push(...page.data.map(({ id }) => id));
        cursor = page.next_cursor ?? undefined;
      } while (cursor !== undefined);
      expect(seen).toEqual(names.toSorted((a, b) => (a < b ? -1 : 1)));
    }),
  );
});

test('a cursor is good for the list it came from, also when its item is gone, and for no other', () => {
  const items = ['a', 'b', 'c', 'd'].map((id) => ({ id }));
  const cursor = pageOf('things', items, { limit: 2 }).next_cursor ?? '';
  expect(pageOf('things', items.filter(({ id }) => id !== 'b'), { limit: 2, cursor }).data).toEqual([{ id: 'c' }, { id: 'd' }]);
  expect(() => pageOf('others', items, { limit: 2, cursor })).toThrow(DejaError);
});

test('any text that is no cursor is refused as one', () => {
  fc.assert(fc.property(fc.string({ minLength: 1, maxLength: 40 }), (cursor) => expect(() => pageOf('things', [], { limit: 2, cursor })).toThrow("Invalid value for 'cursor'")));
});
