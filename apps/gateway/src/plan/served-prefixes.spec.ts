import { ServedPrefixes } from './served-prefixes.ts';

test('only the deployment that served a prefix is expected to have it cached, and only for five minutes', () => {
  const prefixes = new ServedPrefixes();
  prefixes.remember('k', 'a/m', 3000, 0);
  expect(prefixes.cachedTokens('k', 'a/m', 4000, 300_000)).toBe(3000);
  expect(prefixes.cachedTokens('k', 'a/m', 2000, 0)).toBe(2000);
  expect(prefixes.cachedTokens('k', 'b/m', 4000, 0)).toBe(0);
  expect(prefixes.cachedTokens('other', 'a/m', 4000, 0)).toBe(0);
  expect(prefixes.cachedTokens(null, 'a/m', 4000, 0)).toBe(0);
  expect(prefixes.cachedTokens('k', 'a/m', 4000, 300_001)).toBe(0);
});

test('it remembers ten thousand prefixes, and the latest', () => {
  const prefixes = new ServedPrefixes();
  for (let i = 0; i < 10_001; i++) prefixes.remember(`k${i}`, 'a/m', 2000, 0);
  expect([prefixes.cachedTokens('k0', 'a/m', 2000, 0), prefixes.cachedTokens('k1', 'a/m', 2000, 0), prefixes.cachedTokens('k10000', 'a/m', 2000, 0)]).toEqual([0, 2000, 2000]);
});
