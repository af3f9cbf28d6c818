import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { Budget, Principal } from '@deja/contracts';
import { budgetsFor, type AskedBudgets, type BudgetSettings } from './budget-ceilings.ts';

const NOW = Date.parse('2026-06-15T12:00:00Z');
const budget = (of: Partial<Budget> = {}): Budget => ({ usd: '10', period: 'month', mode: 'hard', time_zone: 'UTC', ...of });
const settings = (budgets: Partial<BudgetSettings['budgets']> = {}, limits: Partial<BudgetSettings['limits']> = {}): BudgetSettings => ({
  limits: { global: {}, per_tenant: {}, per_key: {}, per_user: {}, degraded: 'local_share', ...limits },
  budgets: { global: [], per_tenant: [], per_key: [], per_user: [], ...budgets },
});
const principal = (budgets: Partial<Principal['budgets']> = {}, limits: Partial<Principal['limits']> = {}): Principal => ({
  tenant: 't', revision: 1, key: 'k', models: null, endpoints: null, networks: null, tags: {}, cache: {}, expiresAtMs: null,
  limits: { tenant: {}, key: {}, perUser: {}, ...limits },
  budgets: { tenant: [], key: [], perUser: [], ...budgets },
});
const asked = (of: Partial<AskedBudgets>): AskedBudgets => ({ principal: principal(), user: 'u', model: 'm', settings: settings(), receivedAtMs: NOW, ...of });

