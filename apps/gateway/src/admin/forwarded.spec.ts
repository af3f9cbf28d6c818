import { afterEach, describe, expect, test } from '@jest/globals';
import { DejaError, type AdminCall, type JsonWebKeyPublic } from '@deja/contracts';
import { RpcFailure, RpcTimeout } from '@deja/transport';
import { CompactEncrypt, importJWK } from 'jose';
import { adminAnswer, changeBy, scriptedAdmin, tokenOf, vaultKeyPair, withToken, type ScriptedAdmin, type ScriptedAdminOptions } from '../../test/scripted-admin.ts';

const ID = '019b7d9e-0000-7000-8000-000000000001';
const SECRET = 'sk-deja-AAAABBBBCCCCDDDD-planted9f3c1e7a5b2d4860';

const open: ScriptedAdmin[] = [];
const started = async (options: ScriptedAdminOptions): Promise<ScriptedAdmin> => {
  const admin = await scriptedAdmin(options);
  open.push(admin);
  return admin;
};
afterEach(async () => {
  await Promise.all(open.splice(0).map((admin) => admin.close()));
});
const json = (body: object, headers: Record<string, string> = {}): { payload: string; headers: Record<string, string> } => ({ payload: JSON.stringify(body), headers: { 'content-type': 'application/json', ...headers } });
/** As the router seals what is shown once. */
const sealed = async (secret: string, sealTo: JsonWebKeyPublic | null): Promise<string> =>
  new CompactEncrypt(new TextEncoder().encode(secret)).setProtectedHeader({ alg: 'ECDH-ES', enc: 'A256GCM' }).encrypt(await importJWK({ ...sealTo! }, 'ECDH-ES'));

test("a change goes to the router as it was sent, for the router to parse it, with who makes it and on which conditions", async () => {
  const admin = await started({ script: { admin: () => adminAnswer({ body: { object: 'tenant', id: 'acme' }, etag: '"8"' }) } });
  const reply = await admin.send({ method: 'PATCH', url: '/admin/v1/tenants/acme', ...json({ budgets: [{ usd: 12.5, period: 'month' }] }, { 'if-match': '"7"' }) });
  expect([reply.statusCode, reply.json(), reply.headers['etag'], reply.headers['idempotent-replayed']]).toEqual([200, { object: 'tenant', id: 'acme' }, '"8"', undefined]);
  expect(admin.calls).toEqual([{ pattern: 'admin', request: {
    ...changeBy({ requestId: reply.headers['x-request-id'] as string }, { ifMatch: '"7"' }),
    operation: 'updateTenant', params: { id: 'acme' }, query: null, body: { budgets: [{ usd: 12.5, period: 'month' }] }, sealTo: null,
  } }]);
});

test('a query goes as it was sent: its schema reads text', async () => {
  const admin = await started({ script: { admin: () => adminAnswer({ body: { object: 'list' } }) } });
  await admin.send({ method: 'GET', url: '/admin/v1/keys?limit=7&tenant=acme' });
  await admin.send({ method: 'GET', url: '/admin/v1/audit' });
  expect(admin.calls.map(({ request }) => (request as AdminCall).query)).toEqual([{ limit: '7', tenant: 'acme' }, {}]);
});

test('what the token of one tenant asks is about that tenant without saying so, and the router is told whose token it is', async () => {
  const admin = await started({ script: { ...tokenOf({ role: 'operator', tenant: 'acme', name: 'ci' }), admin: ({ sealTo }) => sealed(SECRET, sealTo).then((sealedSecret) => adminAnswer({ sealedSecret })) }, usage: { admin: () => adminAnswer() } });
  const headers = { ...withToken, 'content-type': 'application/json' };
  await admin.send({ method: 'POST', url: '/admin/v1/keys', payload: '{"name":"x"}', headers });
  await admin.send({ method: 'GET', url: '/admin/v1/requests', headers: withToken });
  await admin.send({ method: 'GET', url: '/admin/v1/tenants', headers: withToken });
  const calls = admin.calls.map(({ request }) => request as AdminCall);
  expect(calls.map(({ body, query }) => [body, query])).toMatchObject([[{ tenant: 'acme' }, null], [null, { tenant: 'acme' }], [null, {}]]);
  for (const { by } of calls) expect(by).toMatchObject({ id: '019b7d9e-0000-7000-8000-00000000000a', name: 'ci', role: 'operator', tenant: 'acme', from: '203.0.113.9' });
});

