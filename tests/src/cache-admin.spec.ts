import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { RedisProcess } from '@deja/testing';
import type { AdminClient, AdminReply, CallOptions } from './admin-client.ts';
import { AdminCluster, GATEWAYS, idempotent, verdict } from './admin-cluster.ts';
import { CachedQuestion, KINDS, LOOKED_UP_MS, type Asker } from './cached-answers.ts';
import { eventually } from './client.ts';
import { RedisPath } from './redis-path.ts';

const LAKE = 'What is the deepest lake of Asia?';
const WHALE = 'Who wrote the novel about the white whale?';
const OTHER_MODEL = 'gpt-4o';
const NOBODYS_UUID = '019b7d9e-0000-7000-8000-000000000001';
/** Two answers: one that is found in two ways, and a vector. */
const ANSWERS = 2;

interface AuditRow {
  [column: string]: unknown;
  action: string;
  resource_id: string | null;
  tenant: string | null;
  after: Record<string, unknown>;
}

let redis: RedisProcess;
let path: RedisPath;
let stage: AdminCluster;

beforeAll(async () => {
  redis = await RedisProcess.start();
  path = await RedisPath.to(redis.url);
  stage = await AdminCluster.start({ redisUrl: path.url, apps: ['gateway', 'router', 'usage-worker', 'semantic-cache'] });
}, 60_000);
afterAll(async () => {
  await stage?.stop();
  await path?.close();
  await redis?.stop();
});

let tenants = 0;
const tenantWithKey = async (settings: object = {}): Promise<{ tenant: string; key: string }> => {
  const tenant = await stage.tenant(`tenant-${++tenants}`, settings);
  return { tenant, key: (await stage.key(tenant)).key };
};
const kept = (text: string, asker: Asker): Promise<CachedQuestion> => new CachedQuestion(stage, asker, text).keep();
const auditOf = (entry: string): Promise<AuditRow[]> => stage.cluster.sql<AuditRow>("select * from router.audit where resource = 'cache' and resource_id = $1 order by id", [entry]);
const auditCount = async (): Promise<number> => Number((await stage.cluster.sql<{ n: string }>("select count(*) as n from router.audit where resource = 'cache'"))[0]?.n);

function deafen(): void {
  if (path.subscriptions < GATEWAYS.length) throw new Error('there is a gateway that hears no pushes anyway');
  path.deafen();
}

async function mended(): Promise<void> {
  const before = path.subscriptions;
  path.mend();
  await eventually('the subscriptions again', () => path.subscriptions === before);
}

