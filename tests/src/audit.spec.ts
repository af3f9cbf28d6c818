import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { ADMIN_OPERATIONS, type AdminOperation, type OperationId } from '@deja/admin-api';
import type { AdminClient, AdminReply } from './admin-client.ts';
import { AdminCluster, MODEL, verdict } from './admin-cluster.ts';
import { eventually } from './client.ts';
import { placesOf, secretsIn } from './secret-search.ts';

interface AuditRow {
  [column: string]: unknown;
  actor: string;
  actor_name: string;
  role: string;
  from_address: string | null;
  request_id: string;
  action: string;
  resource: string;
  resource_id: string | null;
  tenant: string | null;
  before: Record<string, unknown> | null;
  after: Record<string, unknown> | null;
  xmin: string;
}

/** A change, and the row that is to come of it. */
interface Step {
  id: OperationId;
  params?: readonly string[];
  body?: object;
  resource: string;
  /** Whose id the row has; null: none. */
  of: string | null;
  tenant: string | null;
  before: 'nothing' | 'something';
  after: 'nothing' | 'something';
  /** The table whose row is changed in the same transaction. */
  table?: string;
  /** The row says what was asked for or done, not how a thing is. */
  isDeed?: true;
}

/** A user who is nowhere to be read afterwards, in the audit log neither. */
const ERASED = 'Erasmus of the Audit';

let stage: AdminCluster;
let actor: { id: string; token: string };
let client: AdminClient;

beforeAll(async () => {
  stage = await AdminCluster.start({ env: { LOG_LEVEL: 'trace' } });
  actor = await stage.token({ role: 'owner' });
  client = stage.as(actor.token);
}, 60_000);
afterAll(async () => {
  await stage?.stop();
});

const rows = (requestId: string | null): Promise<AuditRow[]> => stage.cluster.sql<AuditRow>('select *, xmin::text from router.audit where request_id = $1', [requestId]);
const count = async (): Promise<number> => Number((await stage.cluster.sql<{ n: string }>('select count(*) as n from router.audit'))[0]?.n);

/** Resources that the admin API shows by their ids as the log has them. */
const SHOWN: Record<string, string> = { tenant: 'tenants', key: 'keys', admin_token: 'admin-tokens', credential: 'credentials', alert: 'alerts' };

/** What the admin API says of a thing now. */
const shown = async (resource: string, id: string): Promise<object> => (resource in SHOWN ? client.done('GET', `${SHOWN[resource]}/${id}`) : {});

/** Does the change, and looks at what it has left behind. */
async function step({ id, params = [], body, resource, of, tenant, before, after, table, isDeed }: Step, gateway: number): Promise<AdminReply['json']> {
  const { method, path, status } = ADMIN_OPERATIONS.find((operation) => operation.id === id)! as AdminOperation;
  const [asBefore, countBefore] = [of !== null && before === 'something' ? await shown(resource, of) : {}, await count()];
  const reply = await client.call(method, params.reduce<string>((rest, value) => rest.replace(/\{\w+\}/, encodeURIComponent(value)), path), body, { gateway });
  expect([id, reply.status, reply.text]).toEqual([id, status, expect.anything()]);
  expect(await count()).toBe(countBefore + 1);
  const [row] = await rows(reply.headers.get('x-request-id'));
  const resourceId = of ?? (isDeed !== true && typeof reply.json['id'] === 'string' ? reply.json['id'] : null);
  expect(row).toMatchObject({ actor: actor.id, actor_name: 'owner of all', role: 'owner', from_address: '127.0.0.1', action: id, resource, resource_id: resourceId, tenant });
  expect([id, row?.before === null, row?.after === null]).toEqual([id, before === 'nothing', after === 'nothing']);
  if (isDeed === true) return reply.json;
  const asAfter = resourceId !== null && after === 'something' ? await shown(resource, resourceId) : {};
  expect([asBefore, asAfter]).toMatchObject([told(resource, row?.before), told(resource, row?.after)]);
  const xmins = table === undefined ? [] : await stage.cluster.sql(`select xmin::text from ${table} where id::text = $1`, [resourceId]);
  expect(xmins).toEqual(table === undefined ? [] : [{ xmin: row?.xmin }]);
  return reply.json;
}

