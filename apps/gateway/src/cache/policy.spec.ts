import { expect, test } from '@jest/globals';
import { cachePolicyOf } from './policy.ts';

const settings = { scope: 'tenant' as const, exact: { enabled: true, ttl_s: 300 }, semantic: { enabled: true, ttl_s: 3600 } };

test('a key without a policy has that of deja.yaml', () => {
  expect(cachePolicyOf(settings, {})).toEqual(settings);
  expect(cachePolicyOf(settings, { scope: undefined, exact: undefined, semantic: { enabled: undefined } })).toEqual(settings);
});

test('each member that a key has goes before that of deja.yaml', () => {
  expect(cachePolicyOf(settings, { scope: 'key' })).toEqual({ ...settings, scope: 'key' });
  expect(cachePolicyOf(settings, { exact: { ttl_s: 86_400 } })).toEqual({ ...settings, exact: { enabled: true, ttl_s: 86_400 } });
  expect(cachePolicyOf(settings, { exact: { enabled: false }, semantic: { enabled: false, ttl_s: 5 } })).toEqual({ ...settings, exact: { enabled: false, ttl_s: 300 }, semantic: { enabled: false, ttl_s: 5 } });
});
