import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import OpenAI from 'openai';
import type { CredentialObject } from './admin-client.ts';
import { eventually } from './client.ts';
import { CustodyCluster, GATEWAYS, MARKED } from './custody-cluster.ts';
import { placesOf, secretsIn } from './secret-search.ts';
import { newKey } from './tenant-keys.ts';

let custody: CustodyCluster;

beforeAll(async () => {
  custody = await CustodyCluster.start();
}, 60_000);
afterAll(async () => {
  await custody?.stop();
});

describe('a credential of the admin API', () => {
  test('is used by every gateway as soon as it is made, and shown by its last four characters alone', async () => {
    const { admin, planted } = custody;
    const value = custody.value('plain-api');
    const made = await admin.create({ provider: 'plain', name: 'api', value });
    expect(made).toMatchObject({ provider: 'plain', name: 'api', source: 'api', last_four: value.slice(-4), weight: 1, disabled: false });
    for (const gateway of GATEWAYS) {
      const listed = (await admin.list({ gateway })).filter(({ provider }) => provider === 'plain');
      expect(Object.fromEntries(listed.map((credential) => [credential.name, [credential.source, credential.last_four]]))).toEqual({ api: ['api', value.slice(-4)], file: ['file', planted['file']!.slice(-4)] });
    }
    await custody.whenUsed('plain', value);
    const again = await admin.call('POST', 'credentials', { provider: 'plain', name: 'api', value });
    expect([again.status, again.json.error?.param]).toEqual([409, 'name']);
  });

  test('is changed in every gateway: by its weight, and out of use while it is disabled', async () => {
    const [one, other] = [custody.value('changed-one'), custody.value('changed-other')];
    const { id } = await custody.admin.create({ provider: 'changed', name: 'one', value: one });
    await custody.admin.create({ provider: 'changed', name: 'other', value: other });
    const change = (body: object, gateway = 0): Promise<object> => custody.admin.done('PATCH', `credentials/${id}`, body, { gateway });
    const used = async (gateway: number): Promise<Set<string | null>> => {
      const values = new Set<string | null>();
      for (let i = 0; i < 12; i++) for (const value of await custody.usedFor('changed', { gateway })) values.add(value);
      return values;
    };
    const isOf = (values: Set<string | null>, expected: string[]): boolean => values.size === expected.length && expected.every((value) => values.has(value));
    const whenUsed = async (...expected: string[]): Promise<void> => {
      for (const gateway of GATEWAYS) await eventually(`gateway ${gateway} using ${expected.length} of them`, async () => isOf(await used(gateway), expected));
    };
    await whenUsed(one, other);
    expect(await change({ weight: 0, limits: { concurrency: 40 } })).toMatchObject({ weight: 0, limits: { concurrency: 40 } });
    await whenUsed(other);
    await change({ weight: 1_000_000 });
    await whenUsed(one);
    expect(await change({ disabled: true })).toMatchObject({ disabled: true, limits: { concurrency: 40 } });
    await whenUsed(other);
    await change({ disabled: false }, 1);
    await whenUsed(one);
  });

  test('is used by no gateway once it is deleted, and nothing of it is kept', async () => {
    const { admin } = custody;
    const [stays, goes] = [custody.value('gone-stays'), custody.value('gone-goes')];
    await admin.create({ provider: 'gone', name: 'stays', value: stays, weight: 0 });
    const { id } = await admin.create({ provider: 'gone', name: 'goes', value: goes });
    await custody.whenUsed('gone', goes);
    expect(await admin.done('DELETE', `credentials/${id}`)).toEqual({ object: 'credential', id, deleted: true });
    await custody.whenKnown('gone/goes', 0);
    for (const gateway of GATEWAYS) for (let i = 0; i < 5; i++) expect(await custody.usedFor('gone', { gateway })).toEqual([stays]);
    expect(await custody.kept(id)).toBe(0);
    for (const [method, path, body] of [['GET', id, undefined], ['DELETE', id, undefined], ['PATCH', id, { weight: 1 }], ['POST', `${id}/rotate`, { value: goes }]] as const) {
      expect((await admin.call(method, `credentials/${path}`, body)).status).toBe(404);
    }
  });

  test('of a tenant is for this tenant alone, who uses no other', async () => {
    const { admin, cluster, planted } = custody;
    const [own, foreign] = [await newKey(cluster, 'owner'), await newKey(cluster, 'neighbour')];
    Object.assign(planted, { 'client key of owner': own, 'client key of neighbour': foreign });
    const value = custody.value('owned-tenant');
    const nobody = await admin.call('POST', 'credentials', { provider: 'owned', name: 'nobodys', value, tenant: 'no-such-tenant' });
    expect([nobody.status, nobody.json.error?.param]).toEqual([400, 'tenant']);
    await admin.create({ provider: 'owned', name: 'owners', value, tenant: 'owner' });
    await custody.whenKnown('owned/owners', 1);
    for (const gateway of GATEWAYS) {
      for (let i = 0; i < 5; i++) {
        expect(await custody.usedFor('owned', { gateway, key: own })).toEqual([value]);
        expect(await custody.usedFor('owned', { gateway, key: foreign })).toEqual([planted['everyones']]);
        expect(await custody.usedFor('owned', { gateway })).toEqual([planted['everyones']]);
      }
    }
  });

  test('that stands in deja.yaml is changed there and nowhere else', async () => {
    const { id } = (await custody.admin.list()).find(({ source }) => source === 'file')!;
    for (const [method, path, body] of [['PATCH', id, { weight: 5 }], ['DELETE', id, undefined], ['POST', `${id}/rotate`, { value: 'another-value-of-the-file' }]] as const) {
      const reply = await custody.admin.call(method, `credentials/${path}`, body);
      expect([path, reply.status, reply.json.error?.code]).toEqual([path, 400, 'invalid_value']);
    }
  });
});

