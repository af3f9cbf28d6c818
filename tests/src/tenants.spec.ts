import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { ADMIN_OPERATIONS, pathParameters, type AdminOperation, type OperationId } from '@deja/admin-api';
import OpenAI, { toFile } from 'openai';
import type { AdminClient, AdminReply } from './admin-client.ts';
import { AdminCluster, GATEWAYS, MODEL, outcomeOf, verdict } from './admin-cluster.ts';
import { eventually, operationRow } from './client.ts';
import { EVERYBODYS_ALERTS, foreignLedger, NOBODYS_UUID, type Call } from './foreign-calls.ts';
import { keptBy } from './kept.ts';
import { redisDump } from './secret-search.ts';

const OPERATIONS: readonly AdminOperation[] = ADMIN_OPERATIONS;
const QUESTION = 'What do two tenants ask alike?';
/** In whatever is acme's, and nowhere else. */
const MARK = 'acmes';

let stage: AdminCluster;
/** All that acme has, by the kind of thing. */
const acme = { tenant: `${MARK}-tenant`, key: '', secret: '', token: '', tokenId: '', credential: '', request: '', entry: '', file: '', batch: '', response: '', job: '' };
const rival = { tenant: 'rival', secret: '', token: '', tokenId: '' };
/** The credential of deja.yaml that is everybody's. */
let common = '';
let ofAcme: AdminClient;
let ofRival: AdminClient;

beforeAll(async () => {
  stage = await AdminCluster.start();
  for (const tenant of [acme, rival]) {
    await stage.tenant(tenant.tenant, { budgets: [{ usd: '100', period: 'month' }] });
    tenant.secret = (await stage.key(tenant.tenant, { name: `${tenant.tenant} key` })).key;
    const { id, token } = await stage.token({ role: 'owner', tenant: tenant.tenant });
    Object.assign(tenant, { token, tokenId: id });
  }
  [ofAcme, ofRival] = [stage.as(acme.token), stage.as(rival.token)];
  // All but the last is made with acme's own token.
  const made = (path: string, body: object): Promise<AdminReply['json']> => ofAcme.done('POST', path, body);
  acme.key = String((await made('keys', { name: `${MARK} other key`, budgets: [{ usd: '5', period: 'day' }] }))['id']);
  acme.credential = String((await made('credentials', { provider: 'fake', name: `${MARK}-credential`, value: stage.value('acme') }))['id']);
  common = (await stage.admin.list()).find(({ source }) => source === 'file')!.id;
  await storeSomething();
}, 60_000);
afterAll(async () => {
  await stage?.stop();
});

/** What acme's own client has made: a request in the ledger, a cached answer, and objects at the provider. */
async function storeSomething(): Promise<void> {
  const openai = stage.sdk(acme.secret);
  const { response } = await openai.chat.completions.create({ model: MODEL, messages: [{ role: 'user', content: QUESTION }] }, { headers: { 'x-deja-tags': `team=${MARK}` } }).withResponse();
  acme.request = response.headers.get('x-request-id') ?? '';
  acme.entry = await eventually('a cached answer', async () => (await openai.chat.completions.create({ model: MODEL, messages: [{ role: 'user', content: QUESTION }] }).withResponse()).response.headers.get('x-cache-entry'));
  const line = JSON.stringify({ custom_id: 'one', method: 'POST', url: '/v1/chat/completions', body: { model: MODEL, messages: [{ role: 'user', content: 'Hi' }] } });
  acme.file = (await openai.files.create({ file: await toFile(Buffer.from(line), 'lines.jsonl'), purpose: 'batch' })).id;
  acme.batch = (await openai.batches.create({ input_file_id: acme.file, endpoint: '/v1/chat/completions', completion_window: '24h' })).id;
  const stored = await openai.responses.create({ model: MODEL, input: 'Remember this.' }).withResponse();
  acme.response = stored.data.id;
  await operationRow(stage.cluster, acme.request);
  await operationRow(stage.cluster, stored.response.headers.get('x-request-id'));
  acme.job = String((await ofAcme.done('POST', 'users/erase', { user: `${MARK}-user` }))['id']);
  await eventually('its user erased, so far', async () => (await stage.cluster.sql('select 1 from usage.erasures')).length === 1);
  await eventually('its objects noted', async () => (await stage.cluster.sql('select 1 from router.stored_objects where id = any($1)', [[acme.file, acme.batch, acme.response]])).length === 3);
}

