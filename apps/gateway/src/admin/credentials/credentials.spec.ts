import { afterEach, describe, expect, test } from '@jest/globals';
import { DejaError, type RouterRpc } from '@deja/contracts';
import { RpcFailure, RpcTimeout, RpcUnavailable } from '@deja/transport';
import { ADMIN_KEY, changeBy, credentialView, NOW_MS, scriptedAdmin, tokenOf, vaultKeyPair, withToken, type Script, type ScriptedAdmin } from '../../../test/scripted-admin.ts';

const PLANTED = 'planted-9f3c1e7a5b2d4860';
const ID = credentialView().id;

const open: ScriptedAdmin[] = [];
const started = async (script: Script): Promise<ScriptedAdmin> => {
  const admin = await scriptedAdmin({ script });
  open.push(admin);
  return admin;
};
afterEach(async () => {
  await Promise.all(open.splice(0).map((admin) => admin.close()));
});
const json = (payload: object): { payload: string; headers: Record<string, string> } => ({ payload: JSON.stringify(payload), headers: { 'content-type': 'application/json; charset=utf-8' } });
const create = (admin: ScriptedAdmin, body: object = {}) => admin.send({ method: 'POST', url: '/admin/v1/credentials', ...json({ provider: 'openai', name: 'main', value: PLANTED, ...body }) });
type Created = RouterRpc['create_credential']['request'];

test('a new credential goes to the router with its value sealed, defaults filled in, and is shown without the value', async () => {
  const { publicKey, open: opened } = await vaultKeyPair();
  const admin = await started({ vault_key: () => ({ publicKey }), create_credential: () => ({ credential: credentialView({ lastFour: '4860' }) }) });
  const reply = await create(admin);
  expect(reply.statusCode).toBe(201);
  expect(reply.json()).toEqual({
    object: 'credential', id: ID, provider: 'openai', name: 'main', tenant: null, base_url: null, weight: 1, limits: {}, disabled: false, source: 'api', last_four: '4860', health: 'healthy',
    trouble: null, unavailable_until: null, grace_until: null, created_at: '2026-01-02T03:03:05.000Z', updated_at: '2026-01-02T03:03:05.000Z',
  });
  const { credential } = admin.calls[1]!.request as Created;
  expect(credential).toEqual({ provider: 'openai', name: 'main', tenant: null, baseUrl: null, weight: 1, limits: {}, sealedValue: expect.any(String) });
  expect(await opened(credential.sealedValue)).toBe(PLANTED);
});

test('everything that was said of a new credential reaches the router', async () => {
  const { publicKey } = await vaultKeyPair();
  const admin = await started({ vault_key: () => ({ publicKey }), create_credential: () => ({ credential: credentialView() }) });
  await create(admin, { weight: 0, limits: { requests_per_minute: 5, concurrency: 2 }, tenant: 'acme', base_url: 'https://acme.openai.azure.com/openai' });
  expect((admin.calls[1]!.request as Created).credential).toMatchObject({ weight: 0, limits: { requests_per_minute: 5, concurrency: 2 }, tenant: 'acme', baseUrl: 'https://acme.openai.azure.com/openai' });
});

test('the key to seal to is fetched once for all values, and again after a failure', async () => {
  const { publicKey } = await vaultKeyPair();
  let isAway = true;
  const admin = await started({
    vault_key: () => {
      if (isAway) throw new RpcTimeout('vault_key', 1);
      return { publicKey };
    },
    create_credential: () => ({ credential: credentialView() }),
    rotate_credential: () => ({ credential: credentialView() }),
  });
  expect((await create(admin)).statusCode).toBe(503);
  isAway = false;
  await Promise.all([create(admin), create(admin)]);
  await admin.send({ method: 'POST', url: `/admin/v1/credentials/${ID}/rotate`, ...json({ value: PLANTED }) });
  expect(admin.calls.filter(({ pattern }) => pattern === 'vault_key').length).toBe(2);
});