describe('an address of its own', () => {
  test('is where requests with that credential go, as long as deja.yaml allows it', async () => {
    const { admin, provider, resource, planted } = custody;
    const value = custody.value('azure-api');
    await admin.create({ provider: 'azure', name: 'east', value, base_url: resource.origin });
    const wentThere = async (gateway: number): Promise<boolean> => {
      const before = resource.requests.length;
      await custody.ask('azure', { gateway });
      return resource.requests.length > before;
    };
    for (const gateway of GATEWAYS) await eventually(`gateway ${gateway} going there`, () => wentThere(gateway));
    expect(resource.requests.at(-1)).toMatchObject({ credential: value, path: expect.stringMatching(/^\/openai\//), headers: expect.objectContaining({ 'api-key': value }) });
    expect(provider.requests.filter(({ credential }) => credential === value)).toEqual([]);
    await custody.configure([]);
    await eventually('the address refused', async () => {
      const reply = await admin.call('POST', 'credentials', { provider: 'azure', name: 'west', value, base_url: resource.origin });
      return reply.status === 400 && reply.json.error?.param === 'base_url';
    });
    // The gateways have the new rule a moment later.
    for (const gateway of GATEWAYS) await eventually(`gateway ${gateway} going elsewhere`, async () => !(await wentThere(gateway)) && provider.requests.at(-1)?.credential === planted['azure-file']);
    for (const gateway of GATEWAYS) for (let i = 0; i < 3; i++) expect(await wentThere(gateway)).toBe(false);
    await custody.configure(['127.0.0.1/32']);
  });

  test.each([
    'http://169.254.169.254/latest', 'https://169.254.169.254', 'http://[::ffff:169.254.169.254]/', 'http://2852039166/', 'http://0xa9fea9fe/', 'http://169.254.1.1/', 'https://[fe80::1]/', 'http://metadata.google.internal/', 'http://METADATA.google.internal./',
    'https://[fd00:ec2::254]/', 'https://10.0.0.5/v1', 'https://localhost/v1', 'https://[::1]/', 'http://api.example.com/v1', 'https://user:word@api.example.com/v1', 'https://api.example.com/v1?key=1', 'ftp://api.example.com', 'file:///etc/passwd', 'api.example.com', '',
  ])('is refused where nobody allowed it, or nobody may: %s', async (baseUrl) => {
    const name = `at-${randomBytes(4).toString('hex')}`;
    const reply = await custody.admin.call('POST', 'credentials', { provider: 'azure', name, value: custody.value(name), base_url: baseUrl });
    expect([reply.status, reply.json.error?.param, reply.json.error?.code]).toEqual([400, 'base_url', 'invalid_value']);
  });
});

describe('a rotation', () => {
  const rotate = async ({ id }: CredentialObject, value: string, graceS: number): Promise<CredentialObject> =>
    (await custody.admin.done('POST', `credentials/${id}/rotate`, { value, grace_s: graceS })) as unknown as CredentialObject;

  test('has the new value used first, and the old one where the provider refuses the new one', async () => {
    const [old, next] = [custody.value('rotated-old'), custody.value('rotated-new')];
    custody.accepted.delete(next);
    const made = await custody.admin.create({ provider: MARKED, name: 'main', value: old });
    await custody.whenUsed(MARKED, old);
    const rotated = await rotate(made, next, 3600);
    expect(rotated).toMatchObject({ id: made.id, last_four: next.slice(-4), grace_until: expect.stringMatching(/^\d{4}-.*Z$/) });
    await custody.whenKnown(`${MARKED}/main`, 2);
    expect(await custody.usedFor(MARKED)).toEqual([next, old]);
    // What one gateway found out, both know in a moment: the new value is set aside.
    await custody.whenUsed(MARKED, old);
    await eventually('the trouble shown', async () => (await custody.admin.done('GET', `credentials/${made.id}`))['trouble'] === 'rejected');
  });

  test('within another one’s grace ends that one at once', async () => {
    const [first, second, third] = [custody.value('replaced-1'), custody.value('replaced-2'), custody.value('replaced-3')];
    const made = await custody.admin.create({ provider: 'replaced', name: 'main', value: first });
    await rotate(made, second, 3600);
    await rotate(made, third, 3600);
    expect(await custody.kept(made.id)).toBe(2);
    await custody.whenKnown('replaced/main', 2);
    await custody.whenUsed('replaced', third);
    custody.accepted.delete(third);
    custody.accepted.delete(second);
    await expect(custody.ask('replaced')).rejects.toMatchObject({ status: 502 });
    expect(custody.provider.requests.slice(-2).map(({ credential }) => credential)).toEqual([third, second]);
  });

  test('destroys the old value when the grace is over', async () => {
    const [old, next] = [custody.value('graced-old'), custody.value('graced-new')];
    const made = await custody.admin.create({ provider: 'graced', name: 'main', value: old });
    await rotate(made, next, 1);
    await eventually('only one value in Postgres', async () => (await custody.kept(made.id)) === 1);
    expect((await custody.admin.done('GET', `credentials/${made.id}`))['grace_until']).toBeNull();
    await custody.whenKnown('graced/main', 1);
    custody.accepted.delete(next);
    for (const gateway of GATEWAYS) {
      const before = custody.provider.requests.length;
      await expect(custody.ask('graced', { gateway })).rejects.toBeInstanceOf(OpenAI.APIError);
      expect(custody.provider.requests.slice(before).filter(({ credential }) => credential === old)).toEqual([]);
    }
  });

  test.each([
    ['graceful, the old value good until the grace is over', 'hurried', 1, true],
    ['of a value that the provider does not know, the old one good as long as it is needed', 'mistyped', 3600, false],
    ['without any grace', 'abrupt', 0, true],
  ] as const)('%s, fails none of 50 requests under way', async (_what, provider, graceS, isKnown) => {
    const [old, next] = [custody.value(`${provider}-old`), custody.value(`${provider}-new`)];
    if (!isKnown) custody.accepted.delete(next);
    const made = await custody.admin.create({ provider, name: 'main', value: old });
    await custody.whenUsed(provider, old);
    let sent = 0;
    const asking = async (gateway: number): Promise<string[]> => {
      const outcomes: string[] = [];
      for (let i = 0; i < 5; i++) {
        sent += 1;
        outcomes.push(await custody.ask(provider, { gateway }).then(() => 'answered', (error: unknown) => String(error)));
      }
      return outcomes;
    };
    const rotating = eventually('some requests under way', () => sent >= 15).then(() => rotate(made, next, graceS));
    const outcomes = await Promise.all(Array.from({ length: 10 }, (_, i) => asking(i % 2)));
    await rotating;
    expect(outcomes.flat()).toEqual(Array(50).fill('answered'));
    if (isKnown) await custody.whenUsed(provider, next);
  });
});

describe('who has no admin key', () => {
  const CALLS = [['GET', 'credentials'], ['POST', 'credentials'], ['PATCH', 'credentials/plain/file'], ['DELETE', 'credentials/plain/file'], ['POST', 'vault/rewrap'], ['POST', 'deployments/plain/plain/drain'], ['POST', 'plan/explain'], ['GET', 'nowhere']] as const;

  test('gets 401 for every call, whatever else is held', async () => {
    const { admin, cluster, planted } = custody;
    const before = await admin.list();
    const keys = [null, `Bearer ${cluster.key}`, `Bearer ${planted['file']}`, `Bearer ${cluster.adminKey}x`, `Bearer ${cluster.adminKey.slice(0, -1)}`, `Basic ${Buffer.from(`admin:${cluster.adminKey}`).toString('base64')}`, cluster.adminKey, 'Bearer ', 'Bearer null'];
    for (const authorization of keys) {
      for (const [method, path] of CALLS) {
        const reply = await admin.call(method, path, method === 'GET' || method === 'DELETE' ? undefined : { provider: 'plain', name: 'intruder', value: 'a-value-of-an-intruder' }, { authorization });
        expect([authorization, method, path, reply.status, reply.json.error?.code]).toEqual([authorization, method, path, 401, 'invalid_api_key']);
      }
    }
    expect(namesOf(await admin.list())).toEqual(namesOf(before));
  });

  test('and who has it can send what he likes: garbage is refused by its place, and changes nothing', async () => {
    const { admin, cluster } = custody;
    const before = await admin.list();
    const good = { provider: 'plain', name: 'garbage', value: custody.value('garbage') };
    const bodies: unknown[] = [
      '', '{', '[]', 'null', '"text"', '{"provider":"plain"', { ...good, value: '' }, { ...good, value: 'two words' }, { ...good, value: 'líne' }, { ...good, value: `${good.value}\r\nx: y` }, { ...good, value: 'x'.repeat(8193) }, { ...good, value: [good.value] }, { ...good, value: null },
      { ...good, provider: 'nobody' }, { ...good, provider: '__proto__' }, { ...good, name: '../file' }, { ...good, name: 'a/b' }, { ...good, name: '' }, { ...good, name: 'file' }, { ...good, weight: -1 }, { ...good, weight: '1' }, { ...good, weight: 1e9 }, { ...good, limits: { concurrency: 0 } },
      { ...good, limits: { concurrency: 1.5 } }, { ...good, limits: { nothing: 1 } }, { ...good, limits: [] }, { ...good, tenant: 'UPPER' }, { ...good, tenant: "'; drop table router.credentials; --" }, { ...good, more: good.value }, JSON.stringify(good).replace('{', '{"__proto__":{"weight":5},'), '['.repeat(30_000), `{"value":"${'x'.repeat(100_000)}"}`,
    ];
    for (const body of bodies) {
      const reply = await admin.call('POST', 'credentials', body);
      expect([JSON.stringify(body).slice(0, 100), [400, 409, 413].includes(reply.status), typeof reply.json.error?.message]).toEqual([JSON.stringify(body).slice(0, 100), true, 'string']);
    }
    expect(namesOf(await admin.list())).toEqual(namesOf(before));
    expect(cluster.lines.filter(({ level }) => level === 'error').map(({ text }) => text)).toEqual([]);
  });

  const namesOf = (credentials: CredentialObject[]): string[] => credentials.map(({ id, weight, disabled }) => `${id} ${weight} ${disabled}`);
});

describe('in the end', () => {
  test('no value of all these, no client key and no admin key is in clear in Postgres, Redis, its traffic, a log line, a metric or an answer', async () => {
    const { cluster, traffic, answers, planted } = custody;
    await custody.ask('plain'); // something to be found, where this test is run alone
    const places = await placesOf(cluster, { traffic, answers });
    expect(secretsIn(places, { ...planted, 'admin key': cluster.adminKey, 'client key': cluster.key })).toEqual([]);
    expect(secretsIn(places, { marker: MARKED })).toEqual(expect.arrayContaining(['redis: marker', 'redis traffic: marker', 'metrics: marker']));
  });
});