test('a secret that is shown once comes sealed to this process, and stands in clear in the one answer alone', async () => {
  const admin = await started({ script: { admin: async ({ sealTo }) => adminAnswer({ body: { object: 'key', id: ID }, sealedSecret: await sealed(SECRET, sealTo), replayed: true }) } });
  const reply = await admin.send({ method: 'POST', url: '/admin/v1/keys', ...json({ tenant: 'acme', name: 'x' }, { 'idempotency-key': 'the-first-of-january' }) });
  expect([reply.statusCode, reply.json(), reply.headers['idempotent-replayed']]).toEqual([201, { object: 'key', id: ID, key: SECRET }, 'true']);
  expect(admin.calls[0]?.request).toMatchObject({ idempotency: { key: 'the-first-of-january' }, sealTo: { kty: 'EC', crv: 'P-256' } });
  expect(`${JSON.stringify(admin.calls)}${admin.lines.join('\n')}`).not.toContain(SECRET);
});

test('a secret that was sealed to someone else, or is missing, is a failure that tells nothing', async () => {
  const other = await started({ script: { admin: () => adminAnswer({ body: { object: 'key', id: ID }, sealedSecret: 'eyJ.e30...' }) } });
  const none = await started({ script: { admin: () => adminAnswer({ body: { object: 'key', id: ID } }) } });
  for (const admin of [other, none]) expect((await admin.send({ method: 'POST', url: `/admin/v1/keys/${ID}/rotate`, ...json({}) })).json()).toEqual({ error: { message: 'The gateway failed to handle this request.', type: 'api_error', param: null, code: 'internal_error' } });
});

test.each([
  ['what is told', new DejaError('conflict', 'There is a tenant of that id.', { param: 'id' }), 409, { code: 'conflict', param: 'id', message: 'There is a tenant of that id.' }, undefined],
  ['a condition that does not hold', new DejaError('precondition_failed', 'It was changed since.'), 412, { code: 'precondition_failed' }, undefined],
  ['silence', new RpcTimeout('admin', 1), 503, { code: 'overloaded', message: expect.stringContaining('may have been made') }, '1'],
  ['a defect', new RpcFailure('admin'), 500, { code: 'internal_error' }, undefined],
])("%s of the router's is told in the shape of every error", async (_what, error, status, body, retryAfter) => {
  const admin = await started({ script: { admin: () => Promise.reject(error) } });
  const reply = await admin.send({ method: 'POST', url: '/admin/v1/tenants', ...json({ id: 'acme' }) });
  expect([reply.statusCode, reply.json<{ error: object }>().error, reply.headers['retry-after']]).toMatchObject([status, body, retryAfter as never]);
});

test('each change is logged once with who made it and without what it says; what only reads is not', async () => {
  const { publicKey } = await vaultKeyPair();
  const admin = await started({ script: { ...tokenOf({ id: ID }), vault_key: () => ({ publicKey }), admin: async ({ sealTo }) => adminAnswer(sealTo === null ? {} : { sealedSecret: await sealed(SECRET, sealTo) }) } });
  await admin.send({ method: 'PATCH', url: '/admin/v1/tenants/acme', payload: '{"name":"planted name"}', headers: { ...withToken, 'content-type': 'application/json' } });
  await admin.send({ method: 'GET', url: '/admin/v1/tenants/acme' });
  await admin.send({ method: 'POST', url: '/admin/v1/config/validate', ...json({ yaml: 'planted: name' }) });
  expect(admin.lines.length).toBe(1);
  for (const part of ['updateTenant', 'acme', ID]) expect(admin.lines[0]).toContain(part);
  expect(admin.lines[0]).not.toContain('planted');
});

test('a configuration to be validated passes Redis only sealed to the cluster\'s own key', async () => {
  const { publicKey, open: openSealed } = await vaultKeyPair();
  const admin = await started({ script: { vault_key: () => ({ publicKey }), admin: () => adminAnswer({ body: { valid: true, errors: [], warnings: [] } }) } });
  await admin.send({ method: 'POST', url: '/admin/v1/config/validate', ...json({ yaml: 'planted: name' }) });
  expect(JSON.stringify(admin.calls)).not.toContain('planted');
  const { sealed: jwe } = (admin.calls.at(-1)!.request as { body: { sealed: string } }).body;
  expect(JSON.parse(await openSealed(jwe))).toEqual({ yaml: 'planted: name' });
});

