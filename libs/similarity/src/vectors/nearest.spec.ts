import fc from 'fast-check';
import { Nearest } from './nearest.ts';

test('it keeps what sorting all that is not below the floor would put first', () => {
  const cosine = fc.integer({ min: -10, max: 10 }).map((tenths) => tenths / 10);
  fc.assert(
    fc.property(fc.array(cosine, { maxLength: 50 }), fc.nat(8), cosine, (cosines, limit, floor) => {
      const nearest = new Nearest<number>({ limit, floor });
      for (const [n, one] of cosines.entries()) nearest.offer(n, one);
      const expected = cosines.map((one, item) => ({ item, cosine: one })).filter((one) => one.cosine >= floor).sort((a, b) => b.cosine - a.cosine || a.item - b.item).slice(0, limit);
      expect(nearest.found).toEqual(expected);
    }),
  );
});

test('what has no cosine is not near', () => {
  const nearest = new Nearest<string>({ limit: 3, floor: -1 });
  nearest.offer('x', Number.NaN);
  expect(nearest.found).toEqual([]);
});
