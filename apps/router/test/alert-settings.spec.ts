import 'reflect-metadata';
import { writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, jest, test } from '@jest/globals';
import type { AlertReceiver, AlertSettings, JsonWebKeyPublic } from '@deja/contracts';
import { eventually } from '@deja/testing';
import { drizzle } from 'drizzle-orm/node-postgres';
import { compactDecrypt, exportJWK, generateKeyPair } from 'jose';
import { AlertInputsRepository } from '../src/alerts/alert-inputs.repository.ts';
import { AlertSilencesRepository } from '../src/alerts/alert-silences.repository.ts';
import { AdminStage } from './admin-stage.ts';
import { formsOf } from './vault-infrastructure.ts';

jest.setTimeout(60_000);

const PROVIDERS = `providers: { p: { kind: openai, base_url: "http://127.0.0.1:9/v1", credentials: [{ name: file, value: planted-value-of-the-file }] } }
models: [{ name: m, deployments: [{ provider: p, model: m }] }]
`;
const SMTP = { url: 'smtps://planted-user:planted-password@mail.example.com:465', from: 'deja@example.com' };
const OF_FILE = `${PROVIDERS}smtp: ${JSON.stringify(SMTP)}
alerts:
  - { name: of-file, when: { metric: error_rate, above: 0.5 }, notify: [{ webhook: "https://hooks.example.com/planted-path", secret: planted-secret }, { email: ops@example.com }], group_by: [tenant] }
`;
const RULE = { name: 'of-api', when: { metric: 'provider_down', for_s: 60 }, notify: [{ slack: 'https://hooks.example.com/services/planted-slack' }] };

let stage: AdminStage;
let pair: Awaited<ReturnType<typeof generateKeyPair>>;
let publicKey: JsonWebKeyPublic;
beforeAll(async () => {
  stage = await AdminStage.open();
  pair = await generateKeyPair('ECDH-ES', { crv: 'P-256', extractable: true });
  publicKey = (await exportJWK(pair.publicKey)) as JsonWebKeyPublic;
  await stage.tenant('acme');
});
afterAll(() => stage.close());
beforeEach(async () => {
  await stage.sql.query('delete from router.alert_rules; delete from router.alert_silences; delete from router.client_keys; update router.tenants set budgets = \'[]\', disabled = false');
  await inForce(OF_FILE);
});

async function inForce(yaml: string): Promise<void> {
  await writeFile(stage.configPath, yaml);
  await stage.call('reloadConfig');
}

async function asked(known: string | null = null): Promise<AlertSettings | null> {
  return (await stage.rpc('alert_settings', { known, publicKey })).settings;
}
async function settings(): Promise<AlertSettings> {
  const given = await asked();
  if (given === null) throw new Error('who knows nothing was told nothing');
  return given;
}
async function opened(jwe: string): Promise<unknown> {
  return JSON.parse(new TextDecoder().decode((await compactDecrypt(jwe, pair.privateKey)).plaintext));
}
const receivers = async (rule: { receivers: string } | undefined): Promise<AlertReceiver[]> => (await opened(rule?.receivers ?? '')) as AlertReceiver[];