describe('the budgets of a request', () => {
  test('are its tenant’s, its key’s and its user’s in one shard, and everybody’s in another', () => {
    const one = [budget()];
    const { tenant, global } = budgetsFor(asked({ settings: settings({ global: one, per_tenant: one, per_key: one, per_user: one }) }));
    const june = { fromMs: Date.parse('2026-06-01T00:00:00Z'), toMs: Date.parse('2026-07-01T00:00:00Z') };
    const period = `${june.fromMs}-${june.toMs}`;
    expect(tenant.map(({ scope, account }) => [scope, account])).toEqual([
      ['tenant', { key: `deja:budget:{t}:tenant:all:${period}`, tenant: 't', clientKey: null, user: null, model: null, ...june }],
      ['key', { key: `deja:budget:{t}:key:k:all:${period}`, tenant: 't', clientKey: 'k', user: null, model: null, ...june }],
      ['user', { key: `deja:budget:{t}:user:u:all:${period}`, tenant: 't', clientKey: null, user: 'u', model: null, ...june }],
    ]);
    expect(global.map(({ scope, account, limitNanoUsd }) => [scope, account, limitNanoUsd])).toEqual([
      ['global', { key: `deja:budget:{global}:everybody:all:${period}`, tenant: null, clientKey: null, user: null, model: null, ...june }, 10_000_000_000n],
    ]);
  });

  test('of a tenant, key or user of its own take the place of the usual ones', () => {
    const usual = settings({ per_tenant: [budget({ usd: '1' })], per_key: [budget({ usd: '2' }), budget({ usd: '3', period: 'day' })], per_user: [budget({ usd: '4' })] });
    const of = (given: Principal): string[] => budgetsFor(asked({ settings: usual, principal: given })).tenant.map(({ budget: { usd } }) => usd);
    expect(of(principal())).toEqual(['1', '2', '3', '4']);
    expect(of(principal({ key: [budget({ usd: '9' })] }))).toEqual(['1', '9', '4']);
    expect(of(principal({ tenant: [budget({ usd: '7' })], perUser: [budget({ usd: '8' })] }))).toEqual(['7', '2', '3', '8']);
  });

  test('of a single model hold for that model alone, and for a request without a model not at all', () => {
    const given = settings({ global: [budget(), budget({ model: 'gpt-4o' })], per_user: [budget({ model: 'gpt-4o' })] });
    const scopes = (model: string | null): unknown => {
      const { tenant, global } = budgetsFor(asked({ settings: given, model }));
      return [...tenant, ...global].map((ceiling) => [ceiling.scope, ceiling.account.model]);
    };
    expect(scopes('gpt-4o')).toEqual([['user', 'gpt-4o'], ['global', null], ['global', 'gpt-4o']]);
    expect(scopes('other')).toEqual([['global', null]]);
    expect(scopes(null)).toEqual([['global', null]]);
  });

  test('a request without a user has no user’s budgets', () => {
    expect(budgetsFor(asked({ user: null, settings: settings({ per_user: [budget()] }) })).tenant).toEqual([]);
  });

  test('what was spent stays when the amount or the mode is changed: the account is the same', () => {
    const account = (of: Budget): unknown => budgetsFor(asked({ settings: settings({ per_key: [of] }) })).tenant[0]!.account;
    expect(account(budget({ usd: '99', mode: 'soft', degraded: 'open' }))).toEqual(account(budget()));
  });

  test('accounts that count something else are never the same, whatever users and models are called', () => {
    const name = fc.oneof(fc.constantFrom('a', 'a:all', 'model=a', 'b{t}', 'ü', '\ud800', 'a\0', 'a b'), fc.string({ unit: 'binary', maxLength: 8 }));
    const stored = (text: string): string => text.toWellFormed().replaceAll('\0', '\u{fffd}');
    fc.assert(fc.property(name, name, name, name, (user, otherUser, model, otherModel) => {
      const keyOf = (who: string, what: string): string => budgetsFor(asked({ user: who, model: what, settings: settings({ per_user: [budget({ model: what })] }) })).tenant[0]!.account.key;
      const same = stored(user) === stored(otherUser) && stored(model) === stored(otherModel);
      expect(keyOf(user, model) === keyOf(otherUser, otherModel)).toBe(same);
      expect(keyOf(user, model).startsWith('deja:budget:{t}:user:')).toBe(true); // the hash tag is the tenant's
    }));
  });

  test('a request belongs to the period that it was received in, also beside one of the next', () => {
    const given = principal({ key: [budget({ period: 'day', time_zone: 'Europe/Zurich' })] });
    const at = (text: string): [number, number | null] => {
      const { fromMs, toMs } = budgetsFor(asked({ principal: given, receivedAtMs: Date.parse(text) })).tenant[0]!.account;
      return [fromMs, toMs];
    };
    const midnight = Date.parse('2026-06-15T22:00:00Z');
    expect(at('2026-06-15T21:59:59.999Z')).toEqual([midnight - 86_400_000, midnight]);
    expect(at('2026-06-15T22:00:00Z')).toEqual([midnight, midnight + 86_400_000]);
    expect(at('2026-06-15T21:59:59.999Z')).toEqual([midnight - 86_400_000, midnight]);
  });

  test('new settings are in force with the next request of the same key', () => {
    const given = principal();
    expect(budgetsFor(asked({ principal: given })).tenant).toEqual([]);
    expect(budgetsFor(asked({ principal: given, settings: settings({ per_key: [budget()] }) })).tenant).toHaveLength(1);
  });

  test('while Redis is away, the narrowest word on it counts: the budget’s, its owner’s, its scope’s, then that of all limits', () => {
    const mode = (own: Partial<Budget>, limits: Principal['limits']['key'], usual: Partial<BudgetSettings['limits']>): string =>
      budgetsFor(asked({ principal: principal({ key: [budget(own)] }, { key: limits }), settings: settings({}, usual) })).tenant[0]!.degraded;
    expect(mode({ degraded: 'closed' }, { degraded: 'open' }, { per_key: { degraded: 'open' } })).toBe('closed');
    expect(mode({}, { degraded: 'open' }, { per_key: { degraded: 'closed' } })).toBe('open');
    expect(mode({}, {}, { per_key: { degraded: 'closed' }, degraded: 'open' })).toBe('closed');
    expect(mode({}, {}, { degraded: 'open' })).toBe('open');
  });
});