describe('an invalidation', () => {
  interface Scene {
    tenant: string;
    /** Of the tenant: one to be taken back, and one that differs from it in whatever the conditions ask. */
    target: CachedQuestion;
    other: CachedQuestion;
  }
  interface Way {
    what: string;
    target?: Partial<Asker>;
    conditions: (scene: Scene) => Promise<object> | object;
    /** What of the tenant's goes besides the target. */
    takesOther?: boolean;
    takesForeign?: boolean;
  }
  const WAYS: Way[] = [
    { what: 'a tenant', conditions: ({ tenant }) => ({ tenant }), takesOther: true },
    { what: 'a model', target: { model: OTHER_MODEL }, conditions: () => ({ model: OTHER_MODEL }) },
    { what: 'a tag', target: { tags: 'team=blue' }, conditions: () => ({ tag: 'team=blue' }) },
    { what: 'an age', conditions: async ({ tenant, target }) => ({ tenant, older_than_s: await target.ageS() }) },
    { what: 'nothing, which is everything', conditions: () => ({}), takesOther: true, takesForeign: true },
  ];

  describe('holds within a second at every gateway, also while no push arrives and nobody notices,', () => {
    afterEach(mended);

    test.each(WAYS)('by $what, and takes nothing else', async ({ what, target: by, conditions, takesOther = false, takesForeign = false }) => {
      const [{ tenant, key }, { key: foreignKey }] = [await tenantWithKey(), await tenantWithKey()];
      const target = await kept(LAKE, { key, ...by });
      // So much older that it is no matter how long the invalidation is under way.
      if (what === 'an age') await eventually('its age', async () => (await target.ageS()) >= 3);
      const [other, foreign] = await Promise.all([kept(WHALE, { key, tags: 'team=red' }), kept(LAKE, { key: foreignKey })]);
      const body = await conditions({ tenant, target, other });
      deafen();
      const reply = await stage.admin.call('POST', 'cache/invalidate', body);
      await Promise.all([target.isGone(), takesOther ? other.isGone() : other.isServed(), takesForeign ? foreign.isGone() : foreign.isServed()]);
      expect(reply.json).toMatchObject({ object: 'cache_invalidation', partial: false, dry_run: false });
      const entries = Number(reply.json['entries']);
      // Of everything there is whatever other tests have left.
      expect(takesForeign ? entries >= 3 * ANSWERS : entries).toBe(takesForeign ? true : takesOther ? 2 * ANSWERS : ANSWERS);
      const rows = await stage.cluster.sql<AuditRow>('select * from router.audit where request_id = $1', [reply.headers.get('x-request-id')]);
      expect(rows).toMatchObject([{ action: 'invalidateCache', resource_id: null, after: body }]);
      await target.keep(); // what is made afterwards is served like any other
    });

    test('by the id of an answer, wherever it is kept', async () => {
      const { key } = await tenantWithKey();
      const [target, other] = await Promise.all([kept(LAKE, { key }), kept(WHALE, { key })]);
      const [answer, similar, vector] = [await target.entry('exact'), await target.entry('semantic'), await target.entry('vector')];
      expect(similar).toBe(answer);
      deafen();
      expect(await stage.admin.done('POST', 'cache/invalidate', { entry: answer })).toMatchObject({ entries: 1 });
      await Promise.all([target.isGone(['exact', 'semantic']), target.isServed(['vector'])]);
      expect(await stage.admin.done('POST', 'cache/invalidate', { entry: vector })).toMatchObject({ entries: 1 });
      await Promise.all([target.isGone(), other.isServed()]);
      for (const entry of [answer, vector]) expect(await auditOf(entry)).toMatchObject([{ action: 'invalidateCache', after: { entry } }]);
    });
  });

  test('on trial counts, and changes nothing', async () => {
    const { tenant, key } = await tenantWithKey();
    const target = await kept(LAKE, { key });
    const before = await auditCount();
    for (const gateway of GATEWAYS) expect(await stage.admin.done('POST', 'cache/invalidate', { tenant, dry_run: true }, { gateway })).toMatchObject({ entries: ANSWERS, dry_run: true });
    await target.isServed();
    expect(await auditCount()).toBe(before);
  });

  test('by the token of a tenant takes that tenant’s alone, whatever it names', async () => {
    const [acme, rival] = [await tenantWithKey(), await tenantWithKey()];
    const [own, foreign] = await Promise.all([kept(LAKE, { key: rival.key }), kept(LAKE, { key: acme.key })]);
    const client = stage.as((await stage.token({ role: 'operator', tenant: rival.tenant })).token);
    expect(verdict(await client.call('POST', 'cache/invalidate', { tenant: acme.tenant }))).toEqual([404, 'not_found']);
    expect(await client.done('POST', 'cache/invalidate', { entry: await foreign.entry('exact') })).toMatchObject({ entries: 0 });
    expect(await client.done('POST', 'cache/invalidate', {})).toMatchObject({ entries: ANSWERS });
    await Promise.all([own.isGone(), foreign.isServed()]);
  });
});

