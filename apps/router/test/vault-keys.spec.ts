import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { ConfigError } from '@deja/config';
import { newId, type JsonWebKeyPublic, type RewrapReport } from '@deja/contracts';
import { FakeTransit } from '@deja/testing';
import { compactDecrypt, exportJWK, generateKeyPair } from 'jose';
import { AlertRulesRepository } from '../src/alerts/alert-rules.repository.ts';
import { SealedReceivers } from '../src/alerts/sealed-receivers.ts';
import { inTransaction } from '../src/schema/transaction.ts';
import { DataKeys } from '../src/vault/data-keys.ts';
import { DataKeysRepository } from '../src/vault/data-keys.repository.ts';
import type { CredentialVault } from '../src/vault/credential-vault.ts';
import { recorder } from './infrastructure.ts';
import { CHANGE, created, leased, newCredential, newMasterKey, sealed, VaultBench } from './vault-infrastructure.ts';

// A first start of Postgres takes its time.
jest.setTimeout(60_000);

const [A, B] = [`a:${newMasterKey()}`, `b:${newMasterKey()}`];

let bench: VaultBench;
let transit: FakeTransit;

beforeAll(async () => {
  bench = await VaultBench.open();
});
afterAll(() => bench.close());
beforeEach(async () => {
  await bench.reset();
  transit = await FakeTransit.start();
});
afterEach(() => transit.stop());

const local = (...keys: string[]): NodeJS.ProcessEnv => ({ DEJA_MASTER_KEY: keys.join(',') });
/** Wraps under the transit engine; the local keys only unwrap. */
const remote = (...keys: string[]): NodeJS.ProcessEnv => ({ VAULT_ADDR: transit.address, VAULT_TOKEN: transit.token, DEJA_TRANSIT_KEY: 'deja', ...local(...keys) });

/** A vault with so many credentials `p/c0`, `p/c1` … whose values are their names. */
async function filled(variables: NodeJS.ProcessEnv, credentials: number): Promise<{ vault: CredentialVault; ids: string[] }> {
  const vault = await bench.started(variables);
  const views = await Promise.all(Array.from({ length: credentials }, async (_, index) => created(vault, await newCredential(vault, `c${index}`, `p/c${index}`), CHANGE)));
  return { vault, ids: views.map(({ id }) => id) };
}

const allOf = (credentials: number): Record<string, string> => Object.fromEntries(Array.from({ length: credentials }, (_, index) => [`p/c${index}`, `p/c${index}`]));

async function refusal(variables: NodeJS.ProcessEnv): Promise<string> {
  const before = await bench.dump();
  const error: unknown = await bench.vault(variables).verifyMasterKeys().catch((caught: unknown) => caught);
  expect(error).toBeInstanceOf(ConfigError);
  expect(await bench.dump()).toBe(before);
  return (error as ConfigError).message;
}

/** Rewraps until nothing remains, and adds the reports up. */
async function rewrapped(vault: CredentialVault, limit = 1000): Promise<RewrapReport & { calls: number }> {
  for (let calls = 1, moved = 0; ; calls++) {
    const report = await vault.rewrap(limit, CHANGE);
    moved += report.rewrapped;
    if (report.remaining === 0) return { ...report, rewrapped: moved, calls };
  }
}

const keyIds = async (): Promise<string[]> =>
  (await bench.pool.query<{ key_id: string }>('select key_id from router.credential_values union select key_id from router.intake_key order by 1')).rows.map((row) => row.key_id);

/** The key of the default tenant's captured bodies, as a gateway gets it. */
async function dataKey(variables: NodeJS.ProcessEnv): Promise<{ id: string; key: string }> {
  const pair = await generateKeyPair('ECDH-ES', { crv: 'P-256', extractable: true });
  const keys = new DataKeys({ keys: bench.masterKeys(variables), repository: new DataKeysRepository(bench.db), logger: recorder().logger });
  const { id, jwe } = await keys.lease({ tenant: 'default', id: null, publicKey: (await exportJWK(pair.publicKey)) as JsonWebKeyPublic });
  return { id, key: Buffer.from((await compactDecrypt(jwe, pair.privateKey)).plaintext).toString('hex') };
}

const receiversUnder = (variables: NodeJS.ProcessEnv): SealedReceivers => new SealedReceivers(bench.masterKeys(variables), recorder().logger);

