import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { AdminCluster, GATEWAYS, IN_FORCE_MS, MODEL, verdict } from './admin-cluster.ts';
import { eventually, operationRow } from './client.ts';
import { placesOf, secretsIn } from './secret-search.ts';

let stage: AdminCluster;

beforeAll(async () => {
  stage = await AdminCluster.start({ env: { LOG_LEVEL: 'trace' } });
}, 60_000);
afterAll(async () => {
  await stage?.stop();
});

let tenants = 0;
const newTenant = (settings: object = {}): Promise<string> => stage.tenant(`tenant-${++tenants}`, settings);
const newKey = async (settings: object = {}): Promise<{ tenant: string; id: string; key: string }> => {
  const tenant = await newTenant();
  return { tenant, ...(await stage.key(tenant, settings)) };
};

const expectEverywhere = (key: string, outcome: string): Promise<void> => stage.holdsEverywhere(key, outcome);
const patchKey = (id: string, change: object, gateway = 0): Promise<unknown> => stage.admin.done('PATCH', `keys/${id}`, change, { gateway });
const patchTenant = (id: string, change: object, gateway = 0): Promise<unknown> => stage.admin.done('PATCH', `tenants/${id}`, change, { gateway });

describe('a client key', () => {
  test('is made at one gateway, works at both with the official SDK, and is kept as a hash alone', async () => {
    const { id, key } = await newKey();
    expect(key).toMatch(/^sk-deja-[0-9A-Za-z]{16}-[0-9A-Za-z]{32}$/);
    await expectEverywhere(key, 'answered');
    for (const gateway of GATEWAYS) {
      const streamed = await stage.sdk(key, gateway).chat.completions.create({ model: MODEL, stream: true, messages: [{ role: 'user', content: `Stream through gateway ${gateway}.` }] });
      let text = '';
      for await (const { choices } of streamed) text += choices[0]?.delta.content ?? '';
      expect(text).not.toBe('');
      expect((await stage.sdk(key, gateway).models.list()).data.map((model) => model.id)).toEqual([MODEL]);
    }
    const kept = await stage.cluster.sql<{ key_sha256: string }>('select key_sha256 from router.client_key_secrets where key = $1', [id]);
    expect(kept).toEqual([{ key_sha256: createHash('sha256').update(key).digest('hex') }]);
    const shown = await stage.admin.call('GET', `keys/${id}`);
    expect([shown.status, shown.json['prefix'], shown.text.includes(key.slice(-32)), 'key' in shown.json]).toEqual([200, key.slice(0, -33), false, false]);
  });

  const CHANGES: [what: string, change: object, outcome: string, undo: object][] = [
    ['its models', { models: ['another'] }, 'model_not_allowed', { models: null }],
    ['its endpoints', { endpoints: ['embeddings', 'models'] }, 'endpoint_not_allowed', { endpoints: ['chat/completions'] }],
    ['its networks', { networks: ['192.0.2.0/24', '2001:db8::/32'] }, 'network_not_allowed', { networks: ['127.0.0.0/8', '::1'] }],
    ['its expiry', { expires_at: '2026-01-01T00:00:00Z' }, 'key_expired', { expires_at: null }],
    ['being disabled', { disabled: true }, 'key_disabled', { disabled: false }],
    ['its limits', { limits: { requests_per_minute: 1 } }, 'rate_limit_exceeded', { limits: {} }],
    ['its limits of one model', { limits: { models: { [MODEL]: { tokens_per_minute: 1 } } } }, 'rate_limit_exceeded', { limits: {} }],
    ['what holds for each user', { per_user: { requests_per_minute: 1 } }, 'rate_limit_exceeded', { per_user: {} }],
    ['its budgets', { budgets: [{ usd: '0', period: 'month', time_zone: 'Europe/Zurich' }] }, 'budget_exceeded', { budgets: [] }],
    ['its validation', { validation: { max_input_tokens: 1 } }, 'context_length_exceeded', { validation: {} }],
  ];
  test.each(CHANGES)('follows a change of %s within a second at every gateway, there and back', async (_what, change, outcome, undo) => {
    const { id, key } = await newKey();
    await expectEverywhere(key, 'answered');
    await patchKey(id, change, 0);
    await expectEverywhere(key, outcome);
    await patchKey(id, undo, 1);
    await expectEverywhere(key, 'answered');
  });

  const TENANT_CHANGES: [what: string, change: object, outcome: string, undo: object][] = [
    ['its tenant’s models', { models: ['another'] }, 'model_not_allowed', { models: [MODEL] }],
    ['its tenant being disabled', { disabled: true }, 'tenant_disabled', { disabled: false }],
    ['its tenant’s limits', { limits: { requests_per_minute: 1 } }, 'rate_limit_exceeded', { limits: {} }],
    ['its tenant’s budgets', { budgets: [{ usd: '0', period: 'total' }] }, 'budget_exceeded', { budgets: [] }],
    ['its tenant’s validation', { validation: { max_input_tokens: 1 } }, 'context_length_exceeded', { validation: {} }],
  ];
  test.each(TENANT_CHANGES)('follows a change of %s within a second at every gateway, there and back', async (_what, change, outcome, undo) => {
    const { tenant, key } = await newKey();
    await expectEverywhere(key, 'answered');
    await patchTenant(tenant, change, 1);
    await expectEverywhere(key, outcome);
    await patchTenant(tenant, undo, 0);
    await expectEverywhere(key, 'answered');
  });

  test('puts its tags on every request, as they are at that moment, and a request may add to them but not change them', async () => {
    const { id, key } = await newKey({ tags: { team: 'red' } });
    const tagsAt = async (gateway: number): Promise<string> => {
      const response = await stage.ask(key, { gateway, headers: { 'x-deja-tags': 'team=mine,feature=search' } });
      return JSON.stringify(Object.entries((await operationRow(stage.cluster, response.headers.get('x-request-id'))).tags).map(([name, value]) => `${name}=${value}`).toSorted());
    };
    for (const gateway of GATEWAYS) expect(await tagsAt(gateway)).toBe('["feature=search","team=red"]');
    await patchKey(id, { tags: { team: 'blue', site: 'north' } });
    for (const gateway of GATEWAYS) expect(await tagsAt(gateway)).toBe('["feature=search","site=north","team=blue"]');
  });

  test('follows a change of what is cached for it', async () => {
    const { id, key } = await newKey();
    const cached = async (gateway: number): Promise<string | null> => (await stage.sdk(key, gateway).chat.completions.create({ model: MODEL, messages: [{ role: 'user', content: 'Something to be remembered.' }] }).withResponse()).response.headers.get('x-cache');
    await cached(0);
    for (const gateway of GATEWAYS) await eventually('a cached answer', async () => (await cached(gateway)) === 'HIT-EXACT');
    await patchKey(id, { cache: { exact: { enabled: false }, semantic: { enabled: false } } });
    for (const gateway of GATEWAYS) expect(await eventually('none from the cache', async () => [await cached(gateway)].find((seen) => seen !== 'HIT-EXACT'), IN_FORCE_MS)).toBe('BYPASS');
  });

  test('expires at its moment, without anybody doing anything', async () => {
    const { key } = await newKey({ expires_at: new Date(Date.now() + 2500).toISOString() });
    expect(await Promise.all(GATEWAYS.map((gateway) => stage.outcome(key, { gateway })))).toEqual(['answered', 'answered']);
    for (const gateway of GATEWAYS) await eventually('its end', async () => (await stage.outcome(key, { gateway })) === 'key_expired');
  });

  test('that is deleted, or whose tenant is, is refused within a second at every gateway, and is gone', async () => {
    const { id, key } = await newKey();
    const other = await newKey();
    for (const secret of [key, other.key]) await expectEverywhere(secret, 'answered');
    expect(await stage.admin.done('DELETE', `keys/${id}`)).toEqual({ object: 'key', id, deleted: true });
    await expectEverywhere(key, 'invalid_api_key');
    expect(await stage.admin.done('DELETE', `tenants/${other.tenant}`, undefined, { gateway: 1 })).toEqual({ object: 'tenant', id: other.tenant, deleted: true });
    await expectEverywhere(other.key, 'invalid_api_key');
    for (const gone of [`keys/${id}`, `keys/${other.id}`, `tenants/${other.tenant}`]) for (const method of ['GET', 'DELETE']) expect((await stage.admin.call(method, gone)).status).toBe(404);
    expect(await stage.cluster.sql('select 1 from router.client_key_secrets where key = any($1)', [[id, other.id]])).toEqual([]);
    // What was cached and counted under the id is never another's.
    expect(verdict(await stage.admin.call('POST', 'tenants', { id: other.tenant }))).toEqual([409, 'conflict']);
  });
});