describe('feedback', () => {
  const say = (client: AdminClient, body: object, options: CallOptions = {}): Promise<AdminReply> => client.call('POST', 'cache/feedback', body, options);
  const wrong = (entry: string, more: object = {}): object => ({ entry, correct: false, ...more });
  const told = ({ status, json }: AdminReply): unknown => [status, json];

  describe('that an answer is wrong holds within a second at every gateway, also while no push arrives and nobody notices,', () => {
    afterEach(mended);

    test('whoever says it: who may name any tenant, and does or not, and who has but one; each time is one row of the audit log', async () => {
      const { tenant, key } = await tenantWithKey();
      const operator = stage.as((await stage.token({ role: 'operator', tenant })).token);
      const other = await kept(WHALE, { key });
      for (const [client, named] of [[stage.admin, {}], [stage.admin, { tenant }], [operator, {}]] as const) {
        const target = await kept(LAKE, { key });
        const entries = [await target.entry('exact'), await target.entry('vector')];
        deafen();
        for (const entry of entries) expect((await say(client, wrong(entry, named), { gateway: 1 })).json).toEqual({ object: 'cache_feedback', entry, correct: false, invalidated: true });
        await Promise.all([target.isGone(), other.isServed()]);
        for (const entry of entries) expect(await auditOf(entry)).toMatchObject([{ action: 'cacheFeedback', tenant, after: { entry, correct: false } }]);
        await mended();
      }
    });
  });

  test('of who is for another tenant, or names one, is told what is told of an id that nobody has, and changes nothing: not even what is said of it afterwards', async () => {
    const [acme, rival] = [await tenantWithKey(), await tenantWithKey()];
    const client = stage.as((await stage.token({ role: 'operator', tenant: rival.tenant })).token);
    const target = await kept(LAKE, { key: acme.key });
    const ofNobodys = told(await say(client, wrong(NOBODYS_UUID)));
    expect(ofNobodys).toMatchObject([404, { error: { code: 'not_found', param: 'entry' } }]);
    expect(told(await say(stage.admin, wrong(NOBODYS_UUID)))).toEqual(ofNobodys);
    for (const [entry, kinds] of [[await target.entry('exact'), ['exact', 'semantic']], [await target.entry('vector'), ['vector']]] as const) {
      await client.done('POST', 'cache/invalidate', { entry }); // it holds for an answer of this id that nobody has
      for (const correct of [true, false]) {
        const said = { entry, correct, tenant: rival.tenant };
        for (const reply of [await say(client, { entry, correct }), await say(client, said), await say(stage.admin, said)]) expect(told(reply)).toEqual(ofNobodys);
      }
      await target.isServed(kinds);
      expect((await say(stage.admin, wrong(entry))).json).toMatchObject({ invalidated: true });
      await target.isGone(kinds);
      expect((await auditOf(entry)).map(({ action, tenant }) => [action, tenant])).toEqual([['invalidateCache', rival.tenant], ['cacheFeedback', acme.tenant]]);
    }
  });

  test('that it is right changes nothing; that it is wrong, said again, changes nothing more, and under its idempotency key is the first answer again', async () => {
    const { key } = await tenantWithKey();
    const target = await kept(LAKE, { key });
    const entry = await target.entry('exact');
    const right = { entry, correct: true };
    expect((await say(stage.admin, right)).json).toEqual({ object: 'cache_feedback', ...right, invalidated: false });
    await target.isServed();
    expect(await auditOf(entry)).toEqual([]);
    const options = idempotent('feedback of the cache tests');
    const first = await say(stage.admin, wrong(entry), options);
    const replayed = await Promise.all(GATEWAYS.map((gateway) => say(stage.admin, wrong(entry), { ...options, gateway })));
    expect(replayed.map(({ status, text, headers }) => [status, text, headers.get('idempotent-replayed')])).toEqual(GATEWAYS.map(() => [200, first.text, 'true']));
    for (const gateway of GATEWAYS) expect((await say(stage.admin, wrong(entry), { gateway })).json).toEqual(first.json);
    expect((await say(stage.admin, right)).json).toMatchObject({ correct: true, invalidated: true });
    await target.isGone(['exact', 'semantic']);
    expect(await auditOf(entry)).toHaveLength(1);
  });
});

test('what the cache holds is told of one tenant or of all, and a token of one tenant is told of its own', async () => {
  const [acme, rival] = [await tenantWithKey(), await tenantWithKey()];
  await Promise.all([kept(LAKE, { key: acme.key }), kept(WHALE, { key: acme.key }), kept(LAKE, { key: rival.key })]);
  const ofRival = stage.as((await stage.token({ role: 'viewer', tenant: rival.tenant })).token);
  const stats = (client: AdminClient, query = '', gateway = 0): Promise<AdminReply['json']> => client.done('GET', `cache/stats${query}`, undefined, { gateway });
  for (const gateway of GATEWAYS) {
    const [all, one, own] = [await stats(stage.admin, '', gateway), await stats(stage.admin, `?tenant=${acme.tenant}`, gateway), await stats(ofRival, '', gateway)];
    expect(one).toMatchObject({ object: 'cache_stats', tenant: acme.tenant, exact_entries: 4, semantic_entries: 2, partial: false });
    expect(own).toMatchObject({ tenant: rival.tenant, exact_entries: 2, semantic_entries: 1 });
    expect(own['bytes']).toBeGreaterThan(0);
    expect(all['tenant']).toBeNull();
    for (const figure of ['exact_entries', 'semantic_entries', 'bytes']) expect(all[figure]).toBeGreaterThanOrEqual(Number(one[figure]) + Number(own[figure]));
  }
  expect(verdict(await ofRival.call('GET', `cache/stats?tenant=${acme.tenant}`))).toEqual([404, 'not_found']);
});