describe('a start', () => {
  test('together with others makes one intake key for all of them', async () => {
    const vaults = await Promise.all([1, 2, 3].map(() => bench.started(local(A))));
    expect(new Set(vaults.map(({ intakePublicKey }) => JSON.stringify(intakePublicKey))).size).toBe(1);
    expect(Object.keys(vaults[0]!.intakePublicKey).toSorted()).toEqual(['crv', 'kty', 'x', 'y']);
    await created(vaults[1]!, await newCredential(vaults[0]!, 'one', 'value-of-one'), CHANGE);
    expect((await bench.started(local(A))).intakePublicKey).toEqual(vaults[0]!.intakePublicKey);
  });

  test('without a key that something is wrapped by is refused with its id, and nothing is written', async () => {
    await filled(local(A), 1);
    expect(await refusal(local(B))).toBe('the vault holds values under the master key "a", which is missing: add a:<its 32 bytes in base64> to DEJA_MASTER_KEY (or to the file that DEJA_MASTER_KEY_FILE names), behind the current one.');
    expect(await leased(await bench.started(local(B, A)))).toEqual(allOf(1));
  });

  test('with another key of that name is refused, whether it is the current one or not, and also before anything is wrapped by it', async () => {
    await filled(local(A), 1);
    const wrong = `a:${newMasterKey()}`;
    for (const variables of [local(wrong), local(B, wrong)]) expect(await refusal(variables)).toContain('the vault knows another master key by the name "a"');
    await bench.started(local(B, A));
    expect(await keyIds()).toEqual(['a']);
    expect(await refusal(local(`b:${newMasterKey()}`, A))).toContain('the vault knows another master key by the name "b"');
  });

  test('finds a key under whatever name it is given, and says which one is missing where none opens', async () => {
    await filled(local(A), 2);
    const bytes = A.slice('a:'.length);
    const other = newMasterKey();
    for (const keys of [[bytes], [`renamed:${bytes}`], [B, bytes], [B, `a:${other}`, `renamed:${bytes}`]]) {
      expect(await leased(await bench.started(local(...keys)))).toEqual(allOf(2));
      expect(await keyIds()).toEqual(['a']);
    }
    expect(await refusal(local(B, `c:${other}`))).toContain('holds values under the master key "a", which is missing');
    // The current key's name would stand for two keys.
    expect(await refusal(local(`a:${other}`, `renamed:${bytes}`))).toBe('the vault knows another master key by the name "a": give it the key of that name that was used before, or give a new key a new id. Nothing was changed.');
  });

  test('of two replicas with different keys of one name is for one of them only', async () => {
    const starts = await Promise.allSettled([A, `a:${newMasterKey()}`].map((key) => bench.started(local(key))));
    expect(starts.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected']);
    expect(starts.find(({ status }) => status === 'rejected')).toMatchObject({ reason: expect.any(ConfigError) });
  });

  test('with an intake key that was changed is refused', async () => {
    await filled(local(A), 0);
    await bench.pool.query('update router.intake_key set ciphertext = set_byte(ciphertext, 5, get_byte(ciphertext, 5) # 1)');
    expect(await refusal(local(A))).toContain('intake key does not open, because its row in Postgres (router.intake_key) was changed');
  });

  test('is refused when the transit engine is away, is another one, or is not named any more', async () => {
    await filled(remote(A), 1);
    expect(await refusal(local(A))).toBe('the vault holds values under the master key "transit:transit/deja:v1", which is missing: set VAULT_ADDR and VAULT_TOKEN or VAULT_TOKEN_FILE to the Vault that has it.');
    expect(await refusal({ ...remote(), VAULT_TOKEN: 'another' })).toContain('answers 403: the token does not hold, or may not use this key');
    transit.mood = 'sealed';
    expect(await refusal(remote())).toContain('cannot be asked for: ');
    transit.mood = 'well';
    transit.create('deja');
    expect(await refusal(remote())).toContain('it has no such key, or another than the one that was wrapped with');
  });
});

describe('a rewrap', () => {
  test('moves everything to the current key, a part with each call, and then the old key may go', async () => {
    const { vault: before, ids } = await filled(local(A), 7);
    await before.rotate(ids[0]!, await sealed(before, 'next'), 60, CHANGE);
    const vault = await bench.started(local(B, A));
    expect(await vault.rewrap(3, CHANGE)).toEqual({ currentKey: 'b', rewrapped: 3, remaining: 6, failed: [] });
    expect(await keyIds()).toEqual(['a', 'b']);
    expect(await rewrapped(vault, 3)).toMatchObject({ currentKey: 'b', rewrapped: 6, remaining: 0, failed: [] });
    expect(await keyIds()).toEqual(['b']);
    expect(await vault.rewrap(3, CHANGE)).toEqual({ currentKey: 'b', rewrapped: 0, remaining: 0, failed: [] });
    const values = { ...allOf(7), 'p/c0': 'next', 'p/c0 (retiring)': 'p/c0' };
    // A replica that has read nothing anew, and one that was never given the old key.
    for (const replica of [before, vault, await bench.started(local(B))]) expect(await leased(replica)).toEqual(values);
    expect(vault.intakePublicKey).toEqual(before.intakePublicKey);
  });

  test.each([
    ['an unnamed key was given a name', '', 'old:'],
    ['a named key lost its name', 'old:', ''],
    ['a key was renamed', 'old:', 'older:'],
  ])('moves everything to the name that the key has now, where %s; the former name is not asked for any more', async (_, former, name) => {
    const bytes = newMasterKey();
    const { vault: before, ids } = await filled(local(former + bytes), 2);
    const [formerId] = await keyIds();
    const renamed = await bench.started(local(name + bytes, B));
    await renamed.rotate(ids[0]!, await sealed(renamed, 'next'), 0, CHANGE);
    const values = { ...allOf(2), 'p/c0': 'next' };
    // A replica that runs on with the former name reads what is wrapped under the new one.
    await before.load();
    expect(await leased(before)).toEqual(values);
    const { currentKey, rewrapped: moved, remaining, failed } = await rewrapped(renamed);
    expect([moved, remaining, failed, await keyIds()]).toEqual([2, 0, [], [currentKey]]);
    expect(currentKey).not.toBe(formerId);
    for (const replica of [before, renamed, await bench.started(local(name + bytes))]) {
      await replica.load();
      expect(await leased(replica)).toEqual(values);
      await created(replica, await newCredential(replica, 'again', 'p/again'), CHANGE).then(({ id }) => replica.delete(id, CHANGE));
    }
    // On to another key, as for one that was never renamed.
    await rewrapped(await bench.started(local(B, name + bytes)));
    expect(await keyIds()).toEqual(['b']);
    expect(await leased(await bench.started(local(B)))).toEqual(values);
  });

  test('goes with rotations, new credentials and deletions at the same moment', async () => {
    const { ids } = await filled(local(A), 12);
    const old = await bench.started(local(A, B)); // knows the new key, and does not use it yet
    const vault = await bench.started(local(B, A));
    await Promise.all([
      rewrapped(vault, 2),
      ...ids.slice(0, 4).map(async (id, index) => old.rotate(id, await sealed(old, `rotated-${index}`), index % 2 === 0 ? 60 : 0, CHANGE)),
      ...ids.slice(4, 6).map((id) => vault.delete(id, CHANGE)),
      newCredential(vault, 'new', 'value-of-new').then((credential) => created(vault, credential, CHANGE)),
      bench.started(local(B, A)).then((other) => rewrapped(other, 2)),
    ]);
    // Those rotations of a replica whose current key is the old one may have come last.
    await rewrapped(vault);
    expect(await keyIds()).toEqual(['b']);
    expect(await leased(await bench.started(local(B)))).toEqual({
      ...Object.fromEntries(Object.entries(allOf(12)).filter(([id]) => !['p/c1', 'p/c3', 'p/c4', 'p/c5'].includes(id))),
      'p/c0': 'rotated-0', 'p/c0 (retiring)': 'p/c0', 'p/c1': 'rotated-1', 'p/c2': 'rotated-2', 'p/c2 (retiring)': 'p/c2', 'p/c3': 'rotated-3', 'p/new': 'value-of-new',
    });
  });

  test('that fails in the middle keeps what it moved, and the next one goes on from there', async () => {
    await filled(local(A), 8);
    const vault = await bench.started(remote(A));
    transit.sealedAfter = 5; // one to learn of the current key, four to wrap
    await expect(vault.rewrap(100, CHANGE)).rejects.toMatchObject({ code: 'overloaded' });
    expect(await keyIds()).toEqual(['a', 'transit:transit/deja:v1']);
    expect(await leased(vault)).toEqual(allOf(8)); // with the wrappings that it has read before
    Object.assign(transit, { sealedAfter: Infinity, mood: 'well' });
    await vault.load();
    expect(await leased(vault)).toEqual(allOf(8));
    expect(await vault.rewrap(100, CHANGE)).toEqual({ currentKey: 'transit:transit/deja:v1', rewrapped: 5, remaining: 0, failed: [] });
    expect(await leased(await bench.started(remote()))).toEqual(allOf(8));
  });

  test('reports what does not open, leaves it as it is, and moves the rest', async () => {
    await filled(local(A), 5);
    const vault = await bench.started(local(B, A));
    await bench.pool.query('update router.credential_values v set wrapped_key = set_byte(wrapped_key, 20, get_byte(wrapped_key, 20) # 1) from router.credentials c where c.id = v.credential and name in (\'c1\', \'c3\')');
    const report = await rewrapped(vault, 2);
    expect(report).toMatchObject({ currentKey: 'b', rewrapped: 4, remaining: 0 });
    expect(report.failed.toSorted((a, b) => (a.id < b.id ? -1 : 1))).toEqual(['p/c1', 'p/c3'].map((id) => ({ id, reason: 'it is not the key that was wrapped with, or what it is to open was changed' })));
    expect(await leased(vault)).toEqual(Object.fromEntries(Object.entries(allOf(5)).filter(([id]) => id !== 'p/c1' && id !== 'p/c3')));
    expect(await keyIds()).toEqual(['a', 'b']);
  });

  test('moves keys of captured bodies and receivers of alerts too, one at a time, and they open as before', async () => {
    await filled(local(A), 1);
    const rules = new AlertRulesRepository(bench.db);
    const receivers = [{ kind: 'slack' as const, url: 'https://hooks.example.com/planted' }];
    const id = newId();
    const rule = { id, name: 'told', enabled: true, condition: { metric: 'provider_down' as const }, groupBy: [], repeatS: null, shown: [], createdAt: new Date(), updatedAt: new Date() };
    const sealedReceivers = await receiversUnder(local(A)).seal(id, receivers);
    await inTransaction(bench.db, (tx) => rules.insert(tx, { ...rule, ...sealedReceivers }));
    const before = await dataKey(local(A));

    expect(await refusal(local(B))).toContain('holds values under the master key "a", which is missing');
    const vault = await bench.started(local(B, A));
    expect(await rewrapped(vault, 1)).toMatchObject({ currentKey: 'b', rewrapped: 4, remaining: 0, failed: [] });
    const { rows } = await bench.pool.query<{ key_id: string }>('select key_id from router.data_keys union select key_id from router.alert_rules union select key_id from router.credential_values');
    expect(rows).toEqual([{ key_id: 'b' }]);
    await bench.started(local(B));
    expect(await dataKey(local(B))).toEqual(before);
    expect(JSON.parse((await receiversUnder(local(B)).open((await rules.find(id))!)).toString())).toEqual(receivers);
  });

  test('names keys of captured bodies and receivers that do not open', async () => {
    await filled(local(A), 0);
    const { id } = await dataKey(local(A));
    const vault = await bench.started(local(B, A));
    await bench.pool.query('update router.data_keys set wrapped_key = set_byte(wrapped_key, 20, get_byte(wrapped_key, 20) # 1)');
    expect(await rewrapped(vault)).toMatchObject({ rewrapped: 1, failed: [{ id: `data_key/default/${id}`, reason: expect.any(String) }] });
  });

  test('leads from a local key to a transit engine, to a newer version there, and back', async () => {
    await filled(local(A), 3);
    await rewrapped(await bench.started(remote(A)));
    expect(await keyIds()).toEqual(['transit:transit/deja:v1']);
    transit.rotate('deja');
    expect(await rewrapped(await bench.started(remote()))).toMatchObject({ currentKey: 'transit:transit/deja:v2', rewrapped: 4 });
    transit.setMinDecryptionVersion('deja', 2);
    expect(await leased(await bench.started(remote()))).toEqual(allOf(3));
    const back = await bench.started({ ...remote(B), DEJA_TRANSIT_KEY: '' });
    expect(await rewrapped(back)).toMatchObject({ currentKey: 'b', rewrapped: 4, failed: [] });
    expect(await leased(await bench.started(local(B)))).toEqual(allOf(3));
  });
});
