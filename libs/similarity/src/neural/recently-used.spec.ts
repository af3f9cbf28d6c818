import { RecentlyUsed } from './recently-used.ts';

test('what was asked for last stays, what was not goes', () => {
  const map = new RecentlyUsed<number>(2);
  map.set('a', 1);
  map.set('b', 2);
  expect(map.get('a')).toBe(1);
  map.set('c', 3);
  expect([map.get('a'), map.get('b'), map.get('c')]).toEqual([1, undefined, 3]);
});

test('a map of size 0 remembers nothing', () => {
  const map = new RecentlyUsed<number>(0);
  map.set('a', 1);
  expect(map.get('a')).toBeUndefined();
});