/** What the log has of a thing, as far as the admin API has to say the same: how much went with a tenant is told there alone, and when a token was used last changes by itself. */
function told(resource: string, entry: Record<string, unknown> | null | undefined): Record<string, unknown> {
  const { keys: _keys, credentials: _credentials, last_used_at: _lastUsedAt, ...rest } = (resource in SHOWN && entry) || {};
  return rest;
}

/** Every change of the ledger, of what is kept beside it, and of alerts. */
async function ledgerAndAlerts(did: (given: Step) => Promise<AdminReply['json']>, tenant: string): Promise<void> {
  const deed = { of: null, before: 'nothing', after: 'something', isDeed: true } as const;
  await did({ ...deed, resource: 'tenant', of: tenant, params: [tenant], tenant, id: 'shredBodies' });
  await did({ ...deed, resource: 'ledger', tenant, id: 'repriceLedger', body: { tenant, from: '2026-01-01T00:00:00Z', to: '2026-01-02T00:00:00Z' } });
  await did({ ...deed, resource: 'ledger', tenant: null, id: 'replayRejectedEvents', body: {} });
  await did({ ...deed, resource: 'users', tenant, id: 'eraseUserData', body: { tenant, user: ERASED } });

  const made = { before: 'nothing', after: 'something', of: null, tenant: null } as const;
  const notify = [{ webhook: `https://hooks.example.com/${stage.value('hook')}`, secret: stage.value('signing') }];
  const alert = String((await did({ ...made, resource: 'alert', id: 'createAlert', table: 'router.alert_rules', body: { name: 'audited', when: { metric: 'error_rate' }, notify } }))['id']);
  await did({ ...made, resource: 'alert', of: alert, params: [alert], id: 'updateAlert', before: 'something', table: 'router.alert_rules', body: { enabled: false, notify } });
  const silence = String((await did({ ...made, resource: 'alert_silence', id: 'createSilence', body: { alert: 'audited', ends_at: '2999-01-01T00:00:00Z' } }))['id']);
  await did({ ...made, resource: 'alert_silence', of: silence, params: [silence], id: 'deleteSilence', before: 'something', after: 'nothing' });
  await did({ ...made, resource: 'alert', of: alert, params: [alert], id: 'deleteAlert', before: 'something', after: 'nothing' });
}

