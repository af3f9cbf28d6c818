import 'reflect-metadata';
import { createHash } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { ADMIN_OPERATIONS, isAtLeast, ROLES, type AdminOperation } from '@deja/admin-api';
import { ADMIN_TOKEN_PREFIX, newId, publicIdOf, type RouterRpc } from '@deja/contracts';
import { eventually } from '@deja/testing';
import { AdminStage, changeBy, ROOT, scoped, type Given } from './admin-stage.ts';

jest.setTimeout(60_000);

let stage: AdminStage;
beforeAll(async () => {
  stage = await AdminStage.open();
});
afterAll(() => stage.close());

const OWN: readonly AdminOperation[] = ADMIN_OPERATIONS.filter(({ owner }) => owner === 'router');
/** Good bodies, for operations that have one. */
const BODIES: Record<string, object> = {
  createTenant: { id: 'made' },
  updateTenant: { name: 'Changed' },
  createKey: { tenant: 'b', name: 'made' },
  updateKey: { name: 'changed', disabled: true },
  rotateKey: { grace_s: 0 },
  createAdminToken: { name: 'made', role: 'viewer', tenant: 'b' },
  validateConfig: { yaml: '' },
  createAlert: { name: 'made', when: { metric: 'provider_down' }, notify: [{ slack: 'https://hooks.example.com/services/made' }] },
  updateAlert: { enabled: false },
  createSilence: { ends_at: '2999-01-01T00:00:00Z' },
};

describe('a token of one tenant', () => {
  /** Ids of what is the other tenant's. */
  let others: { tenant: string; key: string; token: string; credential: string; nobodys: string };
  beforeAll(async () => {
    await stage.tenant('a');
    await stage.tenant('b');
    const key = await stage.call('createKey', { body: { tenant: 'b', name: 'k' } });
    const token = await stage.call('createAdminToken', { body: { tenant: 'b', name: 't', role: 'owner' } });
    others = { tenant: 'b', key: String(key.body['id']), token: String(token.body['id']), credential: (await stage.credential('of-b', 'b')).id, nobodys: (await stage.credential('of-nobody', null)).id };
  });
  let before: string;
  const state = async (): Promise<string> => (await stage.dump()).replace(/last_used_at/g, '');
  beforeEach(async () => {
    before = await state();
  });

  const idFor = (operation: AdminOperation): string => (operation.path.startsWith('keys') ? others.key : operation.path.startsWith('admin-tokens') ? others.token : others.tenant);

  test.each(OWN.filter(({ path }) => path.includes('{id}')).map((operation) => [operation.id, operation] as const))('finds nothing of another by %s, and changes nothing', async (id, operation) => {
    const given: Given = { by: scoped('a'), params: { id: idFor(operation) }, body: BODIES[id] ?? {} };
    const outcome = (params: Record<string, string>): Promise<unknown> => stage.call(id, { ...given, params }).catch((error: unknown) => error);
    const anothers = await outcome(given.params!);
    expect(anothers).toMatchObject({ code: operation.tenantScoped ? 'not_found' : 'permission_denied' });
    // What is another's is told apart from what nobody has by nothing.
    const absentId = operation.path.startsWith('tenants') ? 'nowhere' : newId();
    const absent = await outcome({ id: absentId });
    expect(String(anothers).replace(idFor(operation), '')).toBe(String(absent).replace(absentId, ''));
    expect(await state()).toBe(before);
  });

  test.each(['createKey', 'createAdminToken'])('makes nothing for another by %s', async (id) => {
    await expect(stage.call(id, { by: scoped('a'), body: BODIES[id]! })).rejects.toMatchObject({ code: 'not_found' });
    expect(await state()).toBe(before);
  });

  test('makes no token that is for all', async () => {
    await expect(stage.call('createAdminToken', { by: scoped('a'), body: { name: 'all', role: 'viewer' } })).rejects.toMatchObject({ code: 'permission_denied', param: 'tenant' });
    expect(await state()).toBe(before);
  });

  test('sees in lists what is its own', async () => {
    const { body: key } = await stage.call('createKey', { by: scoped('a'), body: { tenant: 'a', name: 'own' } });
    const { body: token } = await stage.call('createAdminToken', { by: scoped('a'), body: { tenant: 'a', name: 'own', role: 'viewer' } });
    const ids = async (operation: string, query = {}): Promise<unknown[]> => ((await stage.call(operation, { by: scoped('a'), query })).body['data'] as { id: string }[]).map(({ id }) => id);
    expect(await ids('listTenants')).toEqual(['a']);
    expect(await ids('listKeys')).toEqual([key['id']]);
    expect(await ids('listAdminTokens')).toEqual([token['id']]);
    const entries = (await stage.call('listAudit', { by: scoped('a') })).body['data'] as { tenant: string }[];
    expect(new Set(entries.map(({ tenant }) => tenant))).toEqual(new Set(['a']));
    for (const operation of ['listKeys', 'listAudit']) await expect(ids(operation, { tenant: 'b' })).rejects.toMatchObject({ code: 'not_found' });
  });

  test('neither changes nor finds a credential of another, nor one that is everyone\'s', async () => {
    const change = changeBy(scoped('a'));
    const sealedValue = await stage.sealed('sk-planted-another');
    const fileId = (await stage.rpc('list_credentials', {})).credentials.find(({ source }) => source === 'file')!.id;
    for (const id of [others.credential, others.nobodys, fileId]) {
      await expect(stage.rpc('update_credential', { id, disabled: true, change })).rejects.toMatchObject({ code: 'not_found' });
      await expect(stage.rpc('rotate_credential', { id, sealedValue, graceS: 0, change })).rejects.toMatchObject({ code: 'not_found' });
      await expect(stage.rpc('delete_credential', { id, change })).rejects.toMatchObject({ code: 'not_found' });
    }
    await expect(stage.credential('for-b', 'b', { by: scoped('a') })).rejects.toMatchObject({ code: 'not_found' });
    await expect(stage.credential('for-all', null, { by: scoped('a') })).rejects.toMatchObject({ code: 'permission_denied', param: 'tenant' });
    await expect(stage.rpc('rewrap_vault', { change })).rejects.toMatchObject({ code: 'permission_denied' });
    for (const taken of ['of-b', 'of-nobody', 'file']) await expect(stage.credential(taken, 'a', { by: scoped('a') })).rejects.toMatchObject({ code: 'conflict', param: 'name' });
    expect(await state()).toBe(before);
    const { id } = await stage.credential('for-a', 'a', { by: scoped('a') });
    expect((await stage.rpc('update_credential', { id, weight: 2, change })).credential).toMatchObject({ tenant: 'a', weight: 2 });
  });
});

