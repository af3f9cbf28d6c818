import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { ADMIN_OPERATIONS } from '@deja/admin-api';
import { BUDGET_SHARDS_KEY, budgetAccountsKey, DejaError, type Budget, type BudgetAccount } from '@deja/contracts';
import { eventually, RedisProcess } from '@deja/testing';
import { AccountRegister } from './account-register.ts';
import type { BudgetSettings } from './budget-ceilings.ts';
import { BudgetList, type BudgetOwners } from './list-budgets.ts';

const NOW = Date.parse('2026-06-15T12:00:00Z');
const [KEY, OTHER] = ['0190a000-0000-7000-8000-000000000001', '0190a000-0000-7000-8000-000000000002'];
const budget = (usd: string, of: Partial<Budget> = {}): Budget => ({ usd, period: 'day', mode: 'hard', time_zone: 'UTC', ...of });
const SETTINGS: BudgetSettings = {
  limits: { global: {}, per_tenant: {}, per_key: {}, per_user: {}, degraded: 'local_share' },
  budgets: { global: [budget('100', { period: 'total' })], per_tenant: [budget('50')], per_key: [budget('10')], per_user: [budget('1')] },
};
const reply = ADMIN_OPERATIONS.find(({ id }) => id === 'listBudgets')!.reply;

let server: RedisProcess;
beforeAll(async () => {
  server = await RedisProcess.start();
});
beforeEach(() => server.client.flushall());
afterAll(() => server.stop());

const asKey = (id: string, own: { budgets?: Budget[]; perUser?: Budget[] } = {}) => ({ id, tenant: 't', budgets: own.budgets ?? [], per_user: { budgets: own.perUser } });
function owners(keys = [asKey(KEY, { budgets: [budget('20', { model: 'gpt-4o' })] }), asKey(OTHER, { perUser: [budget('2')] })], page = 1000): BudgetOwners {
  return {
    tenant: (id) => (id === 't' ? Promise.resolve({ id, budgets: [] }) : Promise.reject(new DejaError('not_found', `There is no tenant '${id}'.`))),
    key: (id) => Promise.resolve(keys.find((key) => key.id === id)!),
    keys: ({ limit, cursor }) => {
      const at = Number(cursor ?? 0);
      const end = at + Math.min(limit, page);
      return Promise.resolve({ data: keys.slice(at, end), has_more: end < keys.length, next_cursor: end < keys.length ? String(end) : null });
    },
  };
}

const answers = (spent: string) => ({ spent: (accounts: readonly BudgetAccount[]) => Promise.resolve(accounts.map(() => spent)) });
const silent = { spent: () => Promise.reject(new Error('no reply')) };
const list = (ledger: ConstructorParameters<typeof BudgetList>[1] = answers('0')): BudgetList => new BudgetList(server.client, ledger, () => SETTINGS, () => NOW);
const brief = (data: { scope: string; key: string | null; user: string | null; model: string | null; usd: string }[]): unknown[] => data.map(({ scope, key, user, model, usd }) => [scope, key, user, model, usd]);