test.each(['value', 'sealedValue', 'credential.sealedValue'])('a value that the router cannot open (%s) is sealed once more, to the key it has by now', async (param) => {
  const [before, now] = await Promise.all([vaultKeyPair(), vaultKeyPair()]);
  let asked = 0;
  const admin = await started({
    vault_key: () => ({ publicKey: asked++ === 0 ? before.publicKey : now.publicKey }),
    create_credential: async ({ credential }) => {
      await now.open(credential.sealedValue).catch(() => {
        throw new DejaError('invalid_value', 'The value cannot be opened.', { param });
      });
      return { credential: credentialView() };
    },
  });
  expect((await create(admin)).statusCode).toBe(201);
  expect(admin.calls.map(({ pattern }) => pattern)).toEqual(['vault_key', 'create_credential', 'vault_key', 'create_credential']);
});

test('a value that is refused under the same key is not sent again', async () => {
  const { publicKey } = await vaultKeyPair();
  const admin = await started({
    vault_key: () => ({ publicKey }),
    create_credential: () => {
      throw new DejaError('invalid_value', 'The value is not one of this provider.', { param: 'sealedValue' });
    },
  });
  const reply = await create(admin);
  expect([reply.statusCode, reply.json<{ error: object }>().error]).toEqual([400, { message: 'The value is not one of this provider.', type: 'invalid_request_error', param: 'value', code: 'invalid_value' }]);
  expect(admin.calls.filter(({ pattern }) => pattern === 'create_credential').length).toBe(1);
});

test('a key that nobody should seal to is not sealed to', async () => {
  const admin = await started({ vault_key: () => ({ publicKey: { kty: 'oct', crv: 'P-256', x: 'AAAA' } }) });
  expect((await create(admin)).statusCode).toBe(500);
  expect(admin.calls.map(({ pattern }) => pattern)).toEqual(['vault_key']);
});

test.each([
  ['a name that is taken', new DejaError('conflict', 'There is a credential of that name.', { param: 'name' }), 409, 'name'],
  ['an address that is not allowed', new DejaError('invalid_value', 'Requests may not go there.', { param: 'baseUrl' }), 400, 'base_url'],
  ['an id nobody has', new DejaError('not_found', 'There is no such credential.'), 404, null],
])("%s is told in the router's words, with the field's name of this side", async (_what, error, status, param) => {
  const { publicKey } = await vaultKeyPair();
  const admin = await started({
    vault_key: () => ({ publicKey }),
    create_credential: () => {
      throw error;
    },
  });
  const reply = await create(admin);
  expect([reply.statusCode, reply.json<{ error: object }>().error]).toEqual([status, { message: error.message, type: 'invalid_request_error', param, code: error.code }]);
});

test.each([
  ['no router answers', new RpcTimeout('x', 1), 503, 'overloaded', '1'],
  ['Redis is away', new RpcUnavailable('x'), 503, 'overloaded', '1'],
  ['the router has a defect', new RpcFailure('x'), 500, 'internal_error', undefined],
])('%s: each call says so, and when to come back', async (_what, error, status, code, retryAfter) => {
  const fail = (): never => {
    throw error;
  };
  const admin = await started({ vault_key: fail, list_credentials: fail, update_credential: fail, delete_credential: fail });
  const replies = [
    await create(admin),
    await admin.send({ method: 'GET', url: '/admin/v1/credentials' }),
    await admin.send({ method: 'GET', url: `/admin/v1/credentials/${ID}` }),
    await admin.send({ method: 'PATCH', url: `/admin/v1/credentials/${ID}`, ...json({ weight: 1 }) }),
    await admin.send({ method: 'DELETE', url: `/admin/v1/credentials/${ID}` }),
  ];
  for (const reply of replies) expect([reply.statusCode, reply.json<{ error: { code: string } }>().error.code, reply.headers['retry-after']]).toEqual([status, code, retryAfter]);
});

