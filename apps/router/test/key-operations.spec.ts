import { afterAll, beforeAll, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { keySha256, newId, PUSH_CHANNEL, tenantRevisionKey, type Push } from '@deja/contracts';
import { keyObject as keySchema, keyWithSecret, KEYS } from '@deja/admin-api';
import { openRedis } from '@deja/redis';
import { eventually } from '@deja/testing';
import { desc, eq, sql } from 'drizzle-orm';
import { audit, clientKeys, clientKeySecrets, tenants } from '../src/schema/tables.ts';
import { recorder } from './infrastructure.ts';
import { asked, KeyStage, ofTenant } from './key-stage.ts';

jest.setTimeout(60_000);

let stage: KeyStage;
let replica: ReturnType<KeyStage['replica']>;

beforeAll(async () => {
  stage = await KeyStage.start();
  await stage.db.insert(tenants).values([{ id: 'acme', name: 'Acme' }, { id: 'rival', name: 'Rival' }]);
});
afterAll(async () => {
  await stage.stop();
});
beforeEach(() => {
  stage.at.nowMs = Date.now();
  replica = stage.replica();
});

const settings = (given: object): never => KEYS[0].body.parse({ tenant: 'acme', name: 'test', ...given }) as never;
const create = async (given: object = {}): Promise<{ id: string; key: string; etag: string | null }> => {
  const { body, secret, etag } = await replica.call('createKey', { body: settings(given) });
  return { id: body.id, key: secret ?? '', etag };
};
const statusOf = async (key: string): Promise<string> => (await replica.directory.resolve(asked(key))).status;
const lastAudit = async (): Promise<typeof audit.$inferSelect> => (await stage.db.select().from(audit).orderBy(desc(audit.id)).limit(1))[0]!;

describe('making a key', () => {
  test('gives it in clear once; it works with all that was said of it, and only its hash is kept', async () => {
    const given = {
      models: ['m'], endpoints: ['files'], networks: ['10.0.0.0/8', '2001:db8::1'], tags: { team: 'a' }, limits: { concurrency: 3, models: { m: { requests_per_day: 1 } } },
      per_user: { tokens_per_day: 9, budgets: [{ usd: '1.5', period: 'day' }] }, budgets: [{ usd: 2, period: 'month', mode: 'soft' }], cache: { scope: 'user' }, validation: { max_messages: 2 }, expires_at: '2999-01-01T00:00:00+01:00',
    };
    const { body, secret, etag } = await replica.call('createKey', { body: settings(given) });
    expect(keyWithSecret.parse({ ...body, key: secret })).toMatchObject({
      object: 'key', tenant: 'acme', name: 'test', ...given, expires_at: '2998-12-31T23:00:00.000Z', grace_until: null, disabled: false,
      per_user: { tokens_per_day: 9, budgets: [{ usd: '1.5', period: 'day', mode: 'hard', time_zone: 'UTC' }] }, budgets: [{ usd: '2', period: 'month', mode: 'soft', time_zone: 'UTC' }],
    });
    expect(secret).toMatch(/^sk-deja-[0-9A-Za-z]{16}-[0-9A-Za-z]{32}$/);
    expect(secret?.startsWith(`${body.prefix}-`)).toBe(true);
    expect(etag).toBe('"1"');
    expect(await replica.directory.resolve(asked(secret ?? ''))).toMatchObject({ status: 'active', principal: { key: body.id, models: ['m'], endpoints: ['files'], tags: { team: 'a' } } });
    const found = await replica.call('getKey', { params: { id: body.id } });
    expect(found).toEqual({ body, etag });
    expect(keySchema.parse(found.body)).toEqual(body);
    expect(await lastAudit()).toMatchObject({ action: 'createKey', resource: 'key', resourceId: body.id, tenant: 'acme', before: null, after: body });
    const rows = await stage.db.execute(sql`select to_jsonb(k)::text || to_jsonb(s)::text as text from router.client_keys k join router.client_key_secrets s on s.key = k.id union all select to_jsonb(a)::text from router.audit a`);
    for (const row of rows.rows) expect(row['text']).not.toContain(secret?.split('-').at(-1));
  });

  test('for a tenant that is not there, or is another\'s, is refused alike', async () => {
    await expect(replica.call('createKey', { body: settings({ tenant: 'nobody' }) })).rejects.toMatchObject({ code: 'not_found', param: 'tenant' });
    await expect(replica.call('createKey', { by: ofTenant('rival'), body: settings({}) })).rejects.toMatchObject({ code: 'not_found', param: 'tenant' });
  });
});

describe('changing a key', () => {
  test('takes effect at once, replaces what was said and nothing else, and everybody is told: by push, and by the tenant\'s revision', async () => {
    const { id, key } = await create({ limits: { concurrency: 1 }, tags: { a: 'b' } });
    const before = (await replica.directory.resolve(asked(key))).principal!;
    const { logger } = recorder();
    const subscriber = openRedis(stage.redisServer.url, { role: 'subscriber', name: 'other', logger });
    const pushed: Push[] = [];
    subscriber.on('message', (_: string, text: string) => void pushed.push(JSON.parse(text) as Push));
    await subscriber.subscribe(PUSH_CHANNEL);
    const { body, etag } = await replica.call('updateKey', { params: { id }, body: { limits: { requests_per_minute: 5 } } as never });
    expect(body).toMatchObject({ limits: { requests_per_minute: 5 }, tags: { a: 'b' } });
    expect(etag).toBe('"2"');
    const after = (await replica.directory.resolve(asked(key))).principal!;
    expect(after.limits.key).toEqual({ requests_per_minute: 5 });
    expect(after.revision).toBeGreaterThan(before.revision);
    expect(Number(await stage.redis.get(tenantRevisionKey('acme')))).toBe(after.revision);
    await eventually('both pushes', () => pushed.length === 2);
    expect(pushed).toEqual(expect.arrayContaining([{ kind: 'key_changed', keySha256: [keySha256(key)] }, { kind: 'tenant_changed', tenant: 'acme' }]));
    expect(await lastAudit()).toMatchObject({ action: 'updateKey', before: { limits: { concurrency: 1 } }, after: { limits: { requests_per_minute: 5 } } });
    subscriber.disconnect();
  });

  test('disables and enables it, gives it an end and takes it away', async () => {
    const { id, key } = await create();
    const change = (body: object): Promise<unknown> => replica.call('updateKey', { params: { id }, body: body as never });
    await change({ disabled: true });
    expect(await statusOf(key)).toBe('disabled');
    await change({ disabled: false, expires_at: new Date(stage.at.nowMs).toISOString() });
    expect(await statusOf(key)).toBe('expired');
    await change({ expires_at: null });
    expect(await statusOf(key)).toBe('active');
  });

  test('is refused to who has seen an older one, and then nothing is changed', async () => {
    const { id, etag } = await create();
    await replica.call('updateKey', { params: { id }, ifMatch: etag, body: { name: 'second' } as never });
    const revision = await stage.db.select({ revision: tenants.revision }).from(tenants).where(eq(tenants.id, 'acme'));
    for (const body of [{ name: 'third' }, {}]) await expect(replica.call('updateKey', { params: { id }, ifMatch: etag, body: body as never })).rejects.toMatchObject({ code: 'precondition_failed' });
    await expect(replica.call('deleteKey', { params: { id }, ifMatch: etag })).rejects.toMatchObject({ code: 'precondition_failed' });
    expect((await replica.call('getKey', { params: { id } })).body.name).toBe('second');
    expect(await stage.db.select({ revision: tenants.revision }).from(tenants).where(eq(tenants.id, 'acme'))).toEqual(revision);
  });

  test('with nothing to change changes nothing, and is in no audit log', async () => {
    const { id, etag } = await create();
    const { id: last } = await lastAudit();
    expect((await replica.call('updateKey', { params: { id }, body: {} as never })).etag).toBe(etag);
    expect((await lastAudit()).id).toBe(last);
  });

  test('by two at once is done by both, one after the other', async () => {
    const { id } = await create();
    await Promise.all([1, 2, 3].map((n) => replica.call('updateKey', { params: { id }, body: { tags: { n: String(n) } } as never })));
    expect((await replica.call('getKey', { params: { id } })).etag).toBe('"4"');
  });
});

describe('rotating a key', () => {
  test('gives it a new secret; the old one works until its grace is over, and then no more', async () => {
    const { id, key } = await create();
    const { body, secret = '' } = await replica.call('rotateKey', { params: { id }, body: { grace_s: 60 } });
    expect(secret).not.toBe(key);
    expect(body).toMatchObject({ id, prefix: secret.slice(0, 'sk-deja-'.length + 16), grace_until: new Date(stage.at.nowMs + 60_000).toISOString() });
    for (const good of [key, secret]) expect((await replica.directory.resolve(asked(good))).principal?.key).toBe(id);
    stage.at.nowMs += 60_000;
    expect([await statusOf(key), await statusOf(secret)]).toEqual(['unknown', 'active']);
    expect((await replica.call('getKey', { params: { id } })).body.grace_until).toBeNull();
  });

  test('again ends the first grace at once, and without grace ends every other secret', async () => {
    const { id, key: first } = await create();
    const { secret: second = '' } = await replica.call('rotateKey', { params: { id }, body: { grace_s: 60 } });
    const { secret: third = '' } = await replica.call('rotateKey', { params: { id }, body: { grace_s: 60 } });
    expect(await Promise.all([first, second, third].map(statusOf))).toEqual(['unknown', 'active', 'active']);
    const { secret: fourth = '' } = await replica.call('rotateKey', { params: { id }, body: { grace_s: 0 } });
    expect(await Promise.all([first, second, third, fourth].map(statusOf))).toEqual(['unknown', 'unknown', 'unknown', 'active']);
    expect(await stage.db.select().from(clientKeySecrets).where(eq(clientKeySecrets.key, id))).toHaveLength(1);
  });

  test('works for one that was not made here', async () => {
    const id = await stage.plant('from elsewhere', { tenant: 'acme' });
    expect((await replica.call('getKey', { params: { id } })).body.prefix).toBe('');
    const { secret = '' } = await replica.call('rotateKey', { params: { id }, body: { grace_s: 0 } });
    expect(await Promise.all(['from elsewhere', secret].map(statusOf))).toEqual(['unknown', 'active']);
  });

  test('is the same when it is repeated under its idempotency key', async () => {
    const { id } = await create();
    const rotate = (): ReturnType<typeof replica.call<'rotateKey'>> => replica.call('rotateKey', { params: { id }, body: { grace_s: 60 }, idempotency: { key: `rotation of ${id}`, fingerprint: 'f' } });
    const [once, again] = [await rotate(), await rotate()];
    expect(again.secret).toBe(once.secret);
    expect((await replica.call('getKey', { params: { id } })).etag).toBe('"2"');
  });
});

test('a deleted key is unknown at once, here and where no push came', async () => {
  const { id, key } = await create();
  const other = stage.replica();
  const before = (await other.directory.resolve(asked(key))).principal!;
  const { body } = await replica.call('deleteKey', { params: { id } });
  expect(body).toEqual({ object: 'key', id, deleted: true });
  expect(await statusOf(key)).toBe('unknown');
  // A gateway sees it by the revision, and asks any router.
  expect(Number(await stage.redis.get(tenantRevisionKey('acme')))).toBeGreaterThan(before.revision);
  expect(await other.directory.resolve(asked(key))).toEqual({ status: 'unknown', principal: null });
  await expect(replica.call('getKey', { params: { id } })).rejects.toMatchObject({ code: 'not_found' });
  expect(await lastAudit()).toMatchObject({ action: 'deleteKey', resourceId: id, after: null });
});

describe('a list of keys', () => {
  test('has all of them once, page by page, and of one tenant where that was asked', async () => {
    const tenant = newId();
    await stage.db.insert(tenants).values({ id: tenant, name: tenant });
    const made = [];
    for (let i = 0; i < 5; i++) made.push((await create({ tenant })).id);
    const pages = [];
    let cursor: string | undefined;
    do {
      const { body } = await replica.call('listKeys', { query: { limit: 2, tenant, cursor } });
      pages.push(body.data.map(({ id }) => id));
      expect(body.has_more).toBe(body.next_cursor !== null);
      cursor = body.next_cursor ?? undefined;
    } while (cursor !== undefined);
    expect(pages).toEqual([made.slice(0, 2), made.slice(2, 4), made.slice(4)]);
    const all = (await replica.call('listKeys', { query: { limit: 1000, cursor: undefined, tenant: undefined } })).body.data;
    expect(all).toHaveLength((await stage.db.select({ id: clientKeys.id }).from(clientKeys)).length);
  });

  test.each(['x', Buffer.from('["keys","; drop"]').toString('base64url'), Buffer.from('["tenants","a"]').toString('base64url')])('does not begin at %s', async (cursor) => {
    await expect(replica.call('listKeys', { query: { limit: 2, cursor, tenant: undefined } })).rejects.toMatchObject({ code: 'invalid_value', param: 'cursor' });
  });
});

test('a key of another tenant is not there for whoever is of one, and stays as it is', async () => {
  const { id, key } = await create();
  const rival = ofTenant('rival');
  const before = await stage.db.select().from(clientKeys).where(eq(clientKeys.id, id));
  for (const params of [{ id }, { id: newId() }, { id: 'no uuid' }]) {
    for (const attempt of [
      replica.call('getKey', { by: rival, params }),
      replica.call('updateKey', { by: rival, params, body: { disabled: true } as never }),
      replica.call('updateKey', { by: rival, params, body: {} as never }),
      replica.call('rotateKey', { by: rival, params, body: { grace_s: 0 } }),
      replica.call('deleteKey', { by: rival, params }),
    ]) await expect(attempt).rejects.toMatchObject({ code: 'not_found', param: 'id' });
  }
  await expect(replica.call('listKeys', { by: rival, query: { limit: 5, tenant: 'acme', cursor: undefined } })).rejects.toMatchObject({ code: 'not_found' });
  expect((await replica.call('listKeys', { by: rival, query: { limit: 1000, cursor: undefined, tenant: undefined } })).body.data.filter(({ tenant }) => tenant !== 'rival')).toEqual([]);
  expect(await stage.db.select().from(clientKeys).where(eq(clientKeys.id, id))).toEqual(before);
  expect(await statusOf(key)).toBe('active');
});

test('who is of one tenant gives its keys no validation, which would go before the tenant\'s; what all may do still gets there', async () => {
  const acme = ofTenant('acme');
  const validation = { max_input_tokens: 1_000_000 };
  const { id } = await create({ validation });
  const before = await stage.db.select().from(clientKeys);
  const refused = { code: 'permission_denied', param: 'validation' };
  await expect(replica.call('createKey', { by: acme, body: settings({ validation }) })).rejects.toMatchObject(refused);
  await expect(replica.call('updateKey', { by: acme, params: { id }, body: { name: 'wider', validation } as never })).rejects.toMatchObject(refused);
  await expect(replica.call('updateKey', { by: ofTenant('rival'), params: { id }, body: { validation } as never })).rejects.toMatchObject({ code: 'not_found' });
  expect(await stage.db.select().from(clientKeys)).toEqual(before);
  expect((await replica.call('createKey', { by: acme, body: settings({}) })).body.validation).toEqual({});
  expect((await replica.call('updateKey', { by: acme, params: { id }, body: { name: 'renamed' } as never })).body).toMatchObject({ name: 'renamed', validation });
  expect((await replica.call('updateKey', { by: acme, params: { id }, body: { validation: {} } as never })).body.validation).toEqual({});
});
