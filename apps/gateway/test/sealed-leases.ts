import { CompactEncrypt, importJWK } from 'jose';
import type { FetchLeases } from '../src/attempt/credential-leases.ts';

/** What a router would answer for these values, by `id@version`; ids that it does not know are left out. */
export function sealing(values: Record<string, string>): FetchLeases {
  return async ({ credentials, publicKey }) => {
    const key = await importJWK({ ...publicKey, alg: 'ECDH-ES' }, 'ECDH-ES');
    const known = credentials.filter(({ id, version }) => `${id}@${version}` in values);
    const leases = known.map(async ({ id, version }) => {
      const text = new TextEncoder().encode(values[`${id}@${version}`]);
      return { id, version, jwe: await new CompactEncrypt(text).setProtectedHeader({ alg: 'ECDH-ES', enc: 'A256GCM' }).encrypt(key) };
    });
    return { leases: await Promise.all(leases) };
  };
}
