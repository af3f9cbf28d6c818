import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { ConfigError, readEnvironment } from '@deja/config';
import { FakeTransit, type TransitMood } from '@deja/testing';
import fc from 'fast-check';
import { keyWrappingOf } from './key-wrapping.ts';
import { LocalMasterKeys } from './local-master-keys.ts';
import { TransitKeys } from './transit-keys.ts';
import type { KeyWrapping } from './wrapped-key.ts';

const keyText = (byte: number): string => Buffer.alloc(32, byte).toString('base64');
const local = (text: string): LocalMasterKeys => new LocalMasterKeys(readEnvironment({ DEJA_MASTER_KEY: text }).masterKeys);

const flipped = (buffer: Buffer, bit: number): Buffer => {
  const copy = Buffer.from(buffer);
  copy[bit >> 3]! ^= 1 << (bit & 7);
  return copy;
};

describe('local master keys', () => {
  test('wrap under the first of them, and unwrap under all', async () => {
    const dataKey = randomBytes(32);
    const [old, both, renamed] = [local(`a:${keyText(1)}`), local(`b:${keyText(2)},a:${keyText(1)}`), local(`b:${keyText(1)}`)];
    const wrapped = await old.wrap(dataKey);
    expect(wrapped.keyId).toBe('a');
    expect((await both.wrap(dataKey)).keyId).toBe('b');
    expect(await both.unwrap(wrapped)).toEqual(dataKey);
    await expect(old.unwrap(await both.wrap(dataKey))).rejects.toMatchObject({ problem: 'missing', keyId: 'b' });
    // The id belongs to what is wrapped: it does not open as if it had been wrapped under another.
    await expect(renamed.unwrap({ ...wrapped, keyId: 'b' })).rejects.toMatchObject({ problem: 'refused' });
  });

  test('are recognised by their bytes: what was wrapped under a name that is not given any more, or to another key, opens', async () => {
    const dataKey = randomBytes(32);
    const wrapped = await local(`a:${keyText(1)}`).wrap(dataKey);
    for (const text of [keyText(1), `b:${keyText(1)}`, `b:${keyText(2)},c:${keyText(1)}`, `b:${keyText(2)},a:${keyText(3)},c:${keyText(1)}`]) {
      const keys = local(text);
      for (let time = 0; time < 2; time++) expect(await keys.unwrap(wrapped)).toEqual(dataKey);
      await expect(keys.unwrap({ keyId: 'a', wrapped: flipped(wrapped.wrapped, 200) })).rejects.toMatchObject({ problem: 'refused', keyId: 'a' });
    }
    for (const [text, problem] of [[`b:${keyText(2)},c:${keyText(3)}`, 'missing'], [`b:${keyText(2)},a:${keyText(3)}`, 'refused']] as const) await expect(local(text).unwrap(wrapped)).rejects.toMatchObject({ problem });
  });

  test('wrap under no name that another of them has wrapped under', async () => {
    const wrapped = await local(`a:${keyText(1)}`).wrap(randomBytes(32));
    await expect(local(`a:${keyText(2)},b:${keyText(1)}`).unwrap(wrapped)).rejects.toMatchObject({ problem: 'refused', keyId: 'a' });
  });

  test('do not unwrap what was changed, cut, or wrapped by another key of that name', async () => {
    const [keys, others] = [local(`a:${keyText(1)}`), local(`a:${keyText(2)}`)];
    const { wrapped } = await keys.wrap(randomBytes(32));
    await fc.assert(fc.asyncProperty(fc.nat({ max: wrapped.length * 8 - 1 }), async (bit) => {
      await expect(keys.unwrap({ keyId: 'a', wrapped: flipped(wrapped, bit) })).rejects.toMatchObject({ problem: 'refused' });
    }));
    await expect(keys.unwrap({ keyId: 'a', wrapped: wrapped.subarray(1) })).rejects.toMatchObject({ problem: 'refused' });
    await expect(others.unwrap({ keyId: 'a', wrapped })).rejects.toMatchObject({ problem: 'refused' });
  });

  test('do not print', () => {
    const key = Buffer.from('planted-planted-planted-planted-');
    const printed = inspect(local(key.toString('base64')), { depth: 9, showHidden: true });
    for (const form of ['utf8', 'base64', 'hex'] as const) expect(printed).not.toContain(key.toString(form));
  });
});

