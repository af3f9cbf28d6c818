import { describe, expect, test } from '@jest/globals';
import type { Budget, Principal, Settings } from '@deja/contracts';
import fc from 'fast-check';
import { shardsFor, type AskedLimits } from './ceilings.ts';

const principal = (limits: Partial<Principal['limits']> = {}): Principal => ({
  tenant: 'acme', revision: 1, key: 'k1', models: null, endpoints: null, networks: null, tags: {},
  limits: { tenant: {}, key: {}, perUser: {}, ...limits }, budgets: { tenant: [], key: [], perUser: [] }, cache: {}, expiresAtMs: null,
});
const settings = (limits: Partial<Settings['limits']> = {}, budgets: Partial<Settings['budgets']> = {}): AskedLimits['settings'] => ({
  limits: { global: {}, per_tenant: {}, per_key: {}, per_user: {}, degraded: 'local_share', ...limits },
  budgets: { global: [], per_tenant: [], per_key: [], per_user: [], ...budgets },
});
const asked = (more: Partial<AskedLimits> = {}): AskedLimits => ({ principal: principal(), user: null, model: null, settings: settings(), receivedAtMs: Date.UTC(2026, 10, 26), ...more });
const day: Budget = { usd: '5', period: 'day', mode: 'hard', time_zone: 'UTC' };

describe('what applies to a request', () => {
  test('nothing, where nothing is limited', () => {
    expect(shardsFor(asked({ user: 'ann', model: 'm' }))).toEqual([]);
  });

  test('what is its own stands in place of what is usual, measure by measure', () => {
    const shards = shardsFor(asked({ principal: principal({ key: { requests_per_minute: 50 } }), settings: settings({ per_key: { requests_per_minute: 5, tokens_per_minute: 7 } }) }));
    expect(shards).toEqual([{ name: 'acme', budgets: [], ceilings: [{ scope: 'key', model: null, counter: 'deja:limits:{acme}:key:k1', limits: { requests_per_minute: 50, tokens_per_minute: 7 }, degraded: 'local_share' }] }]);
  });

  test('of everybody together is counted in a shard of its own, after the tenant’s', () => {
    const shards = shardsFor(asked({ settings: settings({ global: { concurrency: 9 }, per_tenant: { requests_per_day: 3 } }) }));
    expect(shards.map(({ name, ceilings }) => [name, ceilings.map(({ scope, counter }) => `${scope} ${counter}`)])).toEqual([
      ['acme', ['tenant deja:limits:{acme}:tenant']], ['global', ['global deja:limits:{global}:all']],
    ]);
  });

  test('a user’s limits follow the user over all keys of the tenant, and not to another tenant', () => {
    const perUser = { per_user: { requests_per_minute: 1 } };
    const counterOf = (tenant: string, key: string, user: string): string | undefined =>
      shardsFor(asked({ principal: { ...principal(), tenant, key }, user, settings: settings(perUser) }))[0]?.ceilings[0]?.counter;
    expect(counterOf('acme', 'k1', 'ann')).toBe(counterOf('acme', 'k2', 'ann'));
    expect(new Set([counterOf('acme', 'k1', 'ann'), counterOf('other', 'k1', 'ann'), counterOf('acme', 'k1', 'bob')]).size).toBe(3);
    expect(shardsFor(asked({ settings: settings(perUser) }))).toEqual([]);
  });

  test('whatever a user is called, no other counter is meant', () => {
    const names = ['a', 'a:model:m', 'a}', '{global}', 'é', '\ud800', '__proto__', 'a b'];
    const counters = names.flatMap((user) => shardsFor(asked({ user, model: 'm', settings: settings({ per_user: { requests_per_minute: 1, models: { m: { requests_per_minute: 1 } } } }) }))[0]?.ceilings.map(({ counter }) => counter));
    expect(new Set(counters).size).toBe(2 * names.length);
    for (const counter of counters) expect(counter).toMatch(/^deja:limits:\{acme\}:user:[^{}:]+(:model:m)?$/);
  });

  test('a model is counted by itself besides, for those requests alone that ask for it', () => {
    const perKey = { per_key: { requests_per_minute: 10, models: { m: { requests_per_minute: 2, tokens_per_minute: 9 } } } };
    const own = principal({ key: { models: { m: { requests_per_minute: 3 }, other: { concurrency: 1 } } } });
    const limitsFor = (model: string | null): unknown => shardsFor(asked({ model, principal: own, settings: settings(perKey) }))[0]?.ceilings.map((c) => [c.model, c.limits]);
    expect(limitsFor('m')).toEqual([[null, { requests_per_minute: 10 }], ['m', { requests_per_minute: 3, tokens_per_minute: 9 }]]);
    expect(limitsFor('other')).toEqual([[null, { requests_per_minute: 10 }], ['other', { concurrency: 1 }]]);
    expect(limitsFor('toString')).toEqual([[null, { requests_per_minute: 10 }]]);
    expect(limitsFor(null)).toEqual([[null, { requests_per_minute: 10 }]]);
  });

  test('each has the degraded mode of its own, else its scope’s, else everybody’s', () => {
    const modes = (own: Principal['limits']['key'], usual: Settings['limits']['per_key']): unknown =>
      shardsFor(asked({ principal: principal({ key: own }), settings: settings({ per_key: { requests_per_minute: 1, ...usual } }) }))[0]?.ceilings[0]?.degraded;
    expect([modes({}, {}), modes({}, { degraded: 'open' }), modes({ degraded: 'closed' }, { degraded: 'open' })]).toEqual(['local_share', 'open', 'closed']);
  });

  test('budgets stand with the shard that counts them', () => {
    const shards = shardsFor(asked({ settings: settings({}, { global: [day], per_key: [day] }) }));
    expect(shards.map(({ name, budgets }) => [name, budgets.map(({ scope }) => scope)])).toEqual([['acme', ['key']], ['global', ['global']]]);
  });

  test('does not depend on what the same key was asked for before', () => {
    const usual = [settings(), settings({ per_key: { requests_per_minute: 1, models: { m: { concurrency: 2 } } }, per_user: { tokens_per_day: 9 } }), settings({ global: { concurrency: 9 } }, { per_tenant: [day], global: [day] })];
    const request = fc.record({ user: fc.constantFrom(null, 'ann', 'bob'), model: fc.constantFrom(null, 'm', 'n'), settings: fc.constantFrom(...usual), receivedAtMs: fc.constantFrom(0, 3_600_000, 90_000_000) });
    fc.assert(
      fc.property(fc.array(request, { minLength: 1, maxLength: 30 }), (requests) => {
        const one = principal();
        for (const each of requests) expect(shardsFor({ ...each, principal: one })).toEqual(shardsFor({ ...each, principal: principal() }));
      }),
      { numRuns: 50 },
    );
  });
});