/** Of every operation: calls that name something of acme's. `all`: calls that are nobody's in particular, whose answer is to have nothing of acme's. */
const foreign = (): Record<OperationId, { named?: Call[]; all?: Call[] }> => {
  const { tenant, key, tokenId, credential, request, entry, job } = acme;
  const ledger: { named: Call[]; all: Call[] } = { named: [{ query: { tenant } }], all: [{}, { query: { key } }, { query: { model: MODEL } }] };
  const ofCredential = (body?: object): { named: Call[] } => ({ named: [credential, common].map((id) => ({ params: [id], ...(body && { body }) })) });
  return {
    createTenant: { named: [{ body: { id: tenant } }] },
    listTenants: { all: [{}] },
    getTenant: { named: [{ params: [tenant] }, { params: ['default'] }] },
    updateTenant: { named: [{ params: [tenant], body: { disabled: true } }] },
    deleteTenant: { named: [{ params: [tenant] }] },
    shredBodies: { named: [{ params: [tenant] }, { params: ['default'] }] },
    createKey: { named: [{ body: { tenant, name: 'intruder' } }] },
    listKeys: { named: [{ query: { tenant } }], all: [{}] },
    getKey: { named: [{ params: [key] }] },
    updateKey: { named: [{ params: [key], body: { disabled: true } }, { params: [key], body: {} }] },
    rotateKey: { named: [{ params: [key], body: { grace_s: 0 } }] },
    deleteKey: { named: [{ params: [key] }] },
    createAdminToken: { named: [{ body: { tenant, name: 'intruder', role: 'owner' } }] },
    listAdminTokens: { all: [{}] },
    getAdminToken: { named: [{ params: [tokenId] }] },
    deleteAdminToken: { named: [{ params: [tokenId] }] },
    createCredential: { named: [{ body: { tenant, provider: 'fake', name: 'intruder', value: stage.value('intruder') } }] },
    listCredentials: { all: [{}] },
    getCredential: ofCredential(),
    updateCredential: ofCredential({ disabled: true }),
    rotateCredential: ofCredential({ value: stage.value('intruding'), grace_s: 0 }),
    deleteCredential: ofCredential(),
    rewrapVault: { named: [{}] },
    listDeployments: { named: [{}] },
    getDeployment: { named: [{ params: [`fake/${MODEL}`] }] },
    drainDeployment: { named: [{ params: [`fake/${MODEL}`] }] },
    resumeDeployment: { named: [{ params: [`fake/${MODEL}`] }] },
    explainPlan: { named: [{ body: { model: MODEL, tenant } }, { body: { model: MODEL } }] },
    listRequests: ledger,
    getRequest: { named: [{ params: [request] }] },
    exportUsage: { ...ledger, all: [...ledger.all, { query: { format: 'csv' } }] },
    getUsage: { ...ledger, all: [...ledger.all, { query: { group_by: 'tenant,key,user,tag' } }] },
    ...foreignLedger(tenant, job),
    ...EVERYBODYS_ALERTS,
    listBudgets: { named: [{ query: { tenant } }, { query: { key } }], all: [{}] },
    cacheStats: { named: [{ query: { tenant } }], all: [{}] },
    invalidateCache: { named: [{ body: { tenant } }, { body: { tenant, entry } }, { body: { tenant, dry_run: true } }] },
    cacheFeedback: { named: [{ body: { entry, correct: false } }, { body: { tenant, entry, correct: false } }] },
    listAudit: { named: [{ query: { tenant } }], all: [{}, { query: { resource_id: key } }, { query: { actor: tokenId } }] },
    getConfig: { named: [{}] },
    validateConfig: { named: [{ body: { yaml: '' } }] },
    reloadConfig: { named: [{}] },
  };
};

function call(client: AdminClient, { method, path }: AdminOperation, { params = [], query, body }: Call, gateway = 0): Promise<AdminReply> {
  const address = params.reduce((rest, value) => rest.replace(/\{\w+\}/, encodeURIComponent(value)), path);
  return client.call(method, query === undefined ? address : `${address}?${new URLSearchParams(query).toString()}`, body, { gateway });
}

const kept = (): Promise<string> => keptBy(stage.cluster);
const objects = (): Promise<unknown[]> => stage.cluster.sql('select * from router.stored_objects order by id');

