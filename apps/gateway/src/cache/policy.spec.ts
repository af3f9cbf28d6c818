import { expect, test } from '@jest/globals';
import { cachePolicy } from '../../test/cache-stage.ts';
import { cachePolicyOf, semanticPolicyOf } from './policy.ts';

const settings = cachePolicy({ max_wrong_rate: 0.01, max_wrong_rates: { strict: 0.001 } });

test('a key without a policy has that of deja.yaml', () => {
  expect(cachePolicyOf(settings, {})).toEqual(settings);
  expect(cachePolicyOf(settings, { scope: undefined, exact: undefined, semantic: { enabled: undefined } })).toEqual(settings);
});

test('each member that a key has goes before that of deja.yaml', () => {
  expect(cachePolicyOf(settings, { scope: 'key' })).toEqual({ ...settings, scope: 'key' });
  expect(cachePolicyOf(settings, { exact: { ttl_s: 86_400 } })).toEqual({ ...settings, exact: { enabled: true, ttl_s: 86_400 } });
  expect(cachePolicyOf(settings, { exact: { enabled: false }, semantic: { enabled: false, ttl_s: 5, verification: 'balanced' } })).toEqual({
    ...settings,
    exact: { enabled: false, ttl_s: 300 },
    semantic: { ...settings.semantic, enabled: false, ttl_s: 5, verification: 'balanced' },
  });
});

test('the semantic-cache is told the bound that holds for the model, and whether a judge stands by', () => {
  const told = (semantic: Parameters<typeof cachePolicyOf>[1]['semantic'], model: string): number => semanticPolicyOf(cachePolicyOf(settings, { semantic }).semantic, model).maxWrongRate;
  expect([told({}, 'm'), told({}, 'strict'), told({ max_wrong_rate: 0.05 }, 'strict'), told({ max_wrong_rates: { m: 0.2 } }, 'm')]).toEqual([0.01, 0.001, 0.05, 0.2]);
  expect(semanticPolicyOf(settings.semantic, 'm')).toEqual({ verification: 'strict', maxWrongRate: 0.01, auditShare: 0.02, judged: false });
  expect(semanticPolicyOf({ ...settings.semantic, judge: { model: 'j', timeout_ms: 1 } }, 'constructor').judged).toBe(true);
});
