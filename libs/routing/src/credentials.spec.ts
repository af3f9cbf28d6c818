import { describe, expect, test } from '@jest/globals';
import { ask, credential, deployment, model, names, NOW, planOf, snapshot } from '../test/tables.ts';

const SEEDS = Array.from({ length: 30 }, (_, seed) => seed);
const of = (...credentials: (string | ReturnType<typeof credential>)[]) => snapshot([model('m', ['a/m'])], [deployment('a/m', credentials)]);

describe('credentials', () => {
  test('of weight 0 come after the others, and a value being replaced last', () => {
    const table = of(credential('old', { weight: 0, retiring: true }), credential('zero', { weight: 0 }), 'x', 'y');
    for (const seed of SEEDS) expect(names(table, 'm', { seed }).slice(2)).toEqual(['a/m#zero', 'a/m#old']);
  });

  test('of both values of a rotation are candidates of their own', () => {
    const { candidates } = planOf(of(credential('x', { version: '1', weight: 0, retiring: true }), credential('x', { version: '2' })), 'm');
    expect(candidates.map((c) => c.credential?.version)).toEqual(['2', '1']);
  });

  test('may have an address of their own in place of the deployment’s', () => {
    const { candidates } = planOf(of(credential('x', { baseUrl: 'https://own/v1' }), 'y'), 'm');
    expect(Object.fromEntries(candidates.map((c) => [c.credential!.id, c.deployment.baseUrl]))).toEqual({ x: 'https://own/v1', y: 'https://x/v1' });
    expect(candidates.every((c) => c.deployment.id === 'a/m')).toBe(true);
  });
});

test('a provider that is not called without a credential is not called when there is none', () => {
  const table = snapshot([model('m', ['a/m'])], [deployment('a/m', [], { keyed: true })]);
  expect(ask(table, 'm')).toMatchObject({ refused: 'no_deployment_available', reason: 'unavailable' });
});

describe('a tenant', () => {
  const table = of('shared', credential('mine', { tenant: 't' }), credential('theirs', { tenant: 'u' }));

  test('uses its own credentials in place of everyone’s, and never another tenant’s', () => {
    expect(names(table, 'm', { tenant: 't' })).toEqual(['a/m#mine']);
    expect(names(table, 'm', { tenant: 'u' })).toEqual(['a/m#theirs']);
    expect(names(table, 'm', { tenant: 'v' })).toEqual(['a/m#shared']);
    expect(names(table, 'm')).toEqual(['a/m#shared']);
  });

  test('does not fall back to everyone’s while its own are out', () => {
    const out = of('shared', credential('mine', { tenant: 't', unavailableUntilMs: NOW + 5, trouble: 'rate_limited' }));
    expect(ask(out, 'm', { tenant: 't' })).toEqual({ refused: 'no_deployment_available', reason: 'rate_limited', retryAfterMs: 5 });
  });

  test('of a deployment with other tenants’ credentials only, has none, which is not the same as needing none', () => {
    expect(ask(of(credential('theirs', { tenant: 'u' })), 'm', { tenant: 't' })).toEqual({ refused: 'no_deployment_available', reason: 'unavailable', retryAfterMs: null });
  });
});

describe('what a request names with a provider', () => {
  const table = snapshot([model('m', ['a/m', 'b/m'])], [deployment('a/m', ['x', 'y', credential('mine', { tenant: 't' }), credential('theirs', { tenant: 'u' })])]);

  test('keeps it with that provider and that account', () => {
    expect(names(table, 'm', { pin: { provider: 'a', credential: 'y' } })).toEqual(['a/m#y']);
    expect(names(table, 'm', { pin: { provider: 'a', credential: null } }).toSorted()).toEqual(['a/m#x', 'a/m#y']);
    expect(names(table, 'm', { pin: { provider: 'a', credential: 'gone' } }).toSorted()).toEqual(['a/m#x', 'a/m#y']);
  });

  test('stays where it was made before the tenant had credentials of its own, and opens no other tenant’s account', () => {
    expect(names(table, 'm', { tenant: 't', pin: { provider: 'a', credential: 'x' } })).toEqual(['a/m#x']);
    expect(names(table, 'm', { tenant: 't', pin: { provider: 'a', credential: 'theirs' } })).toEqual(['a/m#mine']);
  });
});
