import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { ADMIN_OPERATIONS, ROLES, type AdminOperation, type Role } from '@deja/admin-api';
import { scriptedAdmin, tokenOf, withToken, type ScriptedAdmin } from '../../test/scripted-admin.ts';

const OPERATIONS: readonly AdminOperation[] = ADMIN_OPERATIONS;
const SOME_ID = '019b7d9e-0000-7000-8000-000000000001';
const named = (operations: readonly AdminOperation[]): [string, AdminOperation][] => operations.map((operation) => [`${operation.method} ${operation.path}`, operation]);
const addressOf = ({ path }: AdminOperation): string => `/admin/v1/${path.replaceAll(/\{\w+\}/g, SOME_ID)}`;

/** A body that would be refused, were it looked at. */
const call = (admin: ScriptedAdmin, operation: AdminOperation, headers: Record<string, string>) =>
  admin.send({ method: operation.method, url: addressOf(operation), headers: { ...headers, ...(operation.method !== 'GET' && { 'content-type': 'application/json' }) }, ...(operation.method !== 'GET' && { payload: '{"no":"such field"}' }) });

async function expectRefused(admin: ScriptedAdmin, operation: AdminOperation, headers: Record<string, string>, status: number, code: string): Promise<void> {
  const reply = await call(admin, operation, headers);
  expect([reply.statusCode, reply.json()]).toEqual([status, { error: { message: expect.any(String), type: 'invalid_request_error', param: null, code } }]);
  expect([reply.headers['cache-control'], admin.calls]).toEqual(['no-store', []]);
}

describe('nothing reaches another app', () => {
  let admin: ScriptedAdmin;
  beforeAll(async () => {
    admin = await scriptedAdmin({ script: tokenOf(null) });
  });
  afterAll(() => admin.close());

  test.each(named(OPERATIONS))('%s is refused without a key, with a wrong one, and with a token nobody has', async (_name, operation) => {
    for (const authorization of ['', 'Bearer wrong', withToken.authorization]) await expectRefused(admin, operation, { authorization }, 401, 'invalid_api_key');
  });
});

describe.each(ROLES)('for the role %s', (role: Role) => {
  let admin: ScriptedAdmin;
  beforeAll(async () => {
    admin = await scriptedAdmin({ script: tokenOf({ role }) });
  });
  afterAll(() => admin.close());

  const isAllowed = (operation: AdminOperation): boolean => ROLES.indexOf(role) >= ROLES.indexOf(operation.role);

  test('all that takes a greater role is refused, and nothing reaches another app', async () => {
    for (const operation of OPERATIONS.filter((one) => !isAllowed(one))) await expectRefused(admin, operation, withToken, 403, 'permission_denied');
  });

  test('nothing else is', async () => {
    for (const operation of OPERATIONS.filter(isAllowed)) expect([operation.id, (await call(admin, operation, withToken)).statusCode]).not.toEqual([operation.id, 403]);
  });
});

describe('for the token of one tenant', () => {
  let admin: ScriptedAdmin;
  beforeAll(async () => {
    admin = await scriptedAdmin({ script: tokenOf({ role: 'owner', tenant: 'acme' }) });
  });
  afterAll(() => admin.close());

  test.each(named(OPERATIONS.filter(({ tenantScoped }) => !tenantScoped)))('%s is refused, and nothing reaches another app', async (_name, operation) => {
    await expectRefused(admin, operation, withToken, 403, 'permission_denied');
  });

  test.each(named(OPERATIONS.filter(({ query }) => query !== null && 'tenant' in query.shape)))('%s of another tenant is a 404, and nothing reaches another app', async (_name, operation) => {
    const reply = await admin.send({ method: operation.method, url: `${addressOf(operation)}?tenant=globex`, headers: withToken });
    expect([reply.statusCode, reply.json<{ error: { code: string } }>().error.code, admin.calls]).toEqual([404, 'not_found', []]);
  });

  test.each([
    ['keys', { tenant: 'globex', name: 'x' }, 404], ['admin-tokens', { tenant: 'globex', name: 'x', role: 'viewer' }, 404], ['admin-tokens', { tenant: null, name: 'x', role: 'viewer' }, 403],
    ['cache/invalidate', { tenant: 'globex' }, 404], ['cache/feedback', { tenant: 'globex', entry: SOME_ID, correct: false }, 404],
  ])('POST %s with %j is a %d, and nothing reaches another app', async (path, body, status) => {
    const reply = await admin.send({ method: 'POST', url: `/admin/v1/${path}`, payload: JSON.stringify(body), headers: { ...withToken, 'content-type': 'application/json' } });
    expect([reply.statusCode, admin.calls]).toEqual([status, []]);
  });
});
