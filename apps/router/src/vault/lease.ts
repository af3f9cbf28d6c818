import { DejaError, type JsonWebKeyPublic } from '@deja/contracts';
import { CompactEncrypt, importJWK } from 'jose';

const CURVES = new Set(['P-256', 'P-384', 'P-521', 'X25519']);

/** Seals one value, under a name that the opener reads, to somebody's public key. */
export type SealFor = (name: string, value: Uint8Array) => Promise<string>;

/** RFC 7516 compact JWE, ECDH-ES with A256GCM (RFC 7518). Throws `invalid_value` for a key that cannot be sealed to. */
export async function sealerTo(publicKey: JsonWebKeyPublic): Promise<SealFor> {
  if (!CURVES.has(publicKey.crv)) throw new DejaError('invalid_value', 'The public key is not on a curve that credentials are sealed to.', { param: 'publicKey' });
  const key = await importJWK({ ...publicKey }, 'ECDH-ES').catch((cause: unknown) => {
    throw new DejaError('invalid_value', 'The public key is not a JWK that credentials can be sealed to.', { param: 'publicKey', cause });
  });
  return (name, value) => new CompactEncrypt(value).setProtectedHeader({ alg: 'ECDH-ES', enc: 'A256GCM', kid: name }).encrypt(key);
}