describe('the admin token of one tenant', () => {
  test('can do with its own tenant what is its role’s, whether it names it or not', async () => {
    for (const gateway of GATEWAYS) {
      for (const body of [{ name: 'mine' }, { name: 'mine', tenant: rival.tenant }]) expect(await ofRival.done('POST', 'keys', body, { gateway })).toMatchObject({ object: 'key', tenant: rival.tenant });
      for (const path of [`tenants/${rival.tenant}`, `admin-tokens/${rival.tokenId}`, `budgets?tenant=${rival.tenant}`, 'usage', `audit?tenant=${rival.tenant}`]) expect((await ofRival.call('GET', path, undefined, { gateway })).status).toBe(200);
    }
  });

  test('sees and changes nothing of another tenant in any operation: 404, or 403 where the operation is not for one tenant, as if it were not there', async () => {
    await eventually('its use noted', async () => (await stage.cluster.sql('select 1 from router.admin_tokens where last_used_at is null')).length === 0);
    const before = await kept();
    const [cachedBefore, asked] = [(await redisDump(stage.cluster)).includes(acme.entry), stage.provider.requests.length];
    const calls = foreign();
    for (const operation of OPERATIONS) {
      for (const named of calls[operation.id as OperationId].named ?? []) {
        for (const gateway of GATEWAYS) {
          const reply = await call(ofRival, operation, named, gateway);
          expect([operation.id, named, ...verdict(reply)]).toEqual([operation.id, named, ...(operation.tenantScoped ? [404, 'not_found'] : [403, 'permission_denied'])]);
        }
      }
    }
    expect(await kept()).toBe(before);
    expect([cachedBefore, (await redisDump(stage.cluster)).includes(acme.entry), stage.provider.requests.length]).toEqual([true, true, asked]);
    expect(await stage.outcome(acme.secret)).toBe('answered');
  });

  test('is told of another’s ids what it is told of ids that nobody has', async () => {
    const calls = foreign();
    const told = async (operation: AdminOperation, given: Call): Promise<string> => {
      const { status, text } = await call(ofRival, operation, given);
      return `${status} ${(given.params ?? []).reduce((rest, id) => rest.replaceAll(id, 'ID'), text)}`;
    };
    for (const operation of OPERATIONS.filter((one) => one.tenantScoped && pathParameters(one).length > 0)) {
      const [named] = calls[operation.id as OperationId].named ?? [];
      const nobodys = { ...named, params: [operation.path.startsWith('tenants') ? 'nobodys' : NOBODYS_UUID] };
      expect([operation.id, await told(operation, named!)]).toEqual([operation.id, await told(operation, nobodys)]);
    }
  });

  test('finds nothing of another tenant in what is for all, and by a filter for what is another’s', async () => {
    const calls = foreign();
    const everything = [...Object.values(acme).filter((id) => id !== acme.tenant), MARK];
    for (const operation of OPERATIONS) {
      for (const all of calls[operation.id as OperationId].all ?? []) {
        const reply = await call(ofRival, operation, all);
        expect([operation.id, all, reply.status, everything.filter((id) => reply.text.includes(id))]).toEqual([operation.id, all, 200, []]);
      }
    }
  });

  test('can invalidate no answer of another tenant, whatever it does not name', async () => {
    const entries = async (client: AdminClient): Promise<unknown> => (await client.done('GET', 'cache/stats'))['exact_entries'];
    const before = await entries(ofAcme);
    expect(before).toBeGreaterThan(0);
    for (const body of [{}, { entry: acme.entry }, { model: MODEL }, { older_than_s: 0 }, { tag: `team=${MARK}` }]) {
      expect(await ofRival.done('POST', 'cache/invalidate', body)).toMatchObject({ entries: 0 });
    }
    expect(await entries(ofAcme)).toBe(before);
    const cached = await stage.sdk(acme.secret, 1).chat.completions.create({ model: MODEL, messages: [{ role: 'user', content: QUESTION }] }).withResponse();
    expect([cached.response.headers.get('x-cache'), cached.response.headers.get('x-cache-entry')]).toEqual(['HIT-EXACT', acme.entry]);
  });

  test('finds with the same calls what is its own: what was refused was there', async () => {
    const calls = foreign();
    for (const operation of OPERATIONS.filter(({ method, tenantScoped }) => method === 'GET' && tenantScoped)) {
      for (const own of [...(calls[operation.id as OperationId].named ?? []), ...(calls[operation.id as OperationId].all ?? [])]) {
        if (own.params?.[0] === common || own.params?.[0] === 'default') continue;
        const reply = await call(ofAcme, operation, own);
        expect([operation.id, own, reply.status]).toEqual([operation.id, own, 200]);
      }
    }
    for (const path of ['keys', 'credentials', 'admin-tokens', 'tenants', 'requests', 'usage/export', 'audit', 'budgets']) expect((await ofAcme.call('GET', path)).text).toContain(MARK);
  });

  test('makes nothing that is everybody’s, and no token that is for more', async () => {
    const before = await kept();
    for (const [path, body] of [['admin-tokens', { name: 'wider', role: 'owner', tenant: null }], ['credentials', { provider: 'fake', name: 'wider', value: stage.value('wider'), tenant: null }]] as const) {
      expect(verdict(await ofRival.call('POST', path, body))).toEqual([403, 'permission_denied']);
    }
    expect(verdict(await ofRival.call('POST', 'keys', { name: 'wider', tenant: null }))).toEqual([403, 'permission_denied']);
    expect(await kept()).toBe(before);
  });

  test('gives its keys no bounds of their own that would go before the tenant’s, and takes no name of another’s credential', async () => {
    const own = String((await ofRival.done('POST', 'keys', { name: 'bounded' }))['id']);
    const before = await kept();
    const validation = { max_input_tokens: 1_000_000 };
    for (const [method, path] of [['POST', 'keys'], ['PATCH', `keys/${own}`]] as const) expect(verdict(await ofRival.call(method, path, { name: 'wider', validation }))).toEqual([403, 'permission_denied']);
    for (const name of [`${MARK}-credential`, (await stage.admin.list()).find(({ source }) => source === 'file')!.name]) {
      expect(verdict(await ofRival.call('POST', 'credentials', { provider: 'fake', name, value: stage.value('taken') }))).toEqual([409, 'conflict']);
    }
    expect(await kept()).toBe(before);
  });

  test('goes with its tenant', async () => {
    const tenant = await stage.tenant('passing');
    const { token } = await stage.token({ role: 'owner', tenant });
    const { key } = await stage.key(tenant);
    expect((await stage.as(token).call('GET', 'keys')).status).toBe(200);
    expect(await stage.outcome(key)).toBe('answered');
    await stage.admin.done('DELETE', `tenants/${tenant}`);
    for (const gateway of GATEWAYS) expect(verdict(await stage.as(token).call('GET', 'keys', undefined, { gateway }))).toEqual([401, 'invalid_api_key']);
  });
});

