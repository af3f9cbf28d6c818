import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { RpcTimeout } from '@deja/transport';
import { ADMIN_KEY, adminAnswer, credentialView, deploymentView, scriptedAdmin, TOKEN, tokenOf, vaultKeyPair, withToken, type ScriptedAdmin } from '../../test/scripted-admin.ts';

const EVERY_CALL: [method: 'GET' | 'POST' | 'PATCH' | 'DELETE' | 'PUT', path: string][] = [
  ['POST', 'credentials'], ['GET', 'credentials'], ['GET', 'credentials/x'], ['PATCH', 'credentials/x'], ['POST', 'credentials/x/rotate'], ['DELETE', 'credentials/x'],
  ['POST', 'vault/rewrap'], ['GET', 'deployments'], ['GET', 'deployments/p/m'], ['POST', 'deployments/p/m/drain'], ['POST', 'deployments/p%2Fm/resume'], ['POST', 'plan/explain'],
  ['GET', ''], ['GET', 'nothing'], ['PUT', 'credentials'], ['DELETE', 'deployments/p/m'], ['GET', 'vault/rewrap'],
];
const ID = '019b7d9e-0000-7000-8000-000000000001';
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
    expect((await admin.send({ method: 'GET', url: '/admin/%761/credentials' })).statusCode).toBe(200);
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

describe('with an admin token', () => {
  test('who has one is let in as long as the router knows it, and is asked for each time', async () => {
    const actors = [{ id: ID, name: 'ci', role: 'viewer' as const, tenant: null }, null];
    const asked: unknown[] = [];
    const admin = await scriptedAdmin({ script: {
      resolve_admin_token: (request) => {
        asked.push(request);
        return { actor: actors[asked.length - 1] ?? null };
      },
      list_deployments: () => ({ deployments: [] }),
    } });
    const send = () => admin.send({ method: 'GET', url: at('deployments'), headers: withToken });
    expect([(await send()).statusCode, (await send()).statusCode]).toEqual([200, 401]);
    expect(asked).toEqual([1, 2].map(() => ({ tokenSha256: createHash('sha256').update(TOKEN).digest('hex'), publicId: 'a'.repeat(16) })));
    expect(admin.lines.join('\n')).not.toContain(TOKEN);
    await admin.close();
  });

  test.each([`${TOKEN}x`, TOKEN.slice(0, -1), TOKEN.toUpperCase(), TOKEN.replace('a-', 'a_'), 'deja-admin-', `deja-admin-${'a'.repeat(48)}`, `x${TOKEN}`])('what has not the form of one is refused, and the router not asked: %s', async (token) => {
    const admin = await scriptedAdmin({ script: { resolve_admin_token: () => { throw new Error('asked'); } } });
    expect((await admin.send({ method: 'GET', url: at('deployments'), headers: { authorization: `Bearer ${token}` } })).statusCode).toBe(401);
    await admin.close();
  });

  test('its end goes with its calls: the router makes no token with it that outlives it', async () => {
    const expiresAtMs = Date.UTC(2100, 0);
    const admin = await scriptedAdmin({ script: { ...tokenOf({ expiresAtMs }), admin: () => adminAnswer() } });
    expect((await admin.send({ method: 'DELETE', url: at(`admin-tokens/${ID}`), headers: withToken })).statusCode).toBe(200);
    expect(admin.calls).toMatchObject([{ pattern: 'admin', request: { by: { role: 'owner', expiresAtMs } } }]);
    await admin.close();
  });

  test('where no router says whose it is, nobody is let in, and is told to come back; the root key needs no router', async () => {
    const admin = await scriptedAdmin({ script: { resolve_admin_token: () => { throw new RpcTimeout('resolve_admin_token', 1); } } });
    const reply = await admin.send({ method: 'GET', url: at('openapi.json'), headers: withToken });
    expect([reply.statusCode, reply.headers['retry-after']]).toEqual([503, '1']);
    expect((await admin.send({ method: 'GET', url: at('openapi.json') })).statusCode).toBe(200);
    await admin.close();
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