describe('a rotation', () => {
  const rotate = async (id: string, graceS: number, gateway = 0): Promise<string> => String((await stage.admin.done('POST', `keys/${id}/rotate`, { grace_s: graceS }, { gateway }))['key']);

  test('has both secrets work for its grace, and the new one alone afterwards', async () => {
    const { id, key: former } = await newKey();
    await expectEverywhere(former, 'answered');
    const next = await rotate(id, 3);
    expect(next.slice(0, -33)).not.toBe(former.slice(0, -33));
    expect(await Promise.all([former, next].flatMap((key) => GATEWAYS.map((gateway) => stage.outcome(key, { gateway }))))).toEqual(Array(4).fill('answered'));
    expect((await stage.admin.done('GET', `keys/${id}`))['grace_until']).toMatch(/^\d{4}-.*Z$/);
    for (const gateway of GATEWAYS) await eventually('the end of the grace', async () => ['key_expired', 'invalid_api_key'].includes(await stage.outcome(former, { gateway })));
    await expectEverywhere(next, 'answered');
    expect((await stage.admin.done('GET', `keys/${id}`))['grace_until']).toBeNull();
  });

  test('without a grace, and a second one within the grace of the first, end the former secret within a second', async () => {
    const { id, key: first } = await newKey();
    await expectEverywhere(first, 'answered');
    const second = await rotate(id, 3600);
    await expectEverywhere(second, 'answered');
    const third = await rotate(id, 3600, 1);
    await expectEverywhere(first, 'invalid_api_key');
    for (const key of [second, third]) await expectEverywhere(key, 'answered');
    const last = await rotate(id, 0);
    for (const key of [second, third]) await expectEverywhere(key, 'invalid_api_key');
    await expectEverywhere(last, 'answered');
  });

  test('with a grace fails no request of those who have not heard of it yet', async () => {
    const { id, key } = await newKey();
    let sent = 0;
    const asking = async (gateway: number): Promise<string[]> => {
      const outcomes: string[] = [];
      for (let i = 0; i < 10; i++) {
        sent += 1;
        outcomes.push(await stage.outcome(key, { gateway }));
      }
      return outcomes;
    };
    const rotating = eventually('some requests under way', () => sent >= 15).then(() => rotate(id, 60));
    const outcomes = await Promise.all(Array.from({ length: 6 }, (_, i) => asking(i % GATEWAYS.length)));
    await rotating;
    expect(outcomes.flat()).toEqual(Array(60).fill('answered'));
  });
});

describe('in the end', () => {
  test('no key, no admin key and no credential of all these is in clear in Postgres, Redis, its traffic, a log line or a metric', async () => {
    const places = await placesOf(stage.cluster, { traffic: stage.traffic });
    const planted = { ...stage.shown(), 'admin key': stage.cluster.adminKey, 'client key': stage.cluster.key };
    expect(Object.keys(planted).length).toBeGreaterThan(10);
    expect(secretsIn(places, planted)).toEqual([]);
    // What is searched is what was said: the visible part of a key stands in the audit log.
    expect(places['postgres']).toContain(Object.keys(planted)[0]?.slice(0, -1));
  });
});
