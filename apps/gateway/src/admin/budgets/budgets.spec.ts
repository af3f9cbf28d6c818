import { expect, test } from '@jest/globals';
import { DejaError, type AdminCall } from '@deja/contracts';
import { adminAnswer, scriptedAdmin, tokenOf, withToken } from '../../../test/scripted-admin.ts';

const KEY = '019b7d9e-0000-7000-8000-000000000001';
const EMPTY = { object: 'list' as const, data: [], has_more: false, next_cursor: null };

test('budgets are looked up among the tenants and keys that the caller may see', async () => {
  const admin = await scriptedAdmin({
    script: { ...tokenOf({ role: 'viewer', tenant: 'acme' }), admin: ({ operation }) => adminAnswer({ body: { of: operation } }) },
    listBudgets: async (query, owners) => {
      expect(query).toEqual({ tenant: 'acme', user: 'a' });
      expect([await owners.tenant('acme'), await owners.key(KEY), await owners.keys({ tenant: 'acme', limit: 7, cursor: undefined })]).toEqual([{ of: 'getTenant' }, { of: 'getKey' }, { of: 'listKeys' }]);
      return EMPTY;
    },
  });
  const reply = await admin.send({ method: 'GET', url: '/admin/v1/budgets?user=a', headers: withToken });
  expect([reply.statusCode, reply.json()]).toEqual([200, EMPTY]);
  const calls = admin.calls.map(({ request }) => request as AdminCall);
  expect(calls.map(({ operation, params, query }) => [operation, params, query])).toEqual([['getTenant', { id: 'acme' }, null], ['getKey', { id: KEY }, null], ['listKeys', {}, { tenant: 'acme', limit: '7' }]]);
  for (const { by } of calls) expect(by).toMatchObject({ role: 'viewer', tenant: 'acme' });
  await admin.close();
});

test('whose tenant or key is not there is told so', async () => {
  const admin = await scriptedAdmin({
    script: { admin: () => { throw new DejaError('not_found', 'There is no such tenant.'); } },
    listBudgets: async (_query, owners) => owners.tenant('acme').then(() => EMPTY),
  });
  expect((await admin.send({ method: 'GET', url: '/admin/v1/budgets?tenant=acme' })).statusCode).toBe(404);
  await admin.close();
});
