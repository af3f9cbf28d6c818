import { inspect } from 'node:util';
import { describe, expect, test } from '@jest/globals';
import { parseConfig, type DejaConfig } from '@deja/config';
import type { JsonWebKeyPublic } from '@deja/contracts';
import { compactDecrypt, decodeProtectedHeader, exportJWK, generateKeyPair } from 'jose';
import { CredentialVault } from './credential-vault.ts';

function config(value: string): DejaConfig {
  const parsed = parseConfig(`providers: { p: { kind: openai, credentials: [{ name: a, value: "${value}" }] } }`, { openaiApiKeys: [], openaiBaseUrl: null, variables: {} });
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.errors));
  return parsed.config;
}

function vaultWith(value: string, salt = 'salt'): { vault: CredentialVault; version: string } {
  const vault = new CredentialVault(Buffer.from(salt));
  const held = config(value);
  vault.hold(held);
  return { vault, version: vault.versionOf(held.providers[0]!.credentials[0]!) };
}

async function keys(crv: 'P-256' | 'X25519' = 'P-256'): Promise<{ privateKey: Awaited<ReturnType<typeof generateKeyPair>>['privateKey']; publicKey: JsonWebKeyPublic }> {
  const pair = await generateKeyPair('ECDH-ES', { crv, extractable: true });
  return { privateKey: pair.privateKey, publicKey: (await exportJWK(pair.publicKey)) as JsonWebKeyPublic };
}

describe('the vault', () => {
  test.each(['P-256', 'X25519'] as const)('seals a value so that only the asking gateway opens it (%s)', async (crv) => {
    const { vault, version } = vaultWith('sk-planted');
    const { privateKey, publicKey } = await keys(crv);
    const [lease] = await vault.lease([{ id: 'p/a', version }], publicKey);
    expect(decodeProtectedHeader(lease!.jwe)).toMatchObject({ alg: 'ECDH-ES', enc: 'A256GCM' });
    expect(new TextDecoder().decode((await compactDecrypt(lease!.jwe, privateKey)).plaintext)).toBe('sk-planted');
    await expect(compactDecrypt(lease!.jwe, (await keys(crv)).privateKey)).rejects.toThrow('decryption operation failed');
  });

  test('gives out only what is held, in exactly that version, and what was replaced for a moment', async () => {
    let now = 0;
    const vault = new CredentialVault(Buffer.from('salt'), () => now);
    const { version } = vaultWith('sk-planted');
    vault.hold(config('sk-planted'));
    const { publicKey } = await keys();
    const given = async (): Promise<string[]> => (await vault.lease([{ id: 'p/a', version: 'other' }, { id: 'p/b', version }, { id: 'p/a', version }], publicKey)).map((lease) => lease.id);
    expect(await given()).toEqual(['p/a']);
    vault.hold(config('sk-next'));
    now = 999;
    expect(await given()).toEqual(['p/a']);
    now = 1000;
    expect(await given()).toEqual([]);
  });

  test('names versions that change with the value and with the cluster, and are the same in every replica', () => {
    const versions = [vaultWith('one'), vaultWith('one'), vaultWith('two'), vaultWith('one', 'other salt')].map(({ version }) => version);
    expect(versions[0]).toBe(versions[1]);
    expect(new Set(versions).size).toBe(3);
  });

  test.each([
    { kty: 'EC', crv: 'secp256k1', x: 'AA', y: 'AA' },
    { kty: 'EC', crv: 'P-256', x: 'AA', y: 'AA' },
    { kty: 'oct', crv: 'P-256', x: 'AA' },
  ])('refuses a key it cannot seal to: %j', async (publicKey) => {
    const { vault, version } = vaultWith('sk-planted');
    await expect(vault.lease([{ id: 'p/a', version }], publicKey)).rejects.toMatchObject({ code: 'invalid_value', param: 'publicKey' });
  });

  test('does not print its values', () => {
    expect(inspect(vaultWith('sk-planted').vault, { depth: 9, showHidden: true })).not.toContain('planted');
  });
});