test('a credential is found by its id, also by one with a slash, plain or encoded', async () => {
  const admin = await started({ list_credentials: () => ({ credentials: [credentialView(), credentialView({ id: 'openai/a', source: 'file', createdAtMs: null, updatedAtMs: null })] }) });
  for (const path of [ID, 'openai/a', 'openai%2Fa']) expect((await admin.send({ method: 'GET', url: `/admin/v1/credentials/${path}` })).json()).toMatchObject({ id: decodeURIComponent(path) });
  const unknown = await admin.send({ method: 'GET', url: '/admin/v1/credentials/openai' });
  expect([unknown.statusCode, unknown.json<{ error: { code: string } }>().error.code]).toEqual([404, 'not_found']);
});

test('a list goes on where its cursor says', async () => {
  const admin = await started({ list_credentials: () => ({ credentials: ['c', 'a', 'b'].map((id) => credentialView({ id })) }) });
  const first = (await admin.send({ method: 'GET', url: '/admin/v1/credentials?limit=2' })).json<{ next_cursor: string }>();
  expect(first).toMatchObject({ object: 'list', has_more: true, data: [{ id: 'a' }, { id: 'b' }] });
  const rest = await admin.send({ method: 'GET', url: `/admin/v1/credentials?limit=2&cursor=${first.next_cursor}` });
  expect(rest.json()).toMatchObject({ object: 'list', has_more: false, next_cursor: null, data: [{ id: 'c' }] });
});

test('what speaks against a credential is shown with its end; after that it is on probation', async () => {
  const view = (changes: object) => credentialView({ trouble: 'rate_limited', ...changes });
  const admin = await started({ list_credentials: () => ({ credentials: [view({ id: 'a', unavailableUntilMs: NOW_MS + 1000, graceUntilMs: NOW_MS + 5000 }), view({ id: 'b', unavailableUntilMs: NOW_MS })] }) });
  expect((await admin.send({ method: 'GET', url: '/admin/v1/credentials' })).json<{ data: object[] }>().data).toMatchObject([
    { id: 'a', health: 'out', trouble: 'rate_limited', unavailable_until: '2026-01-02T03:04:06.000Z', grace_until: '2026-01-02T03:04:10.000Z' },
    { id: 'b', health: 'probation', trouble: 'rate_limited', unavailable_until: '2026-01-02T03:04:05.000Z', grace_until: null },
  ]);
});

test('a change sends what was named and nothing else', async () => {
  const admin = await started({ update_credential: () => ({ credential: credentialView({ disabled: true }) }) });
  const reply = await admin.send({ method: 'PATCH', url: `/admin/v1/credentials/${ID}`, ...json({ disabled: true, limits: {} }) });
  expect([reply.statusCode, reply.json<{ disabled: boolean }>().disabled]).toEqual([200, true]);
  expect(admin.calls).toEqual([{ pattern: 'update_credential', request: { id: ID, disabled: true, limits: {}, change: changeBy() } }]);
});

test.each([[{}, 3600], [{ grace_s: 0 }, 0], [{ grace_s: 2_592_000 }, 2_592_000]])('a rotation with %j has a grace of %d seconds', async (grace, graceS) => {
  const { publicKey, open: opened } = await vaultKeyPair();
  const admin = await started({ vault_key: () => ({ publicKey }), rotate_credential: () => ({ credential: credentialView({ graceUntilMs: NOW_MS + graceS * 1000 }) }) });
  const reply = await admin.send({ method: 'POST', url: `/admin/v1/credentials/${ID}/rotate`, ...json({ value: PLANTED, ...grace }) });
  const request = admin.calls[1]!.request as RouterRpc['rotate_credential']['request'];
  expect([reply.statusCode, request.id, request.graceS, await opened(request.sealedValue)]).toEqual([200, ID, graceS, PLANTED]);
});

test('a credential that is deleted is named once more', async () => {
  const admin = await started({ delete_credential: () => ({ deleted: true }) });
  const reply = await admin.send({ method: 'DELETE', url: `/admin/v1/credentials/${ID}` });
  expect([reply.statusCode, reply.json()]).toEqual([200, { object: 'credential', id: ID, deleted: true }]);
  expect(admin.calls).toEqual([{ pattern: 'delete_credential', request: { id: ID, change: changeBy() } }]);
});

