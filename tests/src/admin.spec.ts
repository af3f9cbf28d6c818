import { spawn, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { ADMIN_OPERATIONS, isAtLeast, ROLES, type AdminOperation, type Role } from '@deja/admin-api';
import { freePort } from '@deja/launcher';
import type { AdminReply } from './admin-client.ts';
import { AdminCluster, GATEWAYS, idempotent, verdict } from './admin-cluster.ts';
import { eventually } from './client.ts';
import { keptBy } from './kept.ts';

const OPERATIONS: readonly AdminOperation[] = ADMIN_OPERATIONS;
const NOBODYS = '019b7d9e-0000-7000-8000-000000000001';
const GATEWAY = fileURLToPath(new URL('../../apps/gateway/out/main.mjs', import.meta.url));

let stage: AdminCluster;

beforeAll(async () => {
  stage = await AdminCluster.start();
}, 60_000);
afterAll(async () => {
  await stage?.stop();
});

/** A call that changes nothing where it is let in: of what nobody has, or with a body that will not do. */
const harmless = (token: string, { method, path, body }: AdminOperation, gateway = 0): Promise<AdminReply> =>
  stage.as(token).call(method, path.replace(/\{\w+\}/, NOBODYS), body === null ? undefined : { no: 'such field' }, { gateway });

const kept = (): Promise<string> => keptBy(stage.cluster);
/** Whether it is refused without a query. */
const needsQuery = ({ query }: AdminOperation): boolean => query !== null && query !== undefined && !query.safeParse({}).success;

describe('an admin token', () => {
  const KINDS = ROLES.flatMap((role): [Role, string | null][] => [[role, null], [role, 'default']]);

  test.each(KINDS)('of the role %s for %j is let in where its role and tenant allow, and refused everywhere else with nothing changed', async (role, tenant) => {
    const { token } = await stage.token({ role, tenant });
    const isAllowed = (operation: AdminOperation): boolean => isAtLeast(role, operation.role) && (tenant === null || operation.tenantScoped);
    for (const gateway of GATEWAYS) {
      await harmless(token, OPERATIONS[1]!, gateway);
      await eventually('its use noted', async () => (await stage.cluster.sql('select 1 from router.admin_tokens where last_used_at is null')).length === 0);
      const before = await kept();
      for (const operation of OPERATIONS.filter((one) => !isAllowed(one))) expect([operation.id, ...verdict(await harmless(token, operation, gateway))]).toEqual([operation.id, 403, 'permission_denied']);
      expect(await kept()).toBe(before);
      for (const operation of OPERATIONS.filter(isAllowed)) {
        const { status } = await harmless(token, operation, gateway);
        expect([operation.id, needsQuery(operation) ? [400] : operation.body === null ? [200, 404] : [400, 404]]).toEqual([operation.id, expect.arrayContaining([status])]);
      }
    }
  });

  test('that expires makes none that outlives it, at either gateway', async () => {
    const [end, later] = ['2100-01-01T00:00:00Z', '2100-01-01T00:00:01Z'];
    const { token } = await stage.admin.done('POST', 'admin-tokens', { name: 'lent', role: 'owner', expires_at: end });
    for (const gateway of GATEWAYS) {
      const make = async (expires: string | null): Promise<unknown> => verdict(await stage.as(String(token)).call('POST', 'admin-tokens', { name: 'child', role: 'owner', expires_at: expires }, { gateway }));
      expect([await make(null), await make(later), await make(end)]).toEqual([[403, 'permission_denied'], [403, 'permission_denied'], [201, null]]);
    }
  });

  test('opens nothing from the moment on at which it is revoked or expires, nor with another secret, at any gateway', async () => {
    const { id, token } = await stage.token({ role: 'owner' });
    const { token: passing } = await stage.admin.done('POST', 'admin-tokens', { name: 'passing', role: 'viewer', expires_at: new Date(Date.now() + 2500).toISOString() });
    const verdicts = (given: string): Promise<unknown[]> => Promise.all(GATEWAYS.map(async (gateway) => verdict(await stage.as(given).call('GET', 'tenants', undefined, { gateway }))));
    expect([await verdicts(token), await verdicts(String(passing))]).toEqual(Array(2).fill(Array(2).fill([200, null])));
    const refused = Array(2).fill([401, 'invalid_api_key']);
    for (const other of [token.slice(0, -1) + (token.endsWith('a') ? 'b' : 'a'), token.replace('deja-admin-', 'deja-admin-x'), token.toUpperCase(), `${token}x`]) expect(await verdicts(other)).toEqual(refused);
    expect((await stage.admin.done('GET', `admin-tokens/${id}`))['last_used_at']).toMatch(/^\d{4}-.*Z$/);
    await stage.admin.done('DELETE', `admin-tokens/${id}`, undefined, { gateway: 1 });
    expect(await verdicts(token)).toEqual(refused);
    await eventually('its end', async () => JSON.stringify(await verdicts(String(passing))) === JSON.stringify(refused));
  });
});

describe('an etag', () => {
  const things: [what: string, make: () => Promise<string>, change: object][] = [
    ['a tenant', async () => `tenants/${await stage.tenant(`etag-${++made}`)}`, { name: 'changed' }],
    ['a client key', async () => `keys/${(await stage.key('default')).id}`, { name: 'changed' }],
    ['a credential', async () => `credentials/${(await stage.admin.create({ provider: 'fake', name: `etag-${++made}`, value: stage.value(`etag-${made}`), weight: 0 })).id}`, { limits: { concurrency: 3 } }],
  ];
  let made = 0;

  test.each(things)('of %s is another one after every change, and a change under a former one is not made', async (_what, make, change) => {
    const path = await make();
    const first = (await stage.admin.call('GET', path)).headers.get('etag');
    expect(first).toMatch(/^"\d+"$/);
    const under = (method: string, etag: string | null, body?: object, more = ''): Promise<AdminReply> => stage.admin.call(method, path + more, body, { gateway: 1, headers: { 'if-match': String(etag) } });
    const changed = await under('PATCH', first, change);
    const second = changed.headers.get('etag');
    expect([changed.status, second === first, (await stage.admin.call('GET', path)).headers.get('etag')]).toEqual([200, false, second]);
    const before = await kept();
    for (const stale of [await under('PATCH', first, change), await under('DELETE', first), ...(path.startsWith('tenants') ? [] : [await under('POST', first, path.startsWith('keys') ? {} : { value: stage.value('stale') }, '/rotate')])]) {
      expect(verdict(stale)).toEqual([412, 'precondition_failed']);
    }
    for (const bad of ['W/"1"', '1', '"x"', '"1", "2"', '""']) expect([bad, ...verdict(await under('PATCH', bad, change))]).toEqual([bad, 400, 'invalid_value']);
    expect(await kept()).toBe(before);
    expect((await under('PATCH', '*', change)).status).toBe(200);
    const third = (await stage.admin.call('GET', path)).headers.get('etag');
    expect((await under('DELETE', third)).status).toBe(200);
  });

  test.each(things)('has one of many changes of %s made that are sent at once under it, over both gateways', async (_what, make, change) => {
    const path = await make();
    const etag = (await stage.admin.call('GET', path)).headers.get('etag') ?? '';
    const replies = await Promise.all(Array.from({ length: 8 }, (_, i) => stage.admin.call('PATCH', path, change, { gateway: i % 2, headers: { 'if-match': etag } })));
    expect(replies.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([200, ...Array(7).fill(412)]);
  });
});

describe('an idempotency key', () => {
  const keys = async (tenant: string): Promise<unknown[]> => (await stage.admin.done('GET', `keys?tenant=${tenant}`)).data ?? [];

  test('has a thing made once, by however many requests over both gateways at once, and each is answered with its secret', async () => {
    const tenant = await stage.tenant('once');
    const replies = await Promise.all(Array.from({ length: 10 }, (_, i) => stage.admin.call('POST', 'keys', { tenant, name: 'once' }, idempotent('one key however often', { gateway: i % 2 }))));
    expect(replies.map(({ status }) => status)).toEqual(Array(10).fill(201));
    expect(new Set(replies.map(({ text }) => text)).size).toBe(1);
    expect(replies.filter(({ headers }) => headers.get('idempotent-replayed') !== 'true')).toHaveLength(1);
    expect(new Set(replies.map(({ headers }) => headers.get('etag')))).toEqual(new Set(['"1"']));
    expect(await keys(tenant)).toHaveLength(1);
    expect(await stage.outcome(String(replies[0]?.json['key']))).toBe('answered');
    expect((await stage.cluster.sql('select 1 from router.audit where tenant = $1 and action = $2', [tenant, 'createKey'])).length).toBe(1);
  });

  test('is one caller’s and one request’s: another body or address is a conflict, another caller’s request another one, and a refused one is not kept', async () => {
    const tenant = await stage.tenant('conflicts');
    const body = { tenant, name: 'mine' };
    const mine = idempotent('a key of the conflict tests');
    const first = await stage.admin.done('POST', 'keys', body, mine);
    const before = await kept();
    for (const [path, other] of [['keys', { tenant, name: 'other' }], ['keys', { ...body, tags: { a: 'b' } }], [`keys/${String(first['id'])}/rotate`, {}], ['tenants', { id: 'conflicting' }]] as const) {
      expect([path, ...verdict(await stage.admin.call('POST', path, other, { ...mine, gateway: 1 }))]).toEqual([path, 409, 'conflict']);
    }
    expect(await kept()).toBe(before);
    const { token } = await stage.token({ role: 'operator' });
    const others = await stage.as(token).done('POST', 'keys', body, mine);
    expect(others['id']).not.toBe(first['id']);
    const refused = idempotent('refused at first, and done then');
    expect((await stage.admin.call('POST', 'keys', { tenant: 'coming', name: 'x' }, refused)).status).toBe(404);
    await stage.tenant('coming');
    expect((await stage.admin.call('POST', 'keys', { tenant: 'coming', name: 'x' }, refused)).status).toBe(201);
    for (const bad of ['short', 'x'.repeat(256), 'with a tab\tin the middle']) expect(verdict(await stage.admin.call('POST', 'keys', body, idempotent(bad)))).toEqual([400, 'invalid_value']);
  });

  test.each<[string, () => Promise<{ path: string; body: object | undefined }>]>([
    ['createTenant', async () => ({ path: 'tenants', body: { name: 'Again and again' } })],
    ['rotateKey', async () => ({ path: `keys/${(await stage.key('default')).id}/rotate`, body: { grace_s: 3600 } })],
    ['createAdminToken', async () => ({ path: 'admin-tokens', body: { name: 'again', role: 'viewer' } })],
    ['createCredential', async () => ({ path: 'credentials', body: { provider: 'fake', name: 'again', value: stage.value('again'), weight: 0 } })],
    ['rotateCredential', async () => ({ path: `credentials/${(await stage.admin.create({ provider: 'fake', name: 'again-rotated', value: stage.value('again-1'), weight: 0 })).id}/rotate`, body: { value: stage.value('again-2') } })],
    ['drainDeployment', async () => ({ path: 'deployments/fake/*/drain', body: undefined })],
    ['resumeDeployment', async () => ({ path: 'deployments/fake/*/resume', body: undefined })],
    ['invalidateCache', async () => ({ path: 'cache/invalidate', body: { tenant: 'default' } })],
    ['reloadConfig', async () => ({ path: 'config/reload', body: undefined })],
  ])('has %s done once, and answered alike again, by the other gateway', async (action, given) => {
    const { path, body } = await given();
    const audited = async (): Promise<number> => (await stage.cluster.sql('select 1 from router.audit where action = $1', [action])).length;
    const before = await audited();
    const first = await stage.admin.call('POST', path, body, idempotent(`for ${action}, once`));
    const second = await stage.admin.call('POST', path, body, idempotent(`for ${action}, once`, { gateway: 1 }));
    expect([first.status < 300, second.status, second.headers.get('idempotent-replayed'), first.headers.get('idempotent-replayed')]).toEqual([true, first.status, 'true', null]);
    expect(comparable(second)).toEqual(comparable(first));
    expect(await audited()).toBe(before + 1);
  });

  /** What a gateway adds of its own to a deployment is of the moment. */
  const comparable = ({ json: { this_gateway: _seen, ...rest } }: AdminReply): object => rest;
});

describe('a list', () => {
  test('has everything once in pages of any size, also by turns from both gateways and while things come and go', async () => {
    const tenant = await stage.tenant('paged');
    const ids: string[] = [];
    for (let i = 0; i < 23; i++) ids.push((await stage.key(tenant, { name: `key ${i}` })).id);
    for (const limit of [1, 5, 23, 24, 1000]) {
      const walked: string[] = [];
      let cursor: string | null = null;
      let pages = 0;
      do {
        const page: AdminReply['json'] = await stage.admin.done('GET', `keys?tenant=${tenant}&limit=${limit}${cursor === null ? '' : `&cursor=${encodeURIComponent(cursor)}`}`, undefined, { gateway: pages % 2 });
        const data = page.data ?? [];
        expect([page['object'], data.length <= limit, page['has_more']]).toEqual(['list', true, page.next_cursor !== null]);
        walked.push(...data.map(({ id }) => id));
        cursor = page.next_cursor ?? null;
        pages += 1;
        // Behind and before where the list goes on.
        if (pages === 2) await stage.admin.done('DELETE', `keys/${(await stage.key(tenant)).id}`);
      } while (cursor !== null);
      expect([limit, walked]).toEqual([limit, ids]);
    }
  });

  test.each(OPERATIONS.filter(({ query }) => query !== null && 'cursor' in query.shape).map(({ path }) => path))('of %s refuses limits and cursors that it did not give', async (path) => {
    for (const query of ['limit=0', 'limit=1001', 'limit=x', 'limit=', 'cursor=', 'cursor=x', `cursor=${Buffer.from('["keys","x"]').toString('base64url')}`, 'limit=5&limit=6', 'nothing=1']) {
      expect([query, ...verdict(await stage.admin.call('GET', `${path}?${query}`))]).toEqual([query, 400, 'invalid_value']);
    }
  });
});

describe('the admin surface', () => {
  test('describes itself to whoever is let in, and to nobody else', async () => {
    const { token } = await stage.token({ role: 'viewer', tenant: 'default' });
    for (const gateway of GATEWAYS) {
      expect((await stage.admin.call('GET', 'openapi.json', undefined, { gateway, authorization: null })).status).toBe(401);
      const { status, json } = await stage.as(token).call('GET', 'openapi.json', undefined, { gateway });
      const described = Object.values(json['paths'] as Record<string, Record<string, { operationId: string }>>).flatMap((path) => Object.values(path).map(({ operationId }) => operationId));
      expect([status, json['openapi'], described.toSorted()]).toEqual([200, '3.1.1', OPERATIONS.map(({ id }) => id).toSorted()]);
    }
  });

  /** One more gateway of the cluster, with what it has written so far. */
  async function gateway(env: Record<string, string>): Promise<{ url: string; log: () => string; stop: () => Promise<void> }> {
    const [port, opsPort] = [await freePort(), await freePort()];
    const child: ChildProcess = spawn(process.execPath, [GATEWAY], {
      env: { PATH: process.env['PATH'] ?? '', PORT: String(port), OPS_PORT: String(opsPort), REDIS_URL: stage.cluster.redisUrl, DEJA_ADMIN_KEY: stage.cluster.adminKey, DEJA_DATA_DIR: stage.cluster.dataDir, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let log = '';
    for (const stream of [child.stdout, child.stderr]) stream?.setEncoding('utf8').on('data', (text: string) => (log += text));
    await eventually('the gateway ready', async () => (await fetch(`http://127.0.0.1:${opsPort}/readyz`).catch(() => null))?.status === 200);
    return {
      url: `http://127.0.0.1:${port}`,
      log: () => log,
      stop: () => new Promise((resolve) => {
        child.on('close', () => resolve());
        child.kill('SIGTERM');
      }),
    };
  }

  const authorization = (): { authorization: string } => ({ authorization: `Bearer ${stage.cluster.adminKey}` });
  const statusOf = async (url: string, init: RequestInit = {}): Promise<[number, string | undefined]> => {
    const response = await fetch(url, init);
    const body = (await response.json()) as { error?: { code: string } };
    return [response.status, body.error?.code];
  };
  const chatsAt = async (url: string): Promise<number> =>
    (await fetch(`${url}/v1/models`, { headers: { authorization: `Bearer ${stage.cluster.key}` } })).status;

  test('can have a port of its own, and then nothing of it is on the clients’', async () => {
    const other = await gateway({ DEJA_ADMIN_PORT: '0' });
    try {
      const port = await eventually('its port told', () => /"admin_port":(\d+)/.exec(other.log())?.[1]);
      const own = `http://127.0.0.1:${port}`;
      expect(await statusOf(`${own}/admin/v1/tenants`, { headers: authorization() })).toEqual([200, undefined]);
      expect(await statusOf(`${own}/admin/v1/tenants`)).toEqual([401, 'invalid_api_key']);
      const made = await fetch(`${own}/admin/v1/keys`, { method: 'POST', headers: { ...authorization(), 'content-type': 'application/json' }, body: JSON.stringify({ tenant: 'default', name: 'by way of its own port' }) });
      expect(await stage.outcome(String(((await made.json()) as { key: string }).key))).toBe('answered');
      for (const path of ['/v1/models', '/v1/chat/completions', '/', '/admin', '/admin/v2/tenants']) expect([path, ...(await statusOf(own + path, { headers: authorization() }))]).toEqual([path, 404, 'not_found']);
      for (const path of ['tenants', 'openapi.json', 'keys', '']) expect([path, ...(await statusOf(`${other.url}/admin/v1/${path}`, { headers: authorization() }))]).toEqual([path, 404, 'not_found']);
      expect(await chatsAt(other.url)).toBe(200);
    } finally {
      await other.stop();
    }
  });

  test.each<[string, Record<string, string>]>([
    ['DEJA_ADMIN=off', { DEJA_ADMIN: 'off' }],
    ['DEJA_ADMIN=off though it has a port', { DEJA_ADMIN: 'off', DEJA_ADMIN_PORT: '0' }],
    ['no DEJA_ADMIN_KEY', { DEJA_ADMIN_KEY: '' }],
  ])('is nowhere with %s, whoever asks, and clients do not notice', async (_what, env) => {
    const other = await gateway(env);
    try {
      for (const path of ['tenants', 'openapi.json', `keys/${NOBODYS}`, '', 'nowhere']) {
        for (const headers of [authorization(), {}]) expect([path, ...(await statusOf(`${other.url}/admin/v1/${path}`, { headers }))]).toEqual([path, 404, 'not_found']);
      }
      expect(await chatsAt(other.url)).toBe(200);
      expect(other.log()).not.toContain('admin_port');
    } finally {
      await other.stop();
    }
  });
});
