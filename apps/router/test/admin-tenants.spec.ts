import 'reflect-metadata';
import { writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { tenantObject } from '@deja/admin-api';
import { tenantRevisionKey } from '@deja/contracts';
import { eventually } from '@deja/testing';
import { AdminStage, changeBy, ROOT, scoped } from './admin-stage.ts';

jest.setTimeout(60_000);

let stage: AdminStage;
beforeAll(async () => {
  stage = await AdminStage.open();
});
afterAll(() => stage.close());

const revision = async (tenant: string): Promise<number> => Number(await stage.redis.get(tenantRevisionKey(tenant)));

describe('a tenant', () => {
  test('is made with an id of its name, and with a number where that is taken', async () => {
    const made = await stage.call('createTenant', { body: { name: 'Café & Söhne', limits: { requests_per_minute: 5 }, budgets: [{ usd: '12.50', period: 'month' }], models: ['m'] } });
    expect(tenantObject.parse(made.body)).toMatchObject({
      id: 'cafe-sohne', name: 'Café & Söhne', limits: { requests_per_minute: 5 }, budgets: [{ usd: '12.5', period: 'month', mode: 'hard', time_zone: 'UTC' }], models: ['m'], disabled: false,
    });
    expect((await stage.call('createTenant', { body: { name: 'CAFÉ SÖHNE' } })).body).toMatchObject({ id: 'cafe-sohne-2' });
    expect((await stage.call('getTenant', { params: { id: 'cafe-sohne' } }))).toMatchObject({ body: made.body, etag: made.etag });
  });

  test('is not made over another, without any name, or under the id that stands for everybody', async () => {
    await stage.tenant('taken');
    await expect(stage.call('createTenant', { body: { id: 'taken', name: 'Another' } })).rejects.toMatchObject({ code: 'conflict', param: 'id' });
    await expect(stage.call('createTenant', { body: {} })).rejects.toMatchObject({ code: 'invalid_value', param: 'name' });
    await expect(stage.call('createTenant', { body: { id: 'global' } })).rejects.toMatchObject({ code: 'invalid_value', param: 'id' });
    await expect(stage.call('createTenant', { body: { id: 'Not an id' } })).rejects.toMatchObject({ code: 'invalid_value' });
    expect((await stage.call('getTenant', { params: { id: 'taken' } })).body).toMatchObject({ name: 'taken' });
  });

  test('is changed member by member, and everyone hears of it', async () => {
    const { body: before } = await stage.call('createTenant', { body: { id: 'changed', limits: { concurrency: 1 }, models: ['m'] } });
    const known = await revision('changed');
    stage.pushed.length = 0;
    const { body, etag } = await stage.call('updateTenant', { params: { id: 'changed' }, body: { limits: { requests_per_day: 9 }, models: null, disabled: true } });
    expect(body).toEqual({ ...before, limits: { requests_per_day: 9 }, models: null, disabled: true, updated_at: expect.any(String) });
    expect(await stage.call('getTenant', { params: { id: 'changed' } })).toMatchObject({ body, etag });
    expect(await revision('changed')).toBeGreaterThan(known);
    await eventually('the push', () => stage.pushed.some((push) => push.kind === 'tenant_changed' && push.tenant === 'changed'));
    expect(await stage.audited('changed')).toMatchObject([{ action: 'updateTenant', before, after: body }, { action: 'createTenant', before: null, after: before }]);
  });

  test('that nothing is changed of stays as it is, without a row in the audit log', async () => {
    const { etag } = await stage.call('createTenant', { body: { id: 'same' } });
    expect(await stage.call('updateTenant', { params: { id: 'same' }, body: {} })).toMatchObject({ etag });
    expect(await stage.audited('same')).toHaveLength(1);
  });

  test('is changed only by those who have seen it as it is', async () => {
    const { etag: first } = await stage.call('createTenant', { body: { id: 'seen' } });
    const { etag: second } = await stage.call('updateTenant', { params: { id: 'seen' }, body: { name: 'Seen' }, ifMatch: first });
    await expect(stage.call('updateTenant', { params: { id: 'seen' }, body: { name: 'Late' }, ifMatch: first })).rejects.toMatchObject({ code: 'precondition_failed' });
    await expect(stage.call('deleteTenant', { params: { id: 'seen' }, ifMatch: first })).rejects.toMatchObject({ code: 'precondition_failed' });
    expect(await stage.call('getTenant', { params: { id: 'seen' } })).toMatchObject({ body: { name: 'Seen' }, etag: second });
    const racing = await Promise.allSettled(['a', 'b', 'c'].map((name) => stage.call('updateTenant', { params: { id: 'seen' }, body: { name }, ifMatch: second })));
    expect(racing.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  });

  test('keeps its etag when one of its keys is changed', async () => {
    const { etag } = await stage.call('createTenant', { body: { id: 'holder' } });
    const { body: key } = await stage.call('createKey', { body: { tenant: 'holder', name: 'k' } });
    await stage.call('updateKey', { params: { id: String(key['id']) }, body: { name: 'l' } });
    expect(await stage.call('getTenant', { params: { id: 'holder' } })).toMatchObject({ etag });
  });

  test('is gone with its keys, tokens and credentials when it is deleted, and its id is nobody\'s again: answers and figures are kept by it', async () => {
    await stage.tenant('leaving');
    const { secret } = await stage.call('createKey', { body: { tenant: 'leaving', name: 'k' } });
    await stage.call('createAdminToken', { body: { tenant: 'leaving', name: 't', role: 'viewer' } });
    const { id } = await stage.credential('leaving', 'leaving');
    const known = await revision('leaving');
    stage.pushed.length = 0;
    expect((await stage.call('deleteTenant', { params: { id: 'leaving' } })).body).toEqual({ object: 'tenant', id: 'leaving', deleted: true });

    expect(secret).toMatch(/^sk-deja-/);
    await expect(stage.call('getTenant', { params: { id: 'leaving' } })).rejects.toMatchObject({ code: 'not_found' });
    expect((await stage.rpc('list_credentials', {})).credentials.map((credential) => credential.id)).not.toContain(id);
    await eventually('the pushes', () => ['tenant_changed', 'credential_revoked', 'vault_changed', 'snapshot'].every((kind) => stage.pushed.some((push) => push.kind === kind)));
    expect(stage.pushed).toContainEqual({ kind: 'credential_revoked', ids: ['p/leaving'] });
    expect(await stage.audited('leaving')).toMatchObject([{ action: 'deleteTenant', before: { id: 'leaving', keys: 1, credentials: ['p/leaving'] }, after: null }, {}]);
    const left = await stage.sql.query('select (select count(*) from router.client_keys where tenant = $1) + (select count(*) from router.admin_tokens where tenant = $1) + (select count(*) from router.credentials where tenant = $1) as rows', ['leaving']);
    expect(left.rows).toEqual([{ rows: '0' }]);

    expect(await revision('leaving')).toBeGreaterThan(known);
    await expect(stage.call('createTenant', { body: { id: 'leaving' } })).rejects.toMatchObject({ code: 'conflict', param: 'id' });
    expect((await stage.call('createTenant', { body: { name: 'Leaving' } })).body).toMatchObject({ id: 'leaving-2' });
  });

  test('that all else belongs to is never deleted', async () => {
    await expect(stage.call('deleteTenant', { params: { id: 'default' } })).rejects.toMatchObject({ code: 'conflict' });
  });
});

describe('a list', () => {
  test('comes page after page, each row once', async () => {
    for (const id of ['page-a', 'page-b', 'page-c']) await stage.tenant(id);
    const seen: string[] = [];
    for (let cursor: string | undefined; ;) {
      const { body } = await stage.call('listTenants', { query: { limit: '2', ...(cursor !== undefined && { cursor }) } });
      const page = body as { data: { id: string }[]; has_more: boolean; next_cursor: string | null };
      expect(page.data.length).toBeLessThanOrEqual(2);
      seen.push(...page.data.map(({ id }) => id));
      expect(page.has_more).toBe(page.next_cursor !== null);
      if (page.next_cursor === null) break;
      cursor = page.next_cursor;
    }
    expect(new Set(seen).size).toBe(seen.length);
    expect(seen).toEqual(expect.arrayContaining(['default', 'page-a', 'page-b', 'page-c']));
  });

  test.each([['not one of ours', 'xx'], ['of another list', Buffer.from('["keys","a"]').toString('base64url')], ['of no id', Buffer.from('["tenants","A b"]').toString('base64url')]])('refuses a cursor that is %s', async (_, cursor) => {
    await expect(stage.call('listTenants', { query: { cursor } })).rejects.toMatchObject({ code: 'invalid_value', param: 'cursor' });
  });
});

describe('the audit log', () => {
  test('says who changed what, from where, and is searched by it', async () => {
    await stage.tenant('logged');
    const by = { ...ROOT, id: 'c0ffee', name: 'nightly', role: 'operator' as const, from: '198.51.100.7', requestId: 'req-logged' };
    await stage.call('updateTenant', { by, params: { id: 'logged' }, body: { name: 'Logged' } });
    const { body } = await stage.call('listAudit', { query: { actor: 'c0ffee' } });
    expect(body['data']).toEqual([{
      object: 'audit_entry', id: expect.any(String), at: expect.stringMatching(/Z$/), actor: 'c0ffee', actor_name: 'nightly', role: 'operator', from: '198.51.100.7', request_id: 'req-logged',
      action: 'updateTenant', resource: 'tenant', resource_id: 'logged', tenant: 'logged', before: expect.objectContaining({ name: 'logged' }), after: expect.objectContaining({ name: 'Logged' }),
    }]);
    const count = async (query: object): Promise<number> => ((await stage.call('listAudit', { query: { resource_id: 'logged', ...query } })).body['data'] as unknown[]).length;
    expect([await count({}), await count({ action: 'createTenant' }), await count({ resource: 'key' }), await count({ tenant: 'logged' }), await count({ tenant: 'default' })]).toEqual([2, 1, 0, 2, 0]);
    expect([await count({ from: '2000-01-01T00:00:00Z' }), await count({ to: '2000-01-01T00:00:00Z' })]).toEqual([2, 0]);
  });

  test.each(['update router.audit set actor = \'nobody\'', 'update router.audit set actor = \'nobody\' where false', 'delete from router.audit', 'truncate router.audit'])('is only added to, also by the app\'s own role: %s', async (statement) => {
    const before = (await stage.sql.query('select * from router.audit order by id')).rows;
    expect(before.length).toBeGreaterThan(0);
    await expect(stage.sql.query(statement)).rejects.toThrow('only added to');
    await expect(stage.sql.query(`set session_replication_role = replica; ${statement}`)).rejects.toThrow('only added to');
    expect((await stage.sql.query('select * from router.audit order by id')).rows).toEqual(before);
  });

  test('has no secret in it, nor has any other table', async () => {
    await stage.tenant('secrets');
    const key = await stage.call('createKey', { body: { tenant: 'secrets', name: 'k' }, key: 'an-idempotency-key-1' });
    const token = await stage.call('createAdminToken', { body: { name: 't', role: 'viewer' }, key: 'an-idempotency-key-2' });
    await stage.credential('secret', 'secrets');
    const dump = await stage.dump();
    expect(dump).toContain('createKey');
    for (const secret of [key.secret, token.secret, 'sk-planted-value', 'an-idempotency-key']) expect(dump).not.toContain(secret);
  });
});

describe('the configuration', () => {
  test('is shown as deja.yaml spells it, complete and without secrets', async () => {
    const { body } = await stage.call('getConfig');
    expect(body).toMatchObject({
      object: 'config', source: stage.configPath, loaded_at: expect.stringMatching(/Z$/), snapshot_version: expect.any(Number),
      config: { providers: { p: { kind: 'openai', base_url: 'http://127.0.0.1:9/v1', credentials: [{ name: 'file', value: '[secret]' }] } }, models: [{ name: 'm', deployments: [{ provider: 'p', model: 'm', weight: 1 }] }], timeouts: { connect_ms: 2000 } },
    });
    expect(JSON.stringify(body)).not.toContain('planted');
  });

  test('is checked without being put in force', async () => {
    expect((await stage.call('validateConfig', { body: { yaml: 'models: 3\n' } })).body).toEqual({ valid: false, errors: [{ path: 'models', line: 1, column: 1, message: 'must be a list, but it is a number' }], warnings: [] });
    expect((await stage.call('validateConfig', { body: { yaml: 'stale_ok_s: 9\n' } })).body).toEqual({ valid: true, errors: [], warnings: [] });
    expect((await stage.call('listAudit', { query: { action: 'validateConfig' } })).body['data']).toEqual([]);
  });

  test('is read again when asked, and a bad one is refused with its places', async () => {
    expect((await stage.call('reloadConfig')).body).toMatchObject({ object: 'config_reload', changed: false });
    const before = (await stage.call('getConfig')).body;
    await writeFile(stage.configPath, 'providers: { p: { kind: moon } }\n');
    await expect(stage.call('reloadConfig')).rejects.toMatchObject({ code: 'invalid_value', message: expect.stringContaining('providers.p.kind (line 1)') });
    expect((await stage.call('getConfig')).body).toEqual(before);
    await writeFile(stage.configPath, 'stale_ok_s: 77\n');
    await stage.call('reloadConfig');
    expect((await stage.call('getConfig')).body).toMatchObject({ config: { stale_ok_s: 77, providers: { simulated: { kind: 'simulated' } } } });
    expect((await stage.call('listAudit', { query: { action: 'reloadConfig' } })).body['data']).toHaveLength(2);
  });
});

test('a change of a credential is told, with its etag, to the audit log', async () => {
  await stage.tenant('kept');
  await writeFile(stage.configPath, 'providers: { p: { kind: openai, base_url: "http://127.0.0.1:9/v1", credentials: [] } }\nmodels: [{ name: m, deployments: [{ provider: p, model: m }] }]\n');
  await stage.call('reloadConfig');
  const { id, revision: first } = await stage.credential('audited', 'kept');
  await stage.rpc('update_credential', { id, weight: 3, change: changeBy(ROOT, { ifMatch: `"${first}"` }) });
  await expect(stage.rpc('update_credential', { id, weight: 4, change: changeBy(ROOT, { ifMatch: `"${first}"` }) })).rejects.toMatchObject({ code: 'precondition_failed' });
  await stage.rpc('drain_deployment', { id: 'p/m', drained: true, change: changeBy(ROOT) });
  expect(await stage.audited(id)).toMatchObject([{ action: 'updateCredential', tenant: 'kept', before: { weight: 1, last_four: 'ited' }, after: { weight: 3 } }, { action: 'createCredential' }]);
  expect(await stage.audited('p/m')).toMatchObject([{ action: 'drainDeployment', before: { drained: false }, after: { drained: true } }]);
  await expect(stage.rpc('drain_deployment', { id: 'p/m', drained: false, change: changeBy(scoped('kept')) })).rejects.toMatchObject({ code: 'permission_denied' });
});
