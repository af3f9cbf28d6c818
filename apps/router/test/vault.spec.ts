import { inspect } from 'node:util';
import { afterAll, beforeAll, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { newId } from '@deja/contracts';
import { eventually, FakeTransit } from '@deja/testing';
import { credentialValues, tenants } from '../src/schema/tables.ts';
import { fileId } from '../src/vault/credential-view.ts';
import type { CredentialVault } from '../src/vault/credential-vault.ts';
import { CHANGE, configOf, created, formsOf, leased, newCredential, newMasterKey, sealed, VaultBench } from './vault-infrastructure.ts';

// A first start of Postgres takes its time.
jest.setTimeout(60_000);

const VALUE = 'sk-planted-5f1c-value-of-a-credential-abcd';
const NEXT = 'sk-planted-7e2d-the-next-value-of-it-efgh';

let bench: VaultBench;
let keys: NodeJS.ProcessEnv;
let vault: CredentialVault;

beforeAll(async () => {
  bench = await VaultBench.open();
});
afterAll(() => bench.close());
beforeEach(async () => {
  await bench.reset();
  keys = { DEJA_MASTER_KEY: `a:${newMasterKey()}` };
  vault = await bench.started(keys);
});

describe('a credential of the admin API', () => {
  test('is given out sealed to who asks, by every replica, after a restart too', async () => {
    const credential = await created(vault, await newCredential(vault, 'one', VALUE, { weight: 3, limits: { requests_per_minute: 5 } }), CHANGE);
    expect(credential).toEqual({
      id: expect.stringMatching(/^[0-9a-f-]{36}$/), provider: 'p', name: 'one', tenant: null, baseUrl: null, weight: 3, limits: { requests_per_minute: 5 }, disabled: false, source: 'api',
      lastFour: 'abcd', graceUntilMs: null, trouble: null, unavailableUntilMs: 0, createdAtMs: bench.now, updatedAtMs: bench.now, revision: 1,
    });
    const other = await bench.started(keys);
    for (const replica of [vault, other]) {
      expect(replica.refsFor('p')).toEqual([{ id: 'p/one', version: expect.any(String), weight: 3, limits: { requests_per_minute: 5 }, unavailableUntilMs: 0 }]);
      expect(replica.refsFor('q')).toEqual([]);
      expect(await leased(replica)).toEqual({ 'p/one': VALUE });
    }
    expect(other.refsFor('p')).toEqual(vault.refsFor('p'));
    expect(other.holds({ id: 'p/one', version: 'another' })).toBe(false);
  });

  test('is nowhere in Postgres: not in clear, not in base64, not in hex', async () => {
    const { id } = await created(vault, await newCredential(vault, 'one', VALUE), CHANGE);
    await vault.rotate(id, await sealed(vault, NEXT), 60, CHANGE);
    await created(vault, await newCredential(vault, 'short', 'sk-planted-short'), CHANGE);
    const masterKey = keys['DEJA_MASTER_KEY']!.slice('a:'.length);
    const dump = await bench.dump();
    expect(dump).toMatch(/^credential_values: .*\\\\\\\\x01/m); // what is encrypted is there, in hex
    for (const form of [VALUE, NEXT, 'sk-planted', masterKey].flatMap(formsOf)) expect(dump).not.toContain(form);
    expect(dump).not.toContain(Buffer.from(masterKey, 'base64').toString('hex'));
    expect(await bench.db.select({ lastFour: credentialValues.lastFour }).from(credentialValues).orderBy(credentialValues.lastFour)).toEqual([{ lastFour: '' }, { lastFour: 'abcd' }, { lastFour: 'efgh' }]);
    expect(JSON.stringify(bench.lines)).not.toContain('planted');
  });

  test('of one tenant, with an address of its own, is named as that in the snapshot', async () => {
    await bench.db.insert(tenants).values({ id: 'acme', name: 'Acme' }).onConflictDoNothing();
    await created(vault, await newCredential(vault, 'acme', VALUE, { tenant: 'acme', baseUrl: 'https://acme.example.com/v1/' }), CHANGE);
    expect(vault.refsFor('p')).toMatchObject([{ id: 'p/acme', tenant: 'acme', baseUrl: 'https://acme.example.com/v1', checkedAddress: true }]);
    expect(vault.list().at(-1)).toMatchObject({ tenant: 'acme', baseUrl: 'https://acme.example.com/v1' });
    expect(await leased(vault)).toEqual({ 'p/acme': VALUE });
  });

  test('is changed without its value, and disabled at once', async () => {
    const { id } = await created(vault, await newCredential(vault, 'one', VALUE), CHANGE);
    const refs = vault.refsFor('p');
    expect(await vault.update(id, { weight: 0, limits: { concurrency: 1 } }, CHANGE)).toMatchObject({ id, weight: 0, limits: { concurrency: 1 }, disabled: false });
    expect(vault.refsFor('p')).toEqual([{ ...refs[0], weight: 0, limits: { concurrency: 1 } }]);
    expect(await vault.update(id, { disabled: true }, CHANGE)).toMatchObject({ disabled: true, limits: { concurrency: 1 } });
    expect([vault.refsFor('p'), vault.holds(refs[0]!), await leased(vault, refs)]).toEqual([[], false, {}]);
    await vault.update(id, { disabled: false }, CHANGE);
    expect(await leased(vault, refs)).toEqual({ 'p/one': VALUE });
  });

  test('is gone with all its values when it is deleted; one of its name that comes after it is another', async () => {
    const { id } = await created(vault, await newCredential(vault, 'one', VALUE), CHANGE);
    const refs = vault.refsFor('p');
    await vault.rotate(id, await sealed(vault, NEXT), 60, CHANGE);
    expect(await vault.delete(id, CHANGE)).toBe('p/one');
    expect([vault.refsFor('p'), await leased(vault, refs), await bench.db.select().from(credentialValues)]).toEqual([[], {}, []]);
    await expect(vault.delete(id, CHANGE)).rejects.toMatchObject({ code: 'not_found' });

    await created(vault, await newCredential(vault, 'one', VALUE), CHANGE);
    expect(vault.refsFor('p')[0]!.version).not.toBe(refs[0]!.version);
    expect(await leased(vault, refs)).toEqual({});
  });

  test('stays usable while Postgres is away, and changes are refused as something to be tried again', async () => {
    const { id } = await created(vault, await newCredential(vault, 'one', VALUE), CHANGE);
    const sealedValue = await sealed(vault, NEXT);
    bench.path.set('cut');
    expect(await leased(vault)).toEqual({ 'p/one': VALUE });
    await expect(vault.load()).rejects.toBeInstanceOf(Error);
    await expect(vault.rotate(id, sealedValue, 60, CHANGE)).rejects.toMatchObject({ code: 'overloaded', retryAfterMs: 1000 });
    await expect(vault.update(id, { disabled: true }, CHANGE)).rejects.toMatchObject({ code: 'overloaded' });
    expect(await leased(vault)).toEqual({ 'p/one': VALUE });
    bench.path.set('open');
    await eventually('Postgres', () => vault.load().then(() => true, () => false));
    expect(await vault.rotate(id, sealedValue, 0, CHANGE)).toMatchObject({ credential: { lastFour: 'efgh' } });
  });

  test('takes its place only once, whoever is faster', async () => {
    const other = await bench.started(keys);
    const made = await Promise.allSettled([vault, other].map(async (replica) => created(replica, await newCredential(replica, 'one', VALUE), CHANGE)));
    expect(made.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected']);
    expect(made.find(({ status }) => status === 'rejected')).toMatchObject({ reason: { code: 'conflict', param: 'name' } });
  });
});

describe('a rotation', () => {
  test('has the new value used first and the old one as a fallback, until the grace is over; then it is destroyed', async () => {
    const { id } = await created(vault, await newCredential(vault, 'one', VALUE, { weight: 2 }), CHANGE);
    const [old] = vault.refsFor('p');
    const { credential, destroyed } = await vault.rotate(id, await sealed(vault, NEXT), 60, CHANGE);
    expect(credential).toMatchObject({ id, lastFour: 'efgh', graceUntilMs: bench.now + 60_000 });
    expect(destroyed).toEqual([]);
    const other = await bench.started(keys);
    for (const replica of [vault, other]) {
      expect(replica.refsFor('p')).toMatchObject([{ id: 'p/one', weight: 2 }, { ...old, weight: 0, retiring: true }]);
      expect(await leased(replica)).toEqual({ 'p/one': NEXT, 'p/one (retiring)': VALUE });
    }
    bench.now += 59_999;
    expect([await vault.destroyExpired(), vault.holds(old!)]).toEqual([[], true]);
    bench.now += 1;
    expect(vault.holds(old!)).toBe(false);
    expect(await leased(vault)).toEqual({ 'p/one': NEXT });
    expect(await vault.destroyExpired()).toEqual([{ id: 'p/one', version: old!.version }]);
    expect(await other.destroyExpired()).toEqual([]); // another replica was faster
    const ended = await bench.pool.query('select actor, resource_id from router.audit where action = \'endCredentialGrace\' and resource_id = $1', [id]);
    expect(ended.rows).toEqual([{ actor: 'system', resource_id: id }]);
    for (const replica of [vault, other]) expect(replica.refsFor('p')).toMatchObject([{ id: 'p/one', weight: 2 }]);
    expect(vault.list().at(-1)).toMatchObject({ graceUntilMs: null });
    expect(await bench.db.select().from(credentialValues)).toHaveLength(1);
  });

  test('during the grace of another destroys the oldest value at once, and one without a grace all former ones', async () => {
    const { id } = await created(vault, await newCredential(vault, 'one', VALUE), CHANGE);
    const [first] = vault.refsFor('p');
    await vault.rotate(id, await sealed(vault, NEXT), 60, CHANGE);
    const [second] = vault.refsFor('p');
    const { destroyed } = await vault.rotate(id, await sealed(vault, 'sk-third'), 60, CHANGE);
    expect(destroyed).toEqual([{ id: 'p/one', version: first!.version }]);
    expect(await leased(vault)).toEqual({ 'p/one': 'sk-third', 'p/one (retiring)': NEXT });
    const third = vault.refsFor('p')[0]!;
    const all = await vault.rotate(id, await sealed(vault, 'sk-fourth'), 0, CHANGE);
    expect(all.destroyed.map(({ version }) => version).toSorted()).toEqual([second!.version, third.version].toSorted());
    expect(await leased(vault)).toEqual({ 'p/one': 'sk-fourth' });
  });

  test('at the same moment as another leaves one current and one former value', async () => {
    const { id } = await created(vault, await newCredential(vault, 'one', VALUE), CHANGE);
    await Promise.all(['r1', 'r2', 'r3', 'r4'].map(async (value) => vault.rotate(id, await sealed(vault, value), 60, CHANGE)));
    await vault.load();
    expect(vault.refsFor('p').map(({ retiring }) => retiring ?? false)).toEqual([false, true]);
    expect(await bench.db.select().from(credentialValues)).toHaveLength(2);
  });
});

describe('what the vault refuses', () => {
  test.each([
    ['provider', { provider: 'nobody' }],
    ['name', { name: 'with blank' }],
    ['name', { name: '.hidden' }],
    ['tenant', { tenant: 'nobody' }],
    ['weight', { weight: -1 }],
    ['weight', { weight: Number.NaN }],
    ['base_url', { baseUrl: 'llm.internal/v1' }],
    ['base_url', { provider: 'azure', baseUrl: null }],
    ['base_url', { baseUrl: 'ftp://llm.internal' }],
    ['base_url', { baseUrl: 'https://user:secret@llm.internal' }],
    ['base_url', { baseUrl: 'https://llm.internal/v1?key=secret' }],
    ['base_url', { baseUrl: 'https://llm.internal/v1#' }],
    ['base_url', { baseUrl: 'http://169.254.169.254/' }],
    ['value', { sealedValue: 'not.a.jwe.at.all' }],
  ])('names %s for %j', async (param, over) => {
    await expect(created(vault, await newCredential(vault, 'one', VALUE, over), CHANGE)).rejects.toMatchObject({ code: 'invalid_value', param });
    expect(vault.refsFor('p')).toEqual([]);
  });

  test.each(['', 'with blank', 'line\nbreak', 'ümlaut'])('is a value such as %j', async (value) => {
    await expect(created(vault, await newCredential(vault, 'one', value), CHANGE)).rejects.toMatchObject({ code: 'invalid_value', param: 'value' });
  });

  test('is a value of more than 8 KiB, or what only claims to be one, before it costs anything', async () => {
    expect(await created(vault, await newCredential(vault, 'longest', 'x'.repeat(8192)), CHANGE)).toMatchObject({ lastFour: 'xxxx' });
    await expect(created(vault, await newCredential(vault, 'one', 'x'.repeat(8193)), CHANGE)).rejects.toMatchObject({ code: 'invalid_value', param: 'value' });
    await expect(created(vault, await newCredential(vault, 'one', '', { sealedValue: 'x'.repeat(17 * 1024) }), CHANGE)).rejects.toMatchObject({ code: 'invalid_value', param: 'value' });
  });

  test('names the name of a credential that is there or stands in the file, and the file for what is to be changed there', async () => {
    await created(vault, await newCredential(vault, 'one', VALUE), CHANGE);
    for (const name of ['one', 'file']) await expect(created(vault, await newCredential(vault, name, NEXT), CHANGE)).rejects.toMatchObject({ code: 'conflict', param: 'name' });
    expect(vault.refsFor('p')).toHaveLength(1);
    const [ofFile] = vault.list();
    expect(ofFile).toMatchObject({ id: fileId('p/file'), source: 'file', lastFour: '0001', createdAtMs: null });
    await expect(vault.update(ofFile!.id, { weight: 1 }, CHANGE)).rejects.toMatchObject({ code: 'invalid_value' });
    await expect(vault.rotate(ofFile!.id, await sealed(vault, NEXT), 1, CHANGE)).rejects.toMatchObject({ code: 'invalid_value' });
    await expect(vault.delete(ofFile!.id, CHANGE)).rejects.toMatchObject({ code: 'invalid_value' });
  });

  test('is an id that names nothing', async () => {
    await expect(vault.update(newId(), { weight: 1 }, CHANGE)).rejects.toMatchObject({ code: 'not_found' });
    await expect(vault.rotate(newId(), await sealed(vault, NEXT), 1, CHANGE)).rejects.toMatchObject({ code: 'not_found' });
    await expect(vault.delete(newId(), CHANGE)).rejects.toMatchObject({ code: 'not_found' });
    await expect(vault.update('\'; drop table', { weight: 1 }, CHANGE)).rejects.toMatchObject({ code: 'not_found' });
  });

  test('is a row that was changed: a value of another row, another name, another address', async () => {
    const first = await created(vault, await newCredential(vault, 'one', VALUE), CHANGE);
    await created(vault, await newCredential(vault, 'two', NEXT), CHANGE);
    const refs = vault.refsFor('p');
    await bench.pool.query('update router.credentials set base_url = \'https://elsewhere.example.com\' where name = \'two\'');
    await bench.pool.query('update router.credential_values v set (wrapped_key, nonce, ciphertext) = (select wrapped_key, nonce, ciphertext from router.credential_values o where o.credential <> v.credential) where credential = $1', [first.id]);
    await vault.load();
    expect(await leased(vault, refs)).toEqual({});
    expect(bench.lines.filter(({ msg }) => msg === 'a credential cannot be decrypted: its row in Postgres was changed')).toHaveLength(2);
    // Versions are swapped with the values, and still they belong to another name.
    await bench.pool.query('update router.credentials set base_url = null, name = case name when \'one\' then \'two-\' else \'one\' end; update router.credentials set name = \'two\' where name = \'two-\'');
    await vault.load();
    expect(await leased(vault)).toEqual({});
  });
});

describe('the vault', () => {
  test('lists all credentials, the file\'s too, without a value, and prints none', async () => {
    await created(vault, await newCredential(vault, 'one', VALUE), CHANGE);
    expect(vault.list().map(({ provider, name, source, lastFour }) => [provider, name, source, lastFour])).toEqual([['p', 'file', 'file', '0001'], ['q', 'short', 'file', ''], ['azure', 'west', 'file', ''], ['p', 'one', 'api', 'abcd']]);
    expect(JSON.stringify(vault.list()) + inspect(vault, { depth: 12, showHidden: true })).not.toContain('planted');
  });

  test('gives out the file\'s credentials in their versions, and leaves the name to the file that took it later', async () => {
    await created(vault, await newCredential(vault, 'late', VALUE), CHANGE);
    const config = configOf();
    const ref = { id: 'p/file', version: vault.versionOf(config.providers[0]!.credentials[0]!) };
    expect(await leased(vault, [ref, { ...ref, version: 'x' }])).toEqual({ 'p/file': 'sk-planted-of-the-file-0001' });
    vault.hold(configOf('providers: { p: { kind: openai, credentials: [{ name: late, value: sk-of-the-file }] } }'));
    expect(vault.refsFor('p')).toEqual([]);
  });

  test('raises the revision with every change, and knows what it has loaded', async () => {
    const other = await bench.started(keys);
    const seen = [await vault.revision()];
    const note = async (): Promise<void> => void seen.push(await vault.revision());
    const { id } = await created(vault, await newCredential(vault, 'one', VALUE), CHANGE);
    await note();
    await vault.update(id, { weight: 2 }, CHANGE);
    await note();
    await vault.rotate(id, await sealed(vault, NEXT), 1, CHANGE);
    await note();
    bench.now += 1000;
    await vault.destroyExpired();
    await note();
    await vault.drain('p/m', true, CHANGE);
    await note();
    await vault.delete(id, CHANGE);
    await note();
    expect(seen).toEqual(seen.toSorted((a, b) => a - b));
    expect(new Set(seen).size).toBe(7);
    expect([vault.loadedRevision, other.loadedRevision]).toEqual([seen.at(-1), seen[0]]);
    await other.load();
    expect([other.loadedRevision, [...other.drained]]).toEqual([seen.at(-1), ['p/m']]);
    await other.drain('p/m', false, CHANGE);
    expect([...other.drained]).toEqual([]);
  });
});

describe('with a transit engine', () => {
  let transit: FakeTransit;
  beforeAll(async () => {
    transit = await FakeTransit.start({ token: 'hvs.planted-token' });
  });
  afterAll(() => transit.stop());

  test('no master key is in the router, nothing in clear is in Postgres, and leases wait for the engine', async () => {
    await bench.reset();
    vault = await bench.started({ VAULT_ADDR: transit.address, VAULT_TOKEN: transit.token, DEJA_TRANSIT_KEY: 'deja' });
    await created(vault, await newCredential(vault, 'one', VALUE), CHANGE);
    expect(await leased(vault)).toEqual({ 'p/one': VALUE });
    const dump = await bench.dump();
    expect(dump).toContain('transit:transit/deja:v1');
    for (const form of formsOf(VALUE)) expect(dump + transit.received.join('')).not.toContain(form);
    transit.mood = 'sealed';
    const sealedValue = await sealed(vault, NEXT);
    expect(await leased(vault)).toEqual({});
    await expect(created(vault, { ...(await newCredential(vault, 'two', NEXT)), sealedValue }, CHANGE)).rejects.toMatchObject({ code: 'overloaded' });
    expect(JSON.stringify(bench.lines)).toContain('its data key cannot be unwrapped');
    expect(JSON.stringify(bench.lines)).not.toContain('planted');
    transit.mood = 'well';
    expect(await leased(vault)).toEqual({ 'p/one': VALUE });
  });
});