describe('a role', () => {
  test.each(OWN.flatMap((operation) => ROLES.filter((role) => !isAtLeast(role, operation.role)).map((role) => [role, operation.id] as const)))('%s may not %s', async (role, id) => {
    const before = await stage.dump();
    await expect(stage.call(id, { by: { ...ROOT, role }, params: { id: 'a' }, body: BODIES[id] ?? {} })).rejects.toMatchObject({ code: 'permission_denied' });
    expect(await stage.dump()).toBe(before);
  });

  test('is asked for by credentials and deployments too', async () => {
    const viewer = changeBy({ ...ROOT, role: 'viewer' });
    await expect(stage.credential('viewed', null, viewer)).rejects.toMatchObject({ code: 'permission_denied' });
    await expect(stage.rpc('drain_deployment', { id: 'p/m', drained: true, change: viewer })).rejects.toMatchObject({ code: 'permission_denied' });
    await expect(stage.rpc('rewrap_vault', { change: changeBy({ ...ROOT, role: 'operator' }) })).rejects.toMatchObject({ code: 'permission_denied' });
    expect(await stage.rpc('rewrap_vault', { change: changeBy(ROOT) })).toMatchObject({ remaining: 0 });
  });
});

describe('an admin token', () => {
  const resolve = (token: string): Promise<RouterRpc['resolve_admin_token']['reply']> =>
    stage.rpc('resolve_admin_token', { tokenSha256: createHash('sha256').update(token).digest('hex'), publicId: publicIdOf(token, ADMIN_TOKEN_PREFIX) ?? '' });

  test('is told once, is who it says, and is nobody as soon as it is revoked', async () => {
    await stage.tenant('tokens');
    const { secret, body } = await stage.call('createAdminToken', { body: { name: 'ci', role: 'operator', tenant: 'tokens' } });
    expect(body).toMatchObject({ object: 'admin_token', name: 'ci', role: 'operator', tenant: 'tokens', prefix: secret!.slice(0, secret!.lastIndexOf('-')), last_used_at: null });
    expect(JSON.stringify(body)).not.toContain(secret);
    expect(await resolve(secret!)).toEqual({ actor: { id: body['id'], name: 'ci', role: 'operator', tenant: 'tokens', expiresAtMs: null } });
    const params = { id: String(body['id']) };
    await eventually('its use to be noted', async () => (await stage.call('getAdminToken', { params })).body['last_used_at'] !== null);
    await stage.call('deleteAdminToken', { params });
    expect(await resolve(secret!)).toEqual({ actor: null });
    await expect(stage.call('getAdminToken', { params })).rejects.toMatchObject({ code: 'not_found' });
  });

  test('is nobody when it is over, made up, or has the name of another', async () => {
    const one = (await stage.call('createAdminToken', { body: { name: 'one', role: 'viewer', expires_at: '2100-01-01T00:00:00Z' } })).secret!;
    const two = (await stage.call('createAdminToken', { body: { name: 'two', role: 'viewer' } })).secret!;
    expect(await resolve(one)).toMatchObject({ actor: { name: 'one', tenant: null, expiresAtMs: Date.UTC(2100, 0) } });
    const mixed = { tokenSha256: createHash('sha256').update(one).digest('hex'), publicId: publicIdOf(two, ADMIN_TOKEN_PREFIX)! };
    expect(await stage.rpc('resolve_admin_token', mixed)).toEqual({ actor: null });
    expect(await resolve(`${one.slice(0, -1)}${one.endsWith('x') ? 'y' : 'x'}`)).toEqual({ actor: null });
    expect(await stage.rpc('resolve_admin_token', { ...mixed, publicId: '0123456789abcdef' })).toEqual({ actor: null });
    await stage.sql.query('update router.admin_tokens set expires_at = now() where name = \'one\'');
    expect(await resolve(one)).toEqual({ actor: null });
    await expect(stage.call('createAdminToken', { body: { name: 'late', role: 'viewer', expires_at: '2000-01-01T00:00:00Z' } })).rejects.toMatchObject({ code: 'invalid_value', param: 'expires_at' });
    await expect(stage.call('createAdminToken', { body: { name: 'lost', role: 'viewer', tenant: 'nowhere' } })).rejects.toMatchObject({ code: 'not_found', param: 'tenant' });
  });

  test('that ends makes none that outlives it, and one that does not any', async () => {
    const ends = Date.UTC(2100, 0);
    const make = (by: Given['by'], expiresAt: string | null): Promise<unknown> => stage.call('createAdminToken', { ...(by && { by }), body: { name: 'lent', role: 'viewer', tenant: 'tokens', expires_at: expiresAt } });
    const lent = [{ ...ROOT, id: newId(), expiresAtMs: ends }, { ...scoped('tokens'), expiresAtMs: ends }];
    const before = await stage.dump();
    for (const by of lent) {
      for (const later of [null, '2100-01-01T00:00:00.001Z', '2100-01-01T00:00:00-00:01']) await expect(make(by, later)).rejects.toMatchObject({ code: 'permission_denied', param: 'expires_at', message: expect.stringContaining('2100-01-01T00:00:00.000Z') });
    }
    expect(await stage.dump()).toBe(before);
    for (const by of lent) await make(by, '2100-01-01T01:00:00+01:00');
    for (const by of [ROOT, { ...scoped('tokens'), expiresAtMs: null }]) await make(by, null);
  });

  test('is not made where its secret cannot be told', async () => {
    const before = await stage.dump();
    await expect(stage.call('createAdminToken', { body: { name: 'untold', role: 'viewer' }, sealTo: null })).rejects.toMatchObject({ code: 'invalid_value', param: 'sealTo' });
    await expect(stage.call('createAdminToken', { body: { name: 'untold', role: 'viewer' }, sealTo: { kty: 'EC', crv: 'P-256', x: 'x', y: 'y' } })).rejects.toMatchObject({ code: 'invalid_value' });
    expect(await stage.dump()).toBe(before);
  });
});

test('a call of what the router does not do, or of another form, is refused', async () => {
  await expect(stage.call('listRequests')).rejects.toMatchObject({ code: 'not_found', param: 'operation' });
  await expect(stage.call('createTenant', { body: { id: 'x', surprise: 1 } })).rejects.toMatchObject({ code: 'invalid_value' });
  await expect(stage.call('getTenant')).rejects.toMatchObject({ code: 'invalid_value', param: 'id' });
  await expect(stage.call('getKey', { params: { id: '\'; drop table' } })).rejects.toMatchObject({ code: 'not_found' });
});