test.each(['rotat', 'rotate/x', 'drain'])('there is no action %s, and its body is not looked at', async (action) => {
  const admin = await started({});
  expect((await admin.send({ method: 'POST', url: `/admin/v1/credentials/${ID}/${action}`, payload: '{', headers: { 'content-type': 'application/json' } })).statusCode).toBe(404);
  expect((await admin.send({ method: 'POST', url: '/admin/v1/credentials/rotate', ...json({ value: PLANTED }) })).statusCode).toBe(404);
});

const views = [credentialView({ id: 'a', tenant: 'acme' }), credentialView({ id: 'b', tenant: 'globex' }), credentialView({ id: 'openai/c', source: 'file', revision: null })];

test('its etag goes out with a credential, and comes back as the condition of a change; one of deja.yaml has none', async () => {
  const admin = await started({ list_credentials: () => ({ credentials: views }), update_credential: () => ({ credential: credentialView({ revision: 4 }) }) });
  const [kept, ofTheFile] = await Promise.all(['a', 'openai/c'].map((id) => admin.send({ method: 'GET', url: `/admin/v1/credentials/${id}` })));
  expect([kept!.headers['etag'], ofTheFile!.headers['etag']]).toEqual(['"3"', undefined]);
  const changed = await admin.send({ method: 'PATCH', url: '/admin/v1/credentials/a', payload: '{"weight":2}', headers: { 'content-type': 'application/json', 'if-match': '"3"' } });
  expect([changed.statusCode, changed.headers['etag']]).toEqual([200, '"4"']);
  expect(admin.calls.at(-1)).toMatchObject({ pattern: 'update_credential', request: { change: { ifMatch: '"3"' } } });
});

test('a new credential under an idempotency key is sent with it, and an answer that is repeated says so', async () => {
  const { publicKey } = await vaultKeyPair();
  const admin = await started({ vault_key: () => ({ publicKey }), create_credential: () => ({ credential: credentialView(), replayed: true }) });
  const once = (value: string) => admin.send({ method: 'POST', url: '/admin/v1/credentials', payload: JSON.stringify({ provider: 'openai', name: 'main', value }), headers: { 'content-type': 'application/json', 'idempotency-key': 'the-first-of-january' } });
  const replies = [await once(PLANTED), await once(PLANTED), await once('another')];
  expect(replies.map((reply) => [reply.statusCode, reply.headers['idempotent-replayed']])).toEqual(replies.map(() => [201, 'true']));
  const sent = admin.calls.flatMap(({ pattern, request }) => (pattern === 'create_credential' ? [(request as Created).change.idempotency!] : []));
  expect(sent.map(({ key }) => key)).toEqual(['the-first-of-january', 'the-first-of-january', 'the-first-of-january']);
  // The value is sealed anew each time, and the request is the same one all the same.
  expect([sent[0]!.fingerprint === sent[1]!.fingerprint, sent[0]!.fingerprint === sent[2]!.fingerprint]).toEqual([true, false]);
});

