import { describe, expect, test } from '@jest/globals';
import { cachePolicy } from '../../test/cache-stage.ts';
import { cacheWishes } from './directives.ts';

const policy = cachePolicy();

describe('what a request may ask of the cache', () => {
  test('without a word: read and write both kinds', () => {
    expect(cacheWishes({}, policy)).toMatchObject({ exact: true, semantic: true, read: true, write: true, exactTtlS: 300, semanticTtlS: 3600, oldestS: { exact: 300, semantic: 3600 }, bypass: null });
  });

  test.each([
    ['no-cache is not answered from the cache, and still writes', { 'cache-control': 'no-cache' }, { read: false, write: true, bypass: 'no_cache' }],
    ['no-store reads, and writes nothing', { 'cache-control': 'no-store' }, { read: true, write: false, bypass: null }],
    ['max-age bounds the age', { 'cache-control': 'max-age=10' }, { read: true, oldestS: { exact: 10, semantic: 10 } }],
    ['max-age accepts nothing that is older than the policy', { 'cache-control': 'max-age=1000' }, { read: true, oldestS: { exact: 300, semantic: 1000 } }],
    ['max-age=0 accepts nothing that is old', { 'cache-control': 'max-age=0' }, { read: false, bypass: 'max_age' }],
    ['only-if-cached', { 'cache-control': 'only-if-cached' }, { onlyIfCached: true, read: true }],
    ['mode off does neither', { 'x-cache-mode': 'off' }, { read: false, write: false, bypass: 'mode_off' }],
    ['mode exact never asks for similar ones', { 'x-cache-mode': 'EXACT' }, { exact: true, semantic: false }],
    ['a ttl may be shorter than the policy', { 'x-cache-ttl': '5' }, { exactTtlS: 5, semanticTtlS: 5, oldestS: { exact: 300, semantic: 3600 } }],
    ['a ttl is never longer than the policy', { 'x-cache-ttl': '100000' }, { exactTtlS: 300, semanticTtlS: 3600 }],
    ['directives combine', { 'cache-control': 'no-cache, no-store' }, { read: false, write: false }],
  ])('%s', (_, headers, expected) => {
    expect(cacheWishes(headers, policy)).toMatchObject(expected);
  });

  test('a policy that is off stays off', () => {
    const off = { ...policy, exact: { enabled: false, ttl_s: 300 }, semantic: { ...policy.semantic, enabled: false } };
    expect(cacheWishes({ 'x-cache-mode': 'semantic' }, off)).toMatchObject({ read: false, write: false, bypass: 'disabled' });
  });

  test.each([{ 'x-cache-mode': 'always' }, { 'x-cache-ttl': '-1' }, { 'x-cache-ttl': '1.5' }, { 'cache-control': 'max-age=soon' }])('%j is refused and names the header', (headers) => {
    expect(() => cacheWishes(headers, policy)).toThrow(expect.objectContaining({ code: 'invalid_value', param: Object.keys(headers)[0] }));
  });
});