describe('what is cached for a tenant or a key', () => {
  /** What a question comes to at every gateway. */
  const cacheOf = (question: CachedQuestion): Promise<(string | null)[]> => Promise.all(KINDS.flatMap((kind) => GATEWAYS.map((gateway) => question.cache(kind, gateway))));
  const onEach = (...caches: [exact: string, semantic: string, vector: string]): string[] => caches.flatMap((cache) => GATEWAYS.map(() => cache));
  async function expectCaches(question: CachedQuestion, caches: string[]): Promise<void> {
    const wanted = caches.join();
    let seen = '';
    await eventually('the policy in force', async () => (seen = (await cacheOf(question)).join()) === wanted, LOOKED_UP_MS).catch((error: unknown) => {
      throw new Error(`${String(error)}: ${seen} for ${wanted}`);
    });
  }
  const HIT = onEach('HIT-EXACT', 'HIT-SEMANTIC', 'HIT-EXACT');
  const MISS = onEach('MISS', 'MISS', 'MISS');

  test('is shared as the key says, or its tenant where it says nothing: by all keys, by users, or by none', async () => {
    const { tenant, key } = await tenantWithKey();
    const another = (await stage.key(tenant)).key;
    const apart = (await stage.key(tenant, { cache: { scope: 'key' } })).key;
    const first = await kept(LAKE, { key, user: 'ann' });
    await expectCaches(first.by({ key: another, user: 'bob' }), HIT);
    await expectCaches(first.by({ key: apart }), MISS);
    await kept(LAKE, { key: apart, user: 'ann' });
    await expectCaches(first.by({ key: apart, user: 'bob' }), HIT);

    await stage.admin.done('PATCH', `tenants/${tenant}`, { cache: { scope: 'user' } });
    await expectCaches(first, MISS);
    await first.keep();
    await expectCaches(first.by({ key: another }), HIT);
    await expectCaches(first.by({ user: 'bob' }), MISS);
    await expectCaches(first.by({ key: apart, user: 'bob' }), HIT);

    await stage.admin.done('PATCH', `tenants/${tenant}`, { cache: { scope: 'key' } });
    await expectCaches(first, MISS);
    await first.keep();
    await expectCaches(first.by({ user: 'bob' }), HIT);
    await expectCaches(first.by({ key: another }), MISS);
  });

  test('is looked up as the key says, or its tenant where it says nothing: exactly, by similarity, both or not at all', async () => {
    const { tenant, key } = await tenantWithKey();
    const all = (await stage.key(tenant, { cache: { exact: { enabled: true }, semantic: { enabled: true } } })).key;
    const question = await kept(LAKE, { key });
    const off = { enabled: false };
    const policies: [cache: object, seen: string[]][] = [
      [{ exact: off }, onEach('HIT-SEMANTIC', 'HIT-SEMANTIC', 'BYPASS')],
      [{ semantic: off }, onEach('HIT-EXACT', 'MISS', 'HIT-EXACT')],
      [{ exact: off, semantic: off }, onEach('BYPASS', 'BYPASS', 'BYPASS')],
    ];
    for (const [cache, seen] of policies) {
      await stage.admin.done('PATCH', `tenants/${tenant}`, { cache });
      await expectCaches(question, seen);
      await expectCaches(question.by({ key: all }), HIT);
    }
  });

  test('is kept for as long as the key says, or its tenant, and what others keep for longer is not served to it', async () => {
    const { tenant, key } = await tenantWithKey({ cache: { exact: { ttl_s: 3 }, semantic: { ttl_s: 3 } } });
    const patient = (await stage.key(tenant, { cache: { exact: { ttl_s: 600 }, semantic: { ttl_s: 600 } } })).key;
    const [brief, lasting] = [new CachedQuestion(stage, { key }, WHALE), await kept(LAKE, { key: patient })];
    await brief.buy();
    await brief.entry('exact');
    for (const question of [brief, brief.by({ key: patient }), lasting.by({ key })]) await eventually('its end', async () => (await cacheOf(question)).join() === MISS.join());
    await expectCaches(lasting, HIT);
  });
});