describe('the ledger', () => {
  test("is the usage-worker's to look at, and who has no ledger to ask hears so", async () => {
    const admin = await started({ usage: { admin: ({ operation }) => (operation === 'getUsage' ? Promise.reject(new RpcTimeout('admin', 1)) : adminAnswer({ body: { object: 'request', id: ID } })) } });
    expect((await admin.send({ method: 'GET', url: `/admin/v1/requests/${ID}` })).json()).toEqual({ object: 'request', id: ID, captured: null });
    expect((await admin.send({ method: 'GET', url: '/admin/v1/usage?group_by=day,%20model' })).json()).toMatchObject({ error: { code: 'overloaded', message: expect.stringContaining('usage-worker') } });
    expect(admin.calls.map(({ request }) => request)).toMatchObject([{ operation: 'getRequest', params: { id: ID }, after: null }, { operation: ID, tenant: null }, { operation: 'getUsage', query: { group_by: 'day, model' } }]);
  });
});

describe('a change of the ledger', () => {
  const from = '2026-11-01T00:00:00Z';
  const body = { from, to: '2026-11-02T00:00:00Z', dry_run: true };
  /** The router keeps what it was told first, as it does under an idempotency key. */
  const audited = (): { outcome: unknown; audit: (change: { outcome: unknown }) => { outcome: unknown; replayed: boolean } } => {
    const kept = { outcome: null as unknown, audit: (change: { outcome: unknown }) => ({ outcome: (kept.outcome ??= change.outcome), replayed: kept.outcome !== change.outcome }) };
    return kept;
  };

  test('stands in the audit log before the usage-worker is told, and has the same id when it is repeated', async () => {
    const { audit } = audited();
    const admin = await started({ script: { audit: (change) => audit(change) }, usage: { admin: () => adminAnswer({ body: { object: 'job' } }) } });
    const send = () => admin.send({ method: 'POST', url: '/admin/v1/ledger/reprice', ...json(body, { 'idempotency-key': 'the-first-of-january' }) });
    const [first, second] = [await send(), await send()];
    expect([first.statusCode, first.headers['idempotent-replayed'], second.headers['idempotent-replayed']]).toEqual([201, undefined, 'true']);
    expect(admin.calls.map(({ pattern }) => pattern)).toEqual(['audit', 'admin', 'audit', 'admin']);
    expect(admin.calls[0]?.request).toMatchObject({ action: 'repriceLedger', resource: 'ledger', after: { from, dry_run: true }, change: { by: { id: 'root' } } });
    const ids = [1, 3].map((n) => (admin.calls[n]!.request as { changeId: string }).changeId);
    expect(ids[0]).toMatch(/^[0-9a-f-]{36}$/);
    expect(ids[1]).toBe(ids[0]);
    expect(admin.calls[0]?.request).toMatchObject({ after: { job: ids[0] } });
  });

  test('that the audit log does not take is not made', async () => {
    const admin = await started({ script: { audit: () => Promise.reject(new RpcTimeout('audit', 1)) }, usage: { admin: () => adminAnswer() } });
    expect((await admin.send({ method: 'POST', url: '/admin/v1/ledger/reprice', ...json(body) })).statusCode).toBe(503);
    expect(admin.calls.map(({ pattern }) => pattern)).toEqual(['audit']);
  });

  test('that erases a name leaves no name in the audit log', async () => {
    const admin = await started({ script: { audit: ({ outcome }) => ({ outcome, replayed: false }) }, usage: { admin: () => adminAnswer() } });
    await admin.send({ method: 'POST', url: '/admin/v1/users/erase', ...json({ tenant: 'acme', user: 'ann@example.com' }) });
    expect(admin.calls[0]?.request).toMatchObject({ tenant: 'acme', after: { tenant: 'acme', user_sha256: expect.stringMatching(/^[0-9a-f]{64}$/) } });
    expect(JSON.stringify(admin.calls[0])).not.toContain('ann@');
    expect(admin.calls[1]?.request).toMatchObject({ body: { tenant: 'acme', user: 'ann@example.com' } });
  });
});

test('the description of the surface is there for everybody who is let in', async () => {
  const admin = await started({ script: tokenOf({ role: 'viewer', tenant: 'acme' }) });
  const reply = await admin.send({ method: 'GET', url: '/admin/v1/openapi.json', headers: withToken });
  expect([reply.statusCode, reply.headers['content-type'], reply.json()]).toEqual([200, 'application/json; charset=utf-8', expect.objectContaining({ openapi: '3.1.1' })]);
  for (const [method, authorization] of [['GET', ''], ['POST', withToken.authorization]] as const) expect((await admin.send({ method, url: '/admin/v1/openapi.json', headers: { authorization } })).statusCode).toBe(method === 'GET' ? 401 : 404);
});