describe('keys of a transit engine', () => {
  let vault: FakeTransit;
  let directory: string;
  const opened: TransitKeys[] = [];
  const transit = (over: NodeJS.ProcessEnv = {}, timeoutMs?: number): TransitKeys => {
    const settings = readEnvironment({ VAULT_ADDR: vault.address, VAULT_TOKEN: vault.token, VAULT_NAMESPACE: 'ns', DEJA_TRANSIT_MOUNT: 'team/transit', DEJA_TRANSIT_KEY: 'deja', ...over }).transit!;
    opened.push(new TransitKeys(settings, timeoutMs));
    return opened.at(-1)!;
  };

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'deja-transit-'));
  });
  afterAll(() => rm(directory, { recursive: true }));
  beforeEach(async () => {
    vault = await FakeTransit.start({ mount: 'team/transit', namespace: 'ns', token: 'hvs.planted-token', keys: ['deja', 'other'] });
  });
  afterEach(async () => {
    await vault.stop();
    await Promise.all(opened.splice(0).map((keys) => keys.close()));
  });

  test('wrap under the version that is the latest there, and unwrap what earlier ones and other keys wrapped', async () => {
    const dataKey = randomBytes(32);
    const keys = transit();
    const first = await keys.wrap(dataKey);
    expect(first.keyId).toBe('transit:team/transit/deja:v1');
    vault.rotate('deja');
    expect((await keys.wrap(dataKey)).keyId).toBe('transit:team/transit/deja:v2');
    expect(await keys.unwrap(first)).toEqual(dataKey);
    expect(await transit({ DEJA_TRANSIT_KEY: 'other' }).unwrap(first)).toEqual(dataKey);
    expect(await transit({ DEJA_TRANSIT_KEY: undefined }).unwrap(first)).toEqual(dataKey);
    expect(vault.requests).toEqual(['encrypt/deja', 'encrypt/deja', 'decrypt/deja', 'decrypt/deja', 'decrypt/deja']);
  });

  test('read a token file again when it has changed', async () => {
    const file = join(directory, 'token');
    await writeFile(file, `${vault.token}\n`);
    const keys = transit({ VAULT_TOKEN: undefined, VAULT_TOKEN_FILE: file });
    const wrapped = await keys.wrap(randomBytes(32));
    vault.token = 'hvs.planted-renewed';
    await expect(keys.unwrap(wrapped)).rejects.toMatchObject({ problem: 'refused' });
    await writeFile(file, vault.token);
    expect(await keys.unwrap(wrapped)).toHaveLength(32);
    await rm(file);
    await expect(keys.unwrap(wrapped)).rejects.toMatchObject({ problem: 'unreachable', reason: `the file ${file} that VAULT_TOKEN_FILE names cannot be read (ENOENT)` });
  });

  test.each<[string, (vault: FakeTransit) => void, string, number]>([
    ['is of another key there', (at) => at.create('deja'), 'refused', 3000],
    ['is older than the engine allows', (at) => (at.rotate('deja'), at.setMinDecryptionVersion('deja', 2)), 'refused', 3000],
    ['is not for this token', (at) => (at.token = 'hvs.planted-next'), 'refused', 3000],
    ['is sealed away', (at) => (at.mood = 'sealed'), 'unreachable', 3000],
    ['is elsewhere, as a redirect says', (at) => (at.mood = 'redirecting'), 'refused', 3000],
    ['is asked of no Vault', (at) => (at.mood = 'babbling'), 'unreachable', 3000],
    ['gets no answer', (at) => (at.mood = 'hanging'), 'unreachable', 200],
  ])('do not unwrap what %s, and say so without the token or a data key', async (_, change, problem, timeoutMs) => {
    const dataKey = randomBytes(32);
    const wrapped = await transit().wrap(dataKey);
    const unwrapping = transit({}, timeoutMs);
    change(vault);
    const error: unknown = await unwrapping.unwrap(wrapped).catch((caught: unknown) => caught);
    expect(error).toMatchObject({ name: 'KeyWrappingError', problem, keyId: wrapped.keyId });
    const printed = inspect(error, { depth: 9, showHidden: true });
    for (const secret of ['planted', dataKey.toString('base64'), dataKey.toString('hex')]) expect(printed).not.toContain(secret);
    expect(vault.requests).toHaveLength(2); // a redirect is not followed
  });

  test.each<TransitMood>(['sealed', 'babbling'])('do not wrap with a Vault that is %s', async (mood) => {
    vault.mood = mood;
    await expect(transit().wrap(randomBytes(32))).rejects.toMatchObject({ problem: 'unreachable' });
  });

  test.each([['transit:team/transit/deja:v1', 'vault:v2:AAAA'], ['transit:team/transit/deja:v1', '../../sys/seal'], ['transit:../sys/deja:v1', 'vault:v1:AAAA'], ['a', 'vault:v1:AAAA']])('never ask for %s with %s', async (keyId, wrapped) => {
    await expect(transit().unwrap({ keyId, wrapped: Buffer.from(wrapped) })).rejects.toMatchObject({ name: 'KeyWrappingError' });
    expect(vault.requests).toEqual([]);
  });

  test('do not print their token', () => {
    expect(inspect(transit(), { depth: 9, showHidden: true })).not.toContain('planted');
  });

  test('go with local ones: the transit key wraps where one is named, and both unwrap', async () => {
    const given = { DEJA_MASTER_KEY: `a:${keyText(1)}`, VAULT_ADDR: vault.address, VAULT_TOKEN: vault.token, VAULT_NAMESPACE: 'ns', DEJA_TRANSIT_MOUNT: 'team/transit' };
    const ring = (over: NodeJS.ProcessEnv): KeyWrapping => keyWrappingOf(readEnvironment({ ...given, ...over }));
    const [remote, here] = [ring({ DEJA_TRANSIT_KEY: 'deja' }), ring({})];
    const dataKey = randomBytes(32);
    const [byTransit, byLocal] = [await remote.wrap(dataKey), await here.wrap(dataKey)];
    expect([byTransit.keyId, byLocal.keyId]).toEqual(['transit:team/transit/deja:v1', 'a']);
    for (const keys of [remote, here]) for (const wrapped of [byTransit, byLocal]) expect(await keys.unwrap(wrapped)).toEqual(dataKey);
    expect(ring({ VAULT_ADDR: '' }).holds(byTransit.keyId)).toBe(false);
    await expect(ring({ VAULT_ADDR: '' }).unwrap(byTransit)).rejects.toMatchObject({ problem: 'missing' });
  });
});

test('without any master key there is a sentence that says what to set', () => {
  expect(() => keyWrappingOf(readEnvironment({}))).toThrow(ConfigError);
  expect(() => keyWrappingOf(readEnvironment({ VAULT_ADDR: 'http://v', VAULT_TOKEN: 't' }))).toThrow('DEJA_MASTER_KEY is missing: set it, or DEJA_MASTER_KEY_FILE, to 32 random bytes in base64');
});
