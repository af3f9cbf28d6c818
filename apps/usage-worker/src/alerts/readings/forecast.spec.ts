import { describe, expect, test } from '@jest/globals';
import type { Budget } from '@deja/contracts';
import fc from 'fast-check';
import { budgetsInForce, usedShare, userBudgets } from './budgets-in-force.ts';
import { comparisonOf, forecast } from './forecast.ts';

const budget = (of: Partial<Budget> = {}): Budget => ({ usd: '10', period: 'month', mode: 'soft', time_zone: 'UTC', ...of });
const NOW = Date.parse('2026-03-18T12:00:00Z');
const span = { tenant: 'a', clientKey: null, user: null, model: null };
const money = fc.bigInt({ min: 0n, max: 10n ** 15n });

describe('budgets in force', () => {
  const none = { global: [], per_tenant: [], per_key: [], per_user: [] };
  const names = (usual: Partial<typeof none>, given: Partial<Parameters<typeof budgetsInForce>[1]>) =>
    budgetsInForce({ ...none, ...usual }, { tenants: [], keys: [], ...given }, NOW).map(({ labels }) => Object.entries(labels).map(([label, value]) => `${label}=${value}`).join(' '));

  test('are those of deja.yaml for everybody that has none of their own', () => {
    const usual = { global: [budget({ usd: '100' })], per_tenant: [budget({ usd: '20' })], per_key: [budget({ usd: '5' })] } as never;
    const given = { tenants: [{ tenant: 'a', budgets: [budget({ usd: '30', period: 'week' as const })] }], keys: [{ key: 'k', tenant: 'b', budgets: [], perUser: [] }, { key: 'l', tenant: 'a', budgets: [budget({ model: 'm' })], perUser: [] }] };
    expect(names(usual, given)).toEqual(['budget=100/month', 'tenant=a budget=30/week', 'tenant=b budget=20/month', 'tenant=b key=k budget=5/month', 'tenant=a key=l model=m budget=10/month']);
  });

  test('say their time zone where it is not UTC, and count in it', () => {
    const [only] = budgetsInForce({ ...none, global: [budget({ time_zone: 'Asia/Tokyo' })] }, { tenants: [], keys: [] }, NOW);
    expect(only).toMatchObject({ labels: { budget: '10/month Asia/Tokyo' }, limitNanoUsd: 10_000_000_000n, spender: { fromMs: Date.parse('2026-02-28T15:00:00Z'), toMs: Date.parse('2026-03-31T15:00:00Z') } });
  });

  test('of users hold in the tenants that have a key for which they do', () => {
    const key = (name: string, tenant: string, perUser: Budget[] = []) => ({ key: name, tenant, budgets: [], perUser });
    const found = userBudgets({ ...none, per_user: [budget({ usd: '1' })] }, { tenants: [], keys: [key('k', 'a'), key('l', 'a', [budget({ usd: '2' })]), key('m', 'b')] }, NOW);
    expect(found.map(({ budget: { usd }, tenants }) => [usd, tenants])).toEqual([['1', ['a', 'b']], ['2', ['a']]]);
  });

  test('a share is what was spent of it; of a budget of nothing, anything is all', () => {
    expect([usedShare(8n, 10n), usedShare(0n, 0n), usedShare(1n, 0n)]).toEqual([0.8, 0, 1]);
  });
});

describe('a forecast', () => {
  test('looks at the same stretch of the same weekdays: a week ago, of a month four weeks', () => {
    const day = comparisonOf({ ...span, fromMs: Date.parse('2026-03-18T00:00:00Z'), toMs: Date.parse('2026-03-19T00:00:00Z') }, 'day', NOW + 12_345);
    expect([day?.elapsed.fromMs, day?.elapsed.toMs, day?.whole.fromMs, day?.whole.toMs]).toEqual(['2026-03-11T00:00:00Z', '2026-03-11T12:00:00Z', '2026-03-11T00:00:00Z', '2026-03-12T00:00:00Z'].map(Date.parse));
    const month = comparisonOf({ ...span, fromMs: Date.parse('2026-03-01T00:00:00Z'), toMs: Date.parse('2026-04-01T00:00:00Z') }, 'month', NOW);
    expect([month?.elapsed.fromMs, month?.elapsed.toMs, month?.whole.toMs]).toEqual(['2026-02-01T00:00:00Z', '2026-02-18T12:00:00Z', '2026-03-04T00:00:00Z'].map(Date.parse));
  });

  test('is silent in the first tenth of a period, and where there is no end', () => {
    const day = { ...span, fromMs: 0, toMs: 1000 };
    expect(comparisonOf(day, 'day', 99)).toBeNull();
    expect(comparisonOf(day, 'day', 100)).not.toBeNull();
    expect(comparisonOf({ ...span, fromMs: 0, toMs: null }, 'total', NOW)).toBeNull();
  });

  test('goes on as it was then, by as much more as there has been so far', () => {
    expect(forecast({ spent: 20n, elapsedShare: 0.5, before: { elapsed: 10n, whole: 50n } })).toBe(100n);
    expect(forecast({ spent: 1000n, elapsedShare: 0.5, before: { elapsed: 1n, whole: 41n } })).toBe(1120n);
  });

  test('of what did not spend then goes on as evenly as so far', () => {
    expect(forecast({ spent: 20n, elapsedShare: 0.25, before: { elapsed: 0n, whole: 40n } })).toBe(80n);
  });

  test('is never less than what is spent already', () => {
    fc.assert(fc.property(money, fc.double({ min: 0.1, max: 1, noNaN: true }), money, money, (spent, elapsedShare, elapsed, rest) => {
      expect(forecast({ spent, elapsedShare, before: { elapsed, whole: elapsed + rest } })).toBeGreaterThanOrEqual(spent);
    }));
  });
});
