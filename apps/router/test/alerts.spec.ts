import 'reflect-metadata';
import { writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { alertObject, tenantObject } from '@deja/admin-api';
import { newId } from '@deja/contracts';
import { AdminStage, ROOT, scoped } from './admin-stage.ts';
import { formsOf } from './vault-infrastructure.ts';

jest.setTimeout(60_000);

const FILE = `providers: { p: { kind: openai, base_url: "http://127.0.0.1:9/v1", credentials: [{ name: file, value: planted-value-of-the-file }] } }
models: [{ name: m, deployments: [{ provider: p, model: m }] }]
outbound: { allow: [hooks.internal] }
smtp: { url: "smtps://planted-user:planted-password@mail.example.com:465", from: deja@example.com }
alerts:
  - { name: zeta, when: { metric: error_rate, above: 0.5 }, notify: [{ webhook: "https://hooks.example.com/planted-path", secret: planted-secret }, { email: ops@example.com }] }
  - { name: alpha, when: { metric: provider_down }, notify: [{ slack: "https://hooks.example.com/services/planted-slack" }], repeat_s: 3600 }
`;

const WEBHOOK = { webhook: 'https://hooks.example.com/deja/planted-path?token=planted-token', secret: 'planted-signing-secret' };
const RULE = { name: 'spending', when: { metric: 'budget_used_share', above: 0.8, tenant: '*' }, notify: [WEBHOOK, { slack: 'https://hooks.slack.example.com/services/planted-slack' }], group_by: ['tenant'], repeat_s: 3600 };

let stage: AdminStage;
beforeAll(async () => {
  stage = await AdminStage.open();
  await stage.tenant('acme');
});
afterAll(() => stage.close());
beforeEach(async () => {
  await stage.sql.query('delete from router.alert_rules; delete from router.alert_silences');
  await inForce(FILE);
});

async function inForce(yaml: string): Promise<void> {
  await writeFile(stage.configPath, yaml);
  await stage.call('reloadConfig');
}

const create = async (over: object = {}): Promise<{ id: string; etag: string | null; body: Record<string, unknown> }> => {
  const { body, etag } = await stage.call('createAlert', { body: { ...RULE, ...over } });
  return { id: String(body['id']), etag, body };
};
const namesOf = async (query: object = {}): Promise<unknown> => ((await stage.call('listAlerts', { query })).body['data'] as { name: string }[]).map(({ name }) => name);

describe('an alert rule', () => {
  test('is made, found and listed with what may be said of its receivers', async () => {
    const { id, etag, body } = await create();
    expect(alertObject.parse(body)).toEqual(body);
    expect(body).toEqual({
      object: 'alert', id, name: 'spending', source: 'api', enabled: true, when: RULE.when, group_by: ['tenant'], repeat_s: 3600, created_at: expect.stringMatching(/Z$/), updated_at: body['created_at'],
      notify: [{ kind: 'webhook', to: 'hooks.example.com', signed: true }, { kind: 'slack', to: 'hooks.slack.example.com', signed: false }],
    });
    expect(await stage.call('getAlert', { params: { id } })).toMatchObject({ body, etag });
    expect((await stage.call('listAlerts')).body['data']).toContainEqual(body);
    expect(await stage.audited(id)).toMatchObject([{ action: 'createAlert', resource: 'alert', tenant: null, before: null, after: body }]);
  });

  test('of deja.yaml stands in the same list, page after page, and is changed in the file', async () => {
    await create();
    await create({ name: 'another' });
    expect(await namesOf()).toEqual(['alpha', 'zeta', 'spending', 'another']);
    const seen: string[] = [];
    for (let cursor: string | null = null; ;) {
      const { body } = await stage.call('listAlerts', { query: { limit: '1', ...(cursor !== null && { cursor }) } });
      seen.push(...(body['data'] as { name: string }[]).map(({ name }) => name));
      cursor = body['next_cursor'] as string | null;
      if (cursor === null) break;
    }
    expect(seen).toEqual(['alpha', 'zeta', 'spending', 'another']);
    const { body } = await stage.call('getAlert', { params: { id: 'file:zeta' } });
    expect(alertObject.parse(body)).toEqual(body);
    expect(body).toMatchObject({ source: 'file', created_at: null, repeat_s: null, group_by: [], notify: [{ kind: 'webhook', to: 'hooks.example.com', signed: true }, { kind: 'email', to: 'ops@example.com', signed: false }] });
    for (const [operation, given] of [['updateAlert', { enabled: false }], ['deleteAlert', {}]] as const) {
      await expect(stage.call(operation, { params: { id: 'file:zeta' }, body: given })).rejects.toMatchObject({ code: 'invalid_value', param: 'id', message: expect.stringContaining('change it in deja.yaml') });
    }
  });

  test('is changed member by member, by those who have seen it as it is', async () => {
    const { id, etag, body: before } = await create();
    const changed = await stage.call('updateAlert', { params: { id }, body: { enabled: false, notify: [{ email: ['a@example.com', 'b@example.com'] }], repeat_s: null }, ifMatch: etag });
    expect(changed.body).toEqual({ ...before, enabled: false, notify: [{ kind: 'email', to: 'a@example.com, b@example.com', signed: false }], repeat_s: null, updated_at: expect.any(String) });
    await expect(stage.call('updateAlert', { params: { id }, body: { enabled: true }, ifMatch: etag })).rejects.toMatchObject({ code: 'precondition_failed' });
    await expect(stage.call('deleteAlert', { params: { id }, ifMatch: etag })).rejects.toMatchObject({ code: 'precondition_failed' });
    expect(await stage.call('updateAlert', { params: { id }, body: {} })).toMatchObject({ body: changed.body, etag: changed.etag });
    expect(await stage.audited(id)).toMatchObject([{ action: 'updateAlert', before, after: changed.body }, { action: 'createAlert' }]);
    expect((await stage.call('deleteAlert', { params: { id } })).body).toEqual({ object: 'alert', id, deleted: true });
    expect(await stage.audited(id)).toMatchObject([{ action: 'deleteAlert', before: changed.body, after: null }, {}, {}]);
    for (const operation of ['getAlert', 'updateAlert', 'deleteAlert']) await expect(stage.call(operation, { params: { id }, body: {} })).rejects.toMatchObject({ code: 'not_found' });
  });

  test('has a name that no other has, of the file or of the API', async () => {
    const { id } = await create();
    for (const name of ['spending', 'zeta']) await expect(create({ name })).rejects.toMatchObject({ code: 'conflict', param: 'name' });
    await create({ name: 'free' });
    for (const name of ['free', 'zeta']) await expect(stage.call('updateAlert', { params: { id }, body: { name } })).rejects.toMatchObject({ code: 'conflict', param: 'name' });
    expect((await stage.call('updateAlert', { params: { id }, body: { name: 'renamed' } })).body).toMatchObject({ name: 'renamed' });
    expect(await namesOf()).toEqual(['alpha', 'zeta', 'renamed', 'free']);
  });

  test('under an idempotency key is made once', async () => {
    const made = [];
    for (let n = 0; n < 2; n++) made.push(await stage.call('createAlert', { body: RULE, key: 'a-key-of-an-alert-rule' }));
    expect(made.map(({ replayed, body }) => [replayed, body['id']])).toEqual([[false, made[0]!.body['id']], [true, made[0]!.body['id']]]);
  });

  test('is not for a token of one tenant', async () => {
    const { id } = await create();
    for (const operation of ['getAlert', 'updateAlert', 'deleteAlert']) await expect(stage.call(operation, { by: scoped('acme'), params: { id }, body: {} })).rejects.toMatchObject({ code: 'permission_denied' });
  });
});

describe('a receiver', () => {
  test.each([
    ['webhook', 'https://10.0.0.1/hook', 'must not name 10.0.0.1'],
    ['webhook', 'http://hooks.example.com/hook', 'must start with https://'],
    ['slack', 'https://169.254.169.254/latest', 'link-local and metadata addresses are never called'],
    ['slack', 'https://intranet/hook', 'not on the public internet'],
    ['webhook', 'https://planted:planted@hooks.example.com/', 'neither user nor password'],
    ['webhook', 'https://[/planted', 'not of the expected form'],
  ])('is refused where deja may not send: %s %s', async (kind, address, why) => {
    const failed: unknown = await create({ notify: [WEBHOOK, { [kind]: address }] }).catch((error: unknown) => error);
    expect(failed).toMatchObject({ code: 'invalid_value', param: `notify[1].${kind}`, message: expect.stringContaining(why) });
    expect(String(failed)).not.toMatch(/planted|\/hook$|latest/);
  });

  test('may be a host that deja.yaml allows, over http too', async () => {
    expect((await create({ notify: [{ webhook: 'http://hooks.internal:8080/deja' }] })).body).toMatchObject({ notify: [{ kind: 'webhook', to: 'hooks.internal:8080', signed: false }] });
  });

  test('gets e-mail only where deja.yaml says how it is sent', async () => {
    await create({ name: 'mailed', notify: [{ email: 'a@example.com' }] });
    await inForce(FILE.replace(/smtp: .*\n/, '').replace(', { email: ops@example.com }', ''));
    await expect(create({ notify: [{ email: 'a@example.com' }] })).rejects.toMatchObject({ code: 'invalid_value', param: 'notify[0].email', message: expect.stringContaining('smtp is missing in deja.yaml') });
  });

  test('has its address and secret nowhere in clear: in no answer, table, audit entry or log', async () => {
    const { id } = await create();
    await stage.call('updateAlert', { params: { id }, body: { notify: [{ ...WEBHOOK, secret: 'planted-next-secret' }] } });
    await create({ notify: [{ webhook: 'https://10.0.0.1/planted-path' }] }).catch(() => undefined);
    await stage.call('createAlert', { body: { ...RULE, name: 3 } }).catch(() => undefined);
    const seen = JSON.stringify([(await stage.call('listAlerts')).body, (await stage.call('getConfig')).body, (await stage.call('listAudit')).body, stage.lines]) + (await stage.dump());
    expect(seen).toContain('hooks.slack.example.com');
    for (const form of ['planted-path', 'planted-token', 'planted-signing-secret', 'planted-next-secret', 'planted-slack', 'planted-password'].flatMap(formsOf)) expect(seen).not.toContain(form);
  });
});

describe('a silence', () => {
  const tomorrow = new Date(Date.now() + 86_400_000).toISOString();
  const silence = async (over: object = {}): Promise<Record<string, unknown>> => (await stage.call('createSilence', { body: { ends_at: tomorrow, ...over } })).body;

  test('is made, listed until it is over, and ended', async () => {
    const body = await silence({ alert: 'zeta', labels: { tenant: 'acme' }, comment: 'maintenance' });
    expect(body).toEqual({ object: 'alert_silence', id: expect.any(String), alert: 'zeta', labels: { tenant: 'acme' }, starts_at: body['created_at'], ends_at: tomorrow, comment: 'maintenance', created_by: 'root', created_at: expect.stringMatching(/Z$/) });
    const all = await silence();
    expect(all).toMatchObject({ alert: null, labels: {}, comment: '' });
    await stage.sql.query('update router.alert_silences set starts_at = now() - interval \'2 days\', ends_at = now() where id = $1', [all['id']]);
    expect((await stage.call('listSilences')).body['data']).toEqual([body]);
    const params = { id: String(body['id']) };
    expect((await stage.call('deleteSilence', { params })).body).toEqual({ object: 'alert_silence', id: body['id'], deleted: true });
    for (const id of [params.id, String(all['id']), newId(), 'no id']) await expect(stage.call('deleteSilence', { params: { id } })).rejects.toMatchObject({ code: 'not_found' });
    expect(await stage.audited(params.id)).toMatchObject([{ action: 'deleteSilence', resource: 'alert_silence', before: body, after: null }, { action: 'createSilence', before: null, after: body }]);
  });

  test('that would silence nothing is refused', async () => {
    await expect(silence({ alert: 'misspelt' })).rejects.toMatchObject({ code: 'invalid_value', param: 'alert' });
    await expect(silence({ ends_at: '2020-01-01T00:00:00Z' })).rejects.toMatchObject({ code: 'invalid_value', param: 'ends_at' });
    await expect(silence({ starts_at: new Date(Date.now() + 3 * 86_400_000).toISOString() })).rejects.toMatchObject({ code: 'invalid_value', param: 'ends_at' });
  });

  test('goes on when its rule gets another name', async () => {
    const { id } = await create();
    await silence({ alert: 'spending' });
    await stage.call('updateAlert', { params: { id }, body: { name: 'renamed' } });
    expect((await stage.call('listSilences')).body['data']).toMatchObject([{ alert: 'renamed' }]);
  });
});

describe('the configuration', () => {
  test('is shown with its alerts, without addresses and secrets', async () => {
    const { body } = await stage.call('getConfig');
    expect(body).toMatchObject({
      config: {
        smtp: { url: 'smtps://[secret]@mail.example.com:465', from: 'deja@example.com' },
        alerts: [{ name: 'zeta', notify: [{ kind: 'webhook', to: 'hooks.example.com', signed: true }, { kind: 'email', to: 'ops@example.com' }] }, { name: 'alpha', repeat_s: 3600, notify: [{ kind: 'slack' }] }],
        retention_days: 30, request_log: { search: false }, capture: 'full',
      },
    });
    expect(JSON.stringify(body)).not.toContain('planted');
  });

  test('with alerts is checked without being put in force', async () => {
    expect((await stage.call('validateConfig', { body: { yaml: FILE } })).body).toEqual({ valid: true, errors: [], warnings: [] });
    const failed = (await stage.call('validateConfig', { body: { yaml: FILE.replace('name: alpha', 'name: zeta') } })).body;
    expect(failed).toMatchObject({ valid: false, errors: [{ path: expect.stringContaining('alerts'), line: 7 }] });
    expect(JSON.stringify(failed)).not.toContain('planted');
  });
});

describe('capture', () => {
  test('is given to a tenant and to a key, and taken back', async () => {
    const { body: tenant } = await stage.call('createTenant', { body: { id: 'logged', capture: 'metadata' } });
    expect(tenantObject.parse(tenant)).toMatchObject({ capture: 'metadata' });
    const { body: key } = await stage.call('createKey', { body: { tenant: 'logged', name: 'k', capture: 'none' } });
    expect(key).toMatchObject({ capture: 'none' });
    expect((await stage.call('updateTenant', { params: { id: 'logged' }, body: { capture: null } })).body).toMatchObject({ capture: null });
    expect((await stage.call('updateKey', { params: { id: String(key['id']) }, body: { capture: 'full' } })).body).toMatchObject({ capture: 'full' });
    expect((await stage.call('createTenant', { body: { id: 'unsaid' } })).body).toMatchObject({ capture: null });
    await expect(stage.call('updateTenant', { params: { id: 'logged' }, body: { capture: 'some' } })).rejects.toMatchObject({ code: 'invalid_value', param: 'capture' });
    expect(await stage.audited('logged')).toMatchObject([{ action: 'updateTenant', before: { capture: 'metadata' }, after: { capture: null } }, {}]);
  });
});

test('what a usage-worker changes is in the audit log before it is done, and what the router does is its own', async () => {
  const change = { by: ROOT, ifMatch: null, idempotency: null };
  const entry = { resource: 'ledger', resourceId: null, tenant: null, after: { dry_run: true }, outcome: { changeId: newId() } };
  expect(await stage.rpc('audit', { ...entry, action: 'repriceLedger', change })).toEqual({ outcome: entry.outcome, replayed: false });
  for (const action of ['createAlert', 'testAlert', 'getJob']) await expect(stage.rpc('audit', { ...entry, action, change })).rejects.toMatchObject({ code: 'invalid_value', param: 'action' });
  await expect(stage.rpc('audit', { ...entry, action: 'repriceLedger', change: { ...change, by: { ...ROOT, role: 'operator' } } })).rejects.toMatchObject({ code: 'permission_denied' });
});

test('what a usage-worker changes is of a tenant that there is, or was: the ledger keeps what a deleted one used', async () => {
  const change = { by: ROOT, ifMatch: null, idempotency: null };
  const asked = (tenant: string, action: string): Promise<unknown> =>
    stage.rpc('audit', { resource: 'ledger', resourceId: null, tenant, action, after: {}, outcome: { changeId: newId() }, change });
  await stage.call('createTenant', { body: { id: 'of-the-ledger' } });
  for (const action of ['repriceLedger', 'eraseUserData']) {
    await expect(asked('nobody', action)).rejects.toMatchObject({ code: 'not_found', param: 'tenant' });
    expect(await asked('of-the-ledger', action)).toMatchObject({ replayed: false });
  }
  await stage.call('deleteTenant', { params: { id: 'of-the-ledger' } });
  for (const action of ['repriceLedger', 'eraseUserData']) expect(await asked('of-the-ledger', action)).toMatchObject({ replayed: false });
  expect((await stage.sql.query("select 1 from router.audit where tenant = 'nobody'")).rowCount).toBe(0);
});