describe('what alerts are decided and sent by', () => {
  test('is rules of the file and of the API, silences to come, and how e-mail is sent; receivers are for who asked alone', async () => {
    const { body: rule } = await stage.call('createAlert', { body: RULE });
    const endsAt = new Date(Date.now() + 86_400_000);
    const { body: silence } = await stage.call('createSilence', { body: { alert: 'of-api', labels: { provider: 'p' }, ends_at: endsAt.toISOString(), comment: 'c' } });
    const given = await settings();
    expect(given.rules).toEqual([
      { id: 'file:of-file', name: 'of-file', source: 'file', enabled: true, when: { metric: 'error_rate', above: 0.5 }, group_by: ['tenant'], repeat_s: null, receivers: expect.any(String) },
      { id: rule['id'], name: 'of-api', source: 'api', enabled: true, when: RULE.when, group_by: [], repeat_s: null, receivers: expect.any(String) },
    ]);
    expect(await receivers(given.rules[0])).toEqual([{ kind: 'webhook', url: 'https://hooks.example.com/planted-path', secret: 'planted-secret' }, { kind: 'email', to: ['ops@example.com'] }]);
    expect(await receivers(given.rules[1])).toEqual([{ kind: 'slack', url: RULE.notify[0]!.slack }]);
    expect(await opened(given.smtp ?? '')).toEqual(SMTP);
    expect(given.silences).toEqual([{ id: silence['id'], alert: 'of-api', labels: { provider: 'p' }, startsAtMs: Date.parse(String(silence['starts_at'])), endsAtMs: endsAt.getTime(), comment: 'c' }]);
    for (const form of ['planted-path', 'planted-secret', 'planted-slack', 'planted-password'].flatMap(formsOf)) expect(JSON.stringify(given)).not.toContain(form);
  });

  test('is budgets of tenants and keys that are in use', async () => {
    const budget = { usd: '5', period: 'day', mode: 'hard', time_zone: 'UTC' } as const;
    await stage.call('updateTenant', { params: { id: 'acme' }, body: { budgets: [budget] } });
    const key = async (given: object): Promise<string> => String((await stage.call('createKey', { body: { tenant: 'acme', name: 'k', ...given } })).body['id']);
    await key({});
    const own = await key({ budgets: [budget] });
    const perUser = await key({ per_user: { requests_per_day: 1, budgets: [budget] } });
    await stage.call('updateKey', { params: { id: await key({ budgets: [budget] }) }, body: { disabled: true } });
    const expired = await key({ budgets: [budget], expires_at: '2100-01-01T00:00:00Z' });
    await stage.sql.query('update router.client_keys set expires_at = now() where id = $1', [expired]);
    expect((await settings()).budgets).toEqual({ tenants: [{ tenant: 'acme', budgets: [budget] }], keys: [{ key: own, tenant: 'acme', budgets: [budget], perUser: [] }, { key: perUser, tenant: 'acme', budgets: [], perUser: [budget] }] });
    await stage.call('updateTenant', { params: { id: 'acme' }, body: { disabled: true } });
    expect((await settings()).budgets).toEqual({ tenants: [], keys: [] });
  });

  test('names all tenants and keys where the file has a budget for each that has none of its own', async () => {
    const { body: key } = await stage.call('createKey', { body: { tenant: 'acme', name: 'k' } });
    await inForce(`${OF_FILE}budgets: { per_tenant: [{ usd: 5, period: day }] }\n`);
    expect((await settings()).budgets).toEqual({ tenants: [{ tenant: 'acme', budgets: [] }, { tenant: 'default', budgets: [] }], keys: [] });
    await inForce(`${OF_FILE}budgets: { per_user: [{ usd: 5, period: day }] }\n`);
    expect((await settings()).budgets).toEqual({ tenants: [], keys: [{ key: key['id'], tenant: 'acme', budgets: [], perUser: [] }] });
  });

  test('is not told again while nothing has changed, and has another version after every change', async () => {
    const ids = { rule: '', silence: '', key: '' };
    const budgets = [{ usd: '1', period: 'day' }];
    const making = async (what: keyof typeof ids, operation: string, body: object): Promise<void> => {
      ids[what] = String((await stage.call(operation, { body })).body['id']);
    };
    const changes: (() => Promise<unknown>)[] = [
      () => making('rule', 'createAlert', RULE),
      () => stage.call('updateAlert', { params: { id: ids.rule }, body: { notify: [{ slack: 'https://hooks.example.com/services/another' }] } }),
      () => stage.call('deleteAlert', { params: { id: ids.rule } }),
      () => making('silence', 'createSilence', { ends_at: new Date(Date.now() + 86_400_000).toISOString() }),
      () => stage.call('deleteSilence', { params: { id: ids.silence } }),
      () => stage.call('updateTenant', { params: { id: 'acme' }, body: { budgets } }),
      () => making('key', 'createKey', { tenant: 'acme', name: 'k', budgets }),
      () => stage.call('updateKey', { params: { id: ids.key }, body: { per_user: { budgets } } }),
      () => stage.call('deleteKey', { params: { id: ids.key } }),
      () => stage.call('createTenant', { body: { id: 'passing' } }),
      () => stage.call('deleteTenant', { params: { id: 'passing' } }),
      () => inForce(OF_FILE.replace('planted-secret', 'planted-next')),
      () => inForce(OF_FILE.replace('planted-password', 'planted-next')),
    ];
    for (const change of changes) {
      const { version } = await settings();
      expect(await asked(version)).toBeNull();
      await change();
      expect(await asked(version)).not.toBeNull();
    }
    const { version } = await settings();
    await stage.call('updateTenant', { params: { id: 'acme' }, body: { name: 'Acme', limits: { concurrency: 9 } } });
    await stage.rpc('data_key', { tenant: 'acme', id: null, publicKey });
    expect(await asked(version)).toBeNull();
  });

  test('has another version when a key expires or a silence ends, which nobody changes', async () => {
    const [start, expiry, end] = ['2100-01-01T00:00:00Z', '2100-01-02T00:00:00Z', '2100-01-03T00:00:00Z'].map((moment) => new Date(moment)) as [Date, Date, Date];
    const { body: key } = await stage.call('createKey', { body: { tenant: 'acme', name: 'k', budgets: [{ usd: '1', period: 'day' }], expires_at: expiry.toISOString() } });
    const { body: silence } = await stage.call('createSilence', { body: { ends_at: end.toISOString() } });
    const db = drizzle(stage.sql);
    const [inputs, silences] = [new AlertInputsRepository(db), new AlertSilencesRepository(db)];
    const seenAt = async (at: Date): Promise<[string, unknown[], unknown[]]> => [
      await inputs.state(at), (await inputs.budgets(at, { tenants: false, keys: false })).keys.map((given) => given.key), (await silences.all(at)).map(({ id }) => id),
    ];
    const seen = [await seenAt(start), await seenAt(new Date(expiry.getTime() - 1)), await seenAt(expiry), await seenAt(new Date(end.getTime() - 1)), await seenAt(end)];
    expect(seen.map(([, keys, silent]) => [keys, silent])).toEqual([[[key['id']], [silence['id']]], [[key['id']], [silence['id']]], [[], [silence['id']]], [[], [silence['id']]], [[], []]]);
    const [first, second, third, fourth, fifth] = seen.map(([state]) => state);
    expect([first === second, second === third, third === fourth, fourth === fifth]).toEqual([true, false, true, false]);
  });

  test('has a rule of the file in place of one of the API whose name it took, which rests until it has another', async () => {
    const { body } = await stage.call('createAlert', { body: { ...RULE, name: 'taken' } });
    await inForce(OF_FILE.replace('name: of-file', 'name: taken'));
    expect((await settings()).rules.map(({ id }) => id)).toEqual(['file:taken']);
    expect(stage.lines.filter(({ alerts }) => alerts === 'taken')).toHaveLength(1);
    const id = String(body['id']);
    expect((await stage.call('getAlert', { params: { id } })).body).toEqual(body);
    await stage.call('updateAlert', { params: { id }, body: { name: 'free' } });
    expect((await settings()).rules.map((rule) => rule.id)).toEqual(['file:taken', id]);
  });

  test('keeps a rule whose receivers cannot be opened: nobody is told, but it is seen', async () => {
    await stage.call('createAlert', { body: RULE });
    await stage.sql.query('update router.alert_rules set ciphertext = set_byte(ciphertext, 5, get_byte(ciphertext, 5) # 1)');
    const { rules } = await settings();
    expect(rules.map(({ name }) => name)).toEqual(['of-file', 'of-api']);
    expect(await receivers(rules[1])).toEqual([]);
    expect(stage.lines).toContainEqual(expect.objectContaining({ alert: 'of-api', msg: expect.stringContaining('cannot be decrypted') }));
  });

  test('needs a key that can be sealed to', async () => {
    await expect(stage.rpc('alert_settings', { known: null, publicKey: { ...publicKey, crv: 'secp256k1' } })).rejects.toMatchObject({ code: 'invalid_value' });
  });
});

test('replicas with one file agree on the version; one whose file is not in force any more tells nothing new to who knows something', async () => {
  const two = await AdminStage.open(2);
  try {
    const ask = async (known: string | null): Promise<string | null> => (await two.rpc('alert_settings', { known, publicKey })).settings?.version ?? null;
    const both = new Set(await Promise.all([ask(null), ask(null), ask(null), ask(null)]));
    expect(both.size).toBe(1);
    const [known] = [...both];
    for (let n = 0; n < 4; n++) expect(await ask(known ?? null)).toBeNull();
    // A replica that is started with another file, while those before it still have theirs.
    const before = two.configPath;
    two.configPath = `${before}.next`;
    await writeFile(two.configPath, OF_FILE);
    await two.replica();
    const told = await eventually('the new file to be told', () => ask(known ?? null));
    expect(told).not.toBe(known);
    for (let n = 0; n < 9; n++) expect(await ask(told)).toBeNull();
  } finally {
    await two.close();
  }
});
