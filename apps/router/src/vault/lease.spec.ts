import { describe, expect, test } from '@jest/globals';
import type { JsonWebKeyPublic } from '@deja/contracts';
import { compactDecrypt, decodeProtectedHeader, exportJWK, generateKeyPair } from 'jose';
import { sealerTo } from './lease.ts';

async function keys(crv: 'P-256' | 'X25519'): Promise<{ privateKey: Awaited<ReturnType<typeof generateKeyPair>>['privateKey']; publicKey: JsonWebKeyPublic }> {
  const pair = await generateKeyPair('ECDH-ES', { crv, extractable: true });
  return { privateKey: pair.privateKey, publicKey: (await exportJWK(pair.publicKey)) as JsonWebKeyPublic };
}

describe('a lease', () => {
  test.each(['P-256', 'X25519'] as const)('opens only for who has the private key (%s)', async (crv) => {
    const { privateKey, publicKey } = await keys(crv);
    const jwe = await (await sealerTo(publicKey))('p/a@v', Buffer.from('sk-planted'));
    expect(decodeProtectedHeader(jwe)).toMatchObject({ alg: 'ECDH-ES', enc: 'A256GCM', kid: 'p/a@v' });
    expect(new TextDecoder().decode((await compactDecrypt(jwe, privateKey)).plaintext)).toBe('sk-planted');
    await expect(compactDecrypt(jwe, (await keys(crv)).privateKey)).rejects.toThrow('decryption operation failed');
  });

  test.each([
    { kty: 'EC', crv: 'secp256k1', x: 'AA', y: 'AA' },
    { kty: 'EC', crv: 'P-256', x: 'AA', y: 'AA' },
    { kty: 'oct', crv: 'P-256', x: 'AA' },
  ])('is not sealed to what is no fitting key: %j', async (publicKey) => {
    await expect(sealerTo(publicKey)).rejects.toMatchObject({ code: 'invalid_value', param: 'publicKey' });
  });
});
