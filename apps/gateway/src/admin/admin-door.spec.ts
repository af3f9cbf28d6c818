import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { ADMIN_KEY, scriptedAdmin, vaultKeyPair, credentialView, deploymentView, type ScriptedAdmin } from '../../test/scripted-admin.ts';

const EVERY_CALL: [method: 'GET' | 'POST' | 'PATCH' | 'DELETE' | 'PUT', path: string][] = [
  ['POST', 'credentials'], ['GET', 'credentials'], ['GET', 'credentials/x'], ['PATCH', 'credentials/x'], ['POST', 'credentials/x/rotate'], ['DELETE', 'credentials/x'],
  ['POST', 'vault/rewrap'], ['GET', 'deployments'], ['GET', 'deployments/p/m'], ['POST', 'deployments/p/m/drain'], ['POST', 'deployments/p%2Fm/resume'], ['POST', 'plan/explain'],
  ['GET', ''], ['GET', 'nothing'], ['PUT', 'credentials'], ['DELETE', 'deployments/p/m'], ['GET', 'vault/rewrap'],
];
const at = (path: string): string => `/admin/v1${path === '' ? '' : `/${path}`}`;

describe('with an admin key', () => {
  let admin: ScriptedAdmin;
  beforeAll(async () => {
    const { publicKey } = await vaultKeyPair();
    admin = await scriptedAdmin({
      script: {
        vault_key: () => ({ publicKey }),
        create_credential: () => ({ credential: credentialView() }),
        list_credentials: () => ({ credentials: [credentialView()] }),
        list_deployments: () => ({ deployments: [deploymentView()] }),
      },
    });
  });
  afterAll(() => admin.close());

  test.each(EVERY_CALL)('%s %s is refused without a key, and nothing reaches the router', async (method, path) => {
    const before = admin.calls.length;
    const reply = await admin.send({ method, url: at(path), headers: { authorization: '' } });
    expect([reply.statusCode, reply.json()]).toEqual([401, { error: { message: "No admin key was given. Send it as 'Authorization: Bearer <key>'.", type: 'invalid_request_error', param: null, code: 'invalid_api_key' } }]);
    expect(admin.calls.length).toBe(before);
  });

  test.each([
    ['another key', `Bearer ${ADMIN_KEY}x`],
    ['a part of the key', `Bearer ${ADMIN_KEY.slice(0, -1)}`],
    ['another case', `Bearer ${ADMIN_KEY.toUpperCase()}`],
    ['another scheme', `Basic ${ADMIN_KEY}`],
    ['no scheme', ADMIN_KEY],
    ['an empty one', 'Bearer '],
    ['two keys', `Bearer ${ADMIN_KEY} ${ADMIN_KEY}`],
    ['a client key', 'Bearer sk-deja-abc-def'],
    ['a very long one', `Bearer ${'x'.repeat(8000)}`],
  ])('%s is refused', async (_what, authorization) => {
    const reply = await admin.send({ method: 'GET', url: at('credentials'), headers: { authorization } });
    expect([reply.statusCode, reply.json<{ error: { code: string } }>().error.code]).toEqual([401, 'invalid_api_key']);
  });

  test.each(['api-key', 'x-api-key'])('a key in %s is none: that is where clients have theirs', async (header) => {
    const reply = await admin.send({ method: 'GET', url: at('credentials'), headers: { authorization: '', [header]: ADMIN_KEY } });
    expect(reply.statusCode).toBe(401);
  });

  test('an encoded path is behind the same door', async () => {
    expect((await admin.send({ method: 'GET', url: '/%61dmin/v1/credentials', headers: { authorization: '' } })).statusCode).toBe(401);
    expect((await admin.send({ method: 'POST', url: '/%61dmin/v1/credentials', payload: '{}', headers: { 'content-type': 'application/json' } })).statusCode).toBe(400);
  });

  test('who has the key is let in, however the scheme is written', async () => {
    expect((await admin.send({ method: 'GET', url: at('credentials'), headers: { authorization: `bearer  ${ADMIN_KEY}` } })).statusCode).toBe(200);
    expect((await admin.send({ method: 'GET', url: '/admin/v1/credentials/' })).statusCode).toBe(200);
  });

  test.each(EVERY_CALL.slice(12))('%s %s is nothing, in the shape of every error', async (method, path) => {
    const reply = await admin.send({ method, url: at(path) });
    expect([reply.statusCode, reply.json()]).toEqual([404, { error: { message: expect.any(String), type: 'invalid_request_error', param: null, code: 'not_found' } }]);
  });

  test('every answer has an id of its own and is kept nowhere', async () => {
    const replies = await Promise.all([
      admin.send({ method: 'GET', url: at('credentials') }),
      admin.send({ method: 'GET', url: at('deployments') }),
      admin.send({ method: 'GET', url: at('nothing') }),
      admin.send({ method: 'POST', url: at('credentials'), payload: '{' }),
      admin.send({ method: 'POST', url: at('vault/rewrap') }),
      admin.send({ method: 'GET', url: at('credentials'), headers: { authorization: '' } }),
    ]);
    expect(replies.map(({ statusCode }) => statusCode)).toEqual([200, 200, 404, 400, 500, 401]);
    for (const reply of replies) expect(reply.headers['cache-control']).toBe('no-store');
    expect(new Set(replies.map(({ headers }) => headers['x-request-id'])).size).toBe(replies.length);
  });
});

test('a client key that somebody made the admin key does not open the surface', async () => {
  const admin = await scriptedAdmin({ adminKey: 'sk-deja-abc-def' });
  expect((await admin.send({ method: 'GET', url: at('deployments'), headers: { authorization: 'Bearer sk-deja-abc-def' } })).statusCode).toBe(401);
  await admin.close();
});

test('without an admin key in the environment there is nothing at any address, whatever key is sent', async () => {
  const admin = await scriptedAdmin({ adminKey: null });
  for (const [method, path] of EVERY_CALL) {
    for (const authorization of ['', `Bearer ${ADMIN_KEY}`, 'Bearer null']) {
      const reply = await admin.send({ method, url: at(path), headers: { authorization } });
      expect([method, path, reply.statusCode, reply.json<{ error: { code: string } }>().error.code]).toEqual([method, path, 404, 'not_found']);
    }
  }
  expect(admin.calls).toEqual([]);
  await admin.close();
});