describe('the list of budgets', () => {
  test('without a tenant has the global ones, with what Redis says was spent and is held', async () => {
    await server.client.hset('deja:budget:{global}:everybody:all:0-', { spent: '25000000001', held: '5' });
    const found = await list(silent).list({}, owners());
    expect(reply.parse(found)).toEqual({
      object: 'list',
      data: [{
        object: 'budget', scope: 'global', tenant: null, key: null, user: null, model: null, period: 'total', time_zone: 'UTC', mode: 'hard',
        usd: '100', spent_usd: '25.000000001', held_usd: '0.000000005', used_share: 0.25000000001, starts_at: null, resets_at: null,
      }],
      has_more: false,
      next_cursor: null,
    });
  });

  test('what Redis does not know is asked of the ledger, and only that', async () => {
    const asked: string[] = [];
    const ledger = {
      spent: (accounts: readonly BudgetAccount[]) => {
        asked.push(...accounts.map(({ key }) => key));
        return Promise.resolve(accounts.map(() => '2000000000'));
      },
    };
    const key = `deja:budget:{t}:tenant:all:${Date.parse('2026-06-15T00:00:00Z')}-${Date.parse('2026-06-16T00:00:00Z')}`;
    await server.client.hset(key, { spent: '7' });
    const { data } = await list(ledger).list({ tenant: 't' }, owners([asKey(KEY)]));
    expect(data.map(({ scope, spent_usd: spent, starts_at: from, resets_at: to }) => [scope, spent, from, to])).toEqual([
      ['tenant', '0.000000007', '2026-06-15T00:00:00.000Z', '2026-06-16T00:00:00.000Z'],
      ['key', '2', '2026-06-15T00:00:00.000Z', '2026-06-16T00:00:00.000Z'],
    ]);
    expect(asked).toEqual([`deja:budget:{t}:key:${KEY}:all:${key.split(':').at(-1)}`]);
  });

  test('with a tenant has its own and its keys’, and nothing that is everybody’s', async () => {
    const { data } = await list().list({ tenant: 't' }, owners());
    expect(brief(data)).toEqual([['tenant', null, null, null, '50'], ['key', KEY, null, 'gpt-4o', '20'], ['key', OTHER, null, null, '10']]);
  });

  test('with a key has those that hold for it, and with a user also the user’s, as each key has them', async () => {
    expect(brief((await list().list({ key: OTHER, user: 'u' }, owners())).data)).toEqual([['tenant', null, null, null, '50'], ['key', OTHER, null, null, '10'], ['user', null, 'u', null, '2']]);
    const both = await list().list({ tenant: 't', user: 'u' }, owners([asKey(KEY), asKey(OTHER, { perUser: [budget('2')] }), asKey(KEY)]));
    expect(brief(both.data).slice(-2)).toEqual([['user', null, 'u', null, '1'], ['user', null, 'u', null, '2']]);
  });

  test('reads the keys page after page, and says when there are more than it shows', async () => {
    const many = Array.from({ length: 1001 }, (_, n) => asKey(`key-${n}`));
    const all = await list().list({ tenant: 't' }, owners(many.slice(0, 1000), 300));
    expect([all.data.length, all.has_more]).toEqual([1001, false]);
    const some = await list().list({ tenant: 't' }, owners(many, 300));
    expect([some.data.length, some.has_more]).toEqual([1001, true]);
  });

  test('a key of another tenant, a tenant that is none, and a user of nobody are refused', async () => {
    await expect(list().list({ tenant: 'x', key: KEY }, owners())).rejects.toMatchObject({ code: 'not_found' });
    await expect(list().list({ tenant: 'x' }, owners())).rejects.toMatchObject({ code: 'not_found' });
    await expect(list().list({ user: 'u' }, owners())).rejects.toMatchObject({ code: 'invalid_value', param: 'user' });
  });

  test('where neither Redis nor the ledger can say what was spent, there is an error and no figure', async () => {
    await expect(list(silent).list({}, owners())).rejects.toMatchObject({ code: 'overloaded' });
  });

  test('a budget of nothing is used up', async () => {
    const none = new BudgetList(server.client, answers('0'), () => ({ ...SETTINGS, budgets: { ...SETTINGS.budgets, global: [budget('0')] } }), () => NOW);
    expect((await none.list({}, owners())).data[0]).toMatchObject({ usd: '0', used_share: 1 });
  });
});

describe('the register of budget accounts', () => {
  const account = (tenant: string | null): BudgetAccount => ({ key: `k-${tenant}`, tenant, clientKey: null, user: null, model: null, fromMs: 0, toMs: null });

  test('has each account once with its shard, and again when Redis was lost', async () => {
    const register = new AccountRegister(server.client, { debug: () => undefined });
    for (let n = 0; n < 3; n += 1) register.use([account('t'), account(null)]);
    await eventually('both shards are registered', async () => (await server.client.scard(BUDGET_SHARDS_KEY)) === 2);
    expect((await server.client.smembers(budgetAccountsKey('t'))).map((text) => JSON.parse(text) as unknown)).toEqual([account('t')]);
    expect((await server.client.smembers(budgetAccountsKey('global'))).map((text) => JSON.parse(text) as unknown)).toEqual([account(null)]);
    await server.client.flushall();
    register.use([account('t')]);
    register.begin([account(null)]);
    await eventually('the account is registered again', async () => (await server.client.scard(budgetAccountsKey('global'))) === 1);
    expect(await server.client.smembers(budgetAccountsKey('t'))).toEqual([]);
  });
});
