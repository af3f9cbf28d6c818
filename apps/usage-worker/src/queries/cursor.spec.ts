import fc from 'fast-check';
import { z } from 'zod';
import { cursorAt, placeAt } from './cursor.ts';

const place = z.object({ before: z.string(), fromMs: z.int() });

test('a cursor leads back to its place, and is text that goes into a URL as it is', () => {
  fc.assert(fc.property(fc.string({ unit: 'grapheme' }), fc.integer(), (before, fromMs) => {
    const cursor = cursorAt('requests', { before, fromMs });
    expect(cursor).toMatch(/^[\w-]+$/);
    expect(placeAt('requests', place, cursor)).toEqual({ before, fromMs });
  }));
});

test.each([
  ['another list', cursorAt('usage', { before: 'x', fromMs: 1 })],
  ['another kind of place', cursorAt('requests', { after: 'x' })],
  ['nothing that was ever written', 'abc'],
  ['broken JSON', Buffer.from('["requests",').toString('base64url')],
])('a cursor of %s is refused with a 400 that names it', (_what, cursor) => {
  expect(() => placeAt('requests', place, cursor)).toThrow(expect.objectContaining({ code: 'invalid_value', param: 'cursor' }));
});