describe("with the token of one tenant", () => {
  const scoped = async (script: Script = {}): Promise<(method: 'GET' | 'PATCH' | 'POST' | 'DELETE', path: string, body?: object) => Promise<{ status: number; json: { data?: object[]; error?: { code: string } }; calls: string[] }>> => {
    const { publicKey } = await vaultKeyPair();
    const made = () => ({ credential: credentialView({ tenant: 'acme' }) });
    const admin = await started({ ...tokenOf({ role: 'operator', tenant: 'acme' }), vault_key: () => ({ publicKey }), list_credentials: () => ({ credentials: views }), create_credential: made, update_credential: made, rotate_credential: made, delete_credential: () => ({ deleted: true }), ...script });
    return async (method, path, body) => {
      const before = admin.calls.length;
      const reply = await admin.send({ method, url: `/admin/v1/${path}`, headers: { ...withToken, ...(body && { 'content-type': 'application/json' }) }, ...(body && { payload: JSON.stringify(body) }) });
      return { status: reply.statusCode, json: reply.json(), calls: admin.calls.slice(before).map(({ pattern }) => pattern) };
    };
  };

  test("only that tenant's credentials are listed and found", async () => {
    const send = await scoped();
    expect((await send('GET', 'credentials')).json.data).toEqual([expect.objectContaining({ id: 'a' })]);
    expect([(await send('GET', 'credentials/a')).status, (await send('GET', 'credentials/b')).status, (await send('GET', 'credentials/openai/c')).status]).toEqual([200, 404, 404]);
  });

  test.each(['b', 'openai/c', 'nobody'])("the credential %s, which is not that tenant's, is not there to be changed", async (id) => {
    const send = await scoped();
    const replies = [await send('PATCH', `credentials/${id}`, { weight: 2 }), await send('POST', `credentials/${id}/rotate`, { value: PLANTED }), await send('DELETE', `credentials/${id}`)];
    for (const { status, json, calls } of replies) expect([status, json.error?.code, calls]).toEqual([404, 'not_found', ['list_credentials']]);
  });

  test("that tenant's own may be changed, rotated and destroyed", async () => {
    const send = await scoped();
    const replies = [await send('PATCH', 'credentials/a', { weight: 2 }), await send('POST', 'credentials/a/rotate', { value: PLANTED }), await send('DELETE', 'credentials/a')];
    expect(replies.map(({ status }) => status)).toEqual([200, 200, 200]);
  });

  test('a new credential is that tenant\'s without being told so; another one\'s, or everyone\'s, cannot be made', async () => {
    const tenants: unknown[] = [];
    const send = await scoped({ create_credential: ({ credential }) => {
      tenants.push(credential.tenant);
      return { credential: credentialView({ tenant: 'acme' }) };
    } });
    const statuses = await Promise.all([{}, { tenant: 'acme' }, { tenant: 'globex' }, { tenant: null }].map(async (more) => (await send('POST', 'credentials', { provider: 'openai', name: 'main', value: PLANTED, ...more })).status));
    expect([statuses, tenants]).toEqual([[201, 201, 404, 403], ['acme', 'acme']]);
  });
});

test('a value is in no answer, no log line and no message to the router, whether it was taken or not; nor is the admin key', async () => {
  const { publicKey } = await vaultKeyPair();
  const echo = (said: object): never => {
    // What a router knows of the request is all that it could repeat.
    throw new DejaError('invalid_value', `It will not do: ${JSON.stringify(said)}.`, { param: 'provider' });
  };
  const scripts: Script[] = [
    { vault_key: () => ({ publicKey }), create_credential: () => ({ credential: credentialView() }), rotate_credential: () => ({ credential: credentialView() }), list_credentials: () => ({ credentials: [{ ...credentialView(), value: PLANTED, sealedValue: PLANTED } as never] }) },
    { vault_key: () => ({ publicKey }), create_credential: echo, rotate_credential: echo },
    { vault_key: () => ({ publicKey: { kty: 'EC', crv: 'P-256', x: 'broken', y: 'broken' } }) },
    {},
  ];
  for (const script of scripts) {
    const admin = await started(script);
    const bodies = await Promise.all([
      create(admin),
      create(admin, { name: '!' }),
      create(admin, { weight: PLANTED }),
      admin.send({ method: 'POST', url: `/admin/v1/credentials/${ID}/rotate`, ...json({ value: PLANTED }) }),
      admin.send({ method: 'POST', url: `/admin/v1/credentials/${ID}/rotate`, ...json({ value: PLANTED, grace_s: PLANTED }) }),
      admin.send({ method: 'GET', url: '/admin/v1/credentials' }),
    ]);
    const everything = [...bodies.flatMap((reply) => [reply.body, JSON.stringify(reply.headers)]), ...admin.lines, JSON.stringify(admin.calls)].join('\n');
    for (const secret of [PLANTED, Buffer.from(PLANTED).toString('base64url'), ADMIN_KEY]) expect(everything).not.toContain(secret);
  }
});