describe('the audit log', () => {
  test('has exactly one row of every change, from the same transaction: who, from where, what, and how it was before and after', async () => {
    const tenant = 'audited';
    const entry = async (): Promise<string> => {
      const { key } = await stage.key(tenant);
      const ask = async (): Promise<string | null> => (await stage.sdk(key).chat.completions.create({ model: MODEL, messages: [{ role: 'user', content: 'For the audit.' }] }).withResponse()).response.headers.get('x-cache-entry');
      return eventually('a cached answer', ask);
    };
    const seen: OperationId[] = [];
    const did = (given: Step): Promise<AdminReply['json']> => step(given, seen.push(given.id) % 2);
    const ofTenant = { resource: 'tenant', of: tenant, tenant, before: 'something', after: 'something', params: [tenant], table: 'router.tenants' } as const;
    await did({ ...ofTenant, id: 'createTenant', params: [], body: { id: tenant, name: 'Audited', limits: { concurrency: 5 } }, before: 'nothing' });
    await did({ ...ofTenant, id: 'updateTenant', body: { name: 'Changed', budgets: [{ usd: '5', period: 'week' }] } });

    const newKey = { resource: 'key', of: null, tenant, before: 'nothing', after: 'something', table: 'router.client_keys' } as const;
    const key = await did({ ...newKey, id: 'createKey', body: { tenant, name: 'audited', tags: { team: 'red' } } });
    const ofKey = { ...newKey, of: String(key['id']), params: [String(key['id'])], before: 'something' } as const;
    await did({ ...ofKey, id: 'updateKey', body: { models: ['another'], disabled: true } });
    const rotated = await did({ ...ofKey, id: 'rotateKey', body: { grace_s: 60 } });
    expect(rotated['key']).not.toBe(key['key']);
    await did({ resource: 'key', of: ofKey.of, params: ofKey.params, tenant, id: 'deleteKey', before: 'something', after: 'nothing' });

    const newToken = { resource: 'admin_token', of: null, tenant, before: 'nothing', after: 'something', table: 'router.admin_tokens' } as const;
    const token = String((await did({ ...newToken, id: 'createAdminToken', body: { tenant, name: 'audited', role: 'viewer' } }))['id']);
    await did({ resource: 'admin_token', of: token, params: [token], tenant, id: 'deleteAdminToken', before: 'something', after: 'nothing' });

    const newCredential = { resource: 'credential', of: null, tenant, before: 'nothing', after: 'something', table: 'router.credentials' } as const;
    const credential = String((await did({ ...newCredential, id: 'createCredential', body: { provider: 'fake', name: 'audited', value: stage.value('first'), tenant } }))['id']);
    const ofCredential = { ...newCredential, of: credential, params: [credential], before: 'something' } as const;
    await did({ ...ofCredential, id: 'updateCredential', body: { weight: 7, limits: { concurrency: 3 } } });
    await did({ ...ofCredential, id: 'rotateCredential', body: { value: stage.value('second'), grace_s: 60 } });
    await did({ resource: 'credential', of: credential, params: [credential], tenant, id: 'deleteCredential', before: 'something', after: 'nothing' });

    const deployment = { resource: 'deployment', of: `fake/${MODEL}`, params: [`fake/${MODEL}`], tenant: null, before: 'something', after: 'something' } as const;
    await did({ ...deployment, id: 'drainDeployment' });
    await did({ ...deployment, id: 'resumeDeployment' });
    await did({ resource: 'vault', of: null, tenant: null, id: 'rewrapVault', before: 'nothing', after: 'something' });
    await did({ resource: 'config', of: null, tenant: null, id: 'reloadConfig', before: 'nothing', after: 'something' });
    const wrong = await entry();
    await did({ resource: 'cache', of: wrong, tenant, id: 'cacheFeedback', body: { entry: wrong, correct: false }, before: 'nothing', after: 'something' });
    await did({ resource: 'cache', of: null, tenant, id: 'invalidateCache', body: { tenant }, before: 'nothing', after: 'something' });
    await ledgerAndAlerts(did, tenant);
    await did({ resource: 'tenant', of: tenant, params: [tenant], tenant, id: 'deleteTenant', before: 'something', after: 'nothing' });
    expect(JSON.stringify(await stage.cluster.sql('select * from router.audit'))).not.toContain(ERASED);
    expect(seen.toSorted()).toEqual(ADMIN_OPERATIONS.filter(({ change }) => change).map(({ id }) => id).toSorted());
  }, 60_000);

  test('has none of what was refused, read, asked again, or asked for without being done', async () => {
    await stage.tenant('refusing');
    const { id } = await stage.key('refusing');
    const again = { headers: { 'idempotency-key': 'the same of the audit tests' } };
    await client.done('POST', 'keys', { tenant: 'refusing', name: 'once' }, again);
    const before = await count();
    const calls: [method: string, path: string, body: unknown, status: number, headers?: Record<string, string>][] = [
      ['POST', 'keys', { tenant: 'nobodys', name: 'x' }, 404],
      ['POST', 'keys', { tenant: 'refusing', name: '' }, 400],
      ['POST', 'tenants', { id: 'refusing' }, 409],
      ['PATCH', `keys/${id}`, { disabled: true }, 412, { 'if-match': '"99"' }],
      ['DELETE', `keys/${id}`, undefined, 412, { 'if-match': '"99"' }],
      ['PATCH', `keys/${id}`, {}, 200],
      ['POST', 'credentials', { provider: 'nobodys', name: 'x', value: stage.value('refused') }, 400],
      ['DELETE', 'tenants/default', undefined, 409],
      ['POST', 'keys', { tenant: 'refusing', name: 'once' }, 201, again.headers],
      ['POST', 'keys', { tenant: 'refusing', name: 'another' }, 409, again.headers],
      ['POST', 'cache/invalidate', { dry_run: true }, 200],
      ['POST', 'config/validate', { yaml: 'models: []' }, 200],
      ['POST', 'plan/explain', { model: MODEL }, 200],
      ['GET', `keys/${id}`, undefined, 200],
    ];
    for (const [method, path, body, status, headers] of calls) expect([method, path, (await client.call(method, path, body, { ...(headers && { headers }) })).status]).toEqual([method, path, status]);
    const viewer = stage.as((await stage.token({ role: 'viewer' })).token);
    expect(verdict(await viewer.call('PATCH', `keys/${id}`, { disabled: true }))).toEqual([403, 'permission_denied']);
    expect(await count()).toBe(before + 1); // of the viewer's token
  });

  test('is never changed: Postgres refuses to update, delete or truncate, whoever asks and however', async () => {
    await stage.tenant('unchanged');
    const rowsBefore = await stage.cluster.sql('select * from router.audit order by id');
    const statements = ["update router.audit set actor = 'nobody'", 'delete from router.audit', 'truncate router.audit', 'truncate router.audit cascade', "insert into router.audit select * from router.audit on conflict (id) do update set actor = 'nobody'"];
    for (const role of ['origin', 'replica', 'local']) {
      await stage.cluster.sql(`set session_replication_role = ${role}`);
      for (const sql of statements) await expect(stage.cluster.sql(sql)).rejects.toThrow('the audit log is only added to');
    }
    await stage.cluster.sql('reset session_replication_role');
    expect(await stage.cluster.sql('select * from router.audit order by id')).toEqual(rowsBefore);
  });

  test('is read by its filters, page after page, the latest first', async () => {
    const tenant = await stage.tenant('filtered');
    const { id } = await stage.key(tenant);
    for (let i = 0; i < 5; i++) await client.done('PATCH', `keys/${id}`, { tags: { turn: String(i) } });
    const page = async (query: string): Promise<{ data: Record<string, unknown>[]; next: string | null }> => {
      const { data, next_cursor: next } = await client.done('GET', `audit?${query}`);
      return { data: data as unknown as Record<string, unknown>[], next: next ?? null };
    };
    expect((await page(`tenant=${tenant}`)).data.map(({ action }) => action)).toEqual([...Array(5).fill('updateKey'), 'createKey', 'createTenant']);
    expect((await page(`resource_id=${id}&action=updateKey&actor=${actor.id}`)).data.map(({ after }) => (after as { tags: { turn: string } }).tags.turn)).toEqual(['4', '3', '2', '1', '0']);
    expect((await page(`resource_id=${id}&actor=root`)).data).toHaveLength(1);
    const walked: unknown[] = [];
    for (let cursor: string | null = ''; cursor !== null;) {
      const { data, next } = await page(`tenant=${tenant}&limit=3${cursor === '' ? '' : `&cursor=${encodeURIComponent(cursor)}`}`);
      walked.push(...data.map((entry) => entry['id']));
      cursor = next;
    }
    expect(walked).toEqual((await page(`tenant=${tenant}`)).data.map((entry) => entry['id']));
  });
});

describe('in the end', () => {
  test('no client key, admin token, credential value or idempotency key of all these is in clear in Postgres, Redis, a log line or a metric, nor any but the last in Redis’ traffic', async () => {
    await client.done('POST', 'keys', { tenant: await stage.tenant('last'), name: 'last' }, { headers: { 'idempotency-key': 'idempotency-key-of-the-secret-search' } });
    const secrets = { ...stage.shown(), ...stage.planted, 'admin key': stage.cluster.adminKey };
    expect(Object.keys(secrets).filter((name) => name.startsWith('deja-admin-')).length).toBeGreaterThan(2);
    const places = await placesOf(stage.cluster, { traffic: stage.traffic });
    expect(secretsIn(places, secrets)).toEqual([]);
    const { 'redis traffic': _traffic, redis: _redis, ...others } = places;
    expect(secretsIn(others, { 'idempotency key': 'idempotency-key-of-the-secret-search' })).toEqual([]);
    const values = stage.answers.texts.join('\n');
    expect(secretsIn({ answers: values }, stage.planted)).toEqual([]);
  });
});