describe('the client key of one tenant', () => {
  test.each(GATEWAYS)('finds nothing of another’s in any route for stored objects: 404, nothing is called and nothing changes (gateway %d)', async (gateway) => {
    const openai = stage.sdk(rival.secret, gateway);
    const before = await objects();
    const asked = stage.provider.requests.length;
    const calls: (() => Promise<unknown>)[] = [
      () => openai.files.retrieve(acme.file),
      () => openai.files.content(acme.file),
      () => openai.files.delete(acme.file),
      () => openai.files.list({ after: acme.file }),
      () => openai.batches.retrieve(acme.batch),
      () => openai.batches.cancel(acme.batch),
      () => openai.batches.list({ after: acme.batch }),
      () => openai.responses.retrieve(acme.response),
      () => openai.responses.inputItems.list(acme.response),
      () => openai.responses.cancel(acme.response),
      () => openai.responses.delete(acme.response),
    ];
    for (const one of calls) await expect(one()).rejects.toMatchObject({ status: 404, code: 'not_found' });
    expect(await outcomeOf(openai.batches.create({ input_file_id: acme.file, endpoint: '/v1/chat/completions', completion_window: '24h' }))).toBe('invalid_value');
    expect(await outcomeOf(openai.responses.create({ model: MODEL, input: 'And?', previous_response_id: acme.response }))).toBe('invalid_value');
    expect([(await openai.files.list()).data, (await openai.batches.list()).data]).toEqual([[], []]);
    expect(stage.provider.requests.slice(asked)).toEqual([]);
    expect(await objects()).toEqual(before);
    const own = stage.sdk(acme.secret, gateway);
    expect([(await own.files.retrieve(acme.file)).id, (await own.responses.retrieve(acme.response)).id]).toEqual([acme.file, acme.response]);
  });

  test('gets no answer that was cached for another tenant', async () => {
    const cacheOf = async (key: string): Promise<string | null> => (await stage.sdk(key).chat.completions.create({ model: MODEL, messages: [{ role: 'user', content: QUESTION }] }).withResponse()).response.headers.get('x-cache');
    expect([await cacheOf(acme.secret), await cacheOf(rival.secret)]).toEqual(['HIT-EXACT', 'MISS']);
  });

  test('opens nothing of the admin API, of its own tenant neither', async () => {
    for (const operation of OPERATIONS) {
      for (const named of [...(foreign()[operation.id as OperationId].named ?? []), ...(foreign()[operation.id as OperationId].all ?? [])]) {
        expect([operation.id, ...verdict(await call(stage.as(acme.secret), operation, named))]).toEqual([operation.id, 401, 'invalid_api_key']);
      }
    }
    expect(await outcomeOf(new OpenAI({ baseURL: `${stage.cluster.url}/v1`, apiKey: acme.token, maxRetries: 0 }).models.list())).toBe('invalid_api_key');
  });
});
