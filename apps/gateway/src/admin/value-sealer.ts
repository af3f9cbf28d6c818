import type { Secret } from '@deja/config';
import { DejaError, type JsonWebKeyPublic } from '@deja/contracts';
import { CompactEncrypt, importJWK, type CryptoKey } from 'jose';

/** Asks the router for the cluster's own public key. */
export type FetchVaultKey = () => Promise<JsonWebKeyPublic>;

interface VaultKey {
  jwk: JsonWebKeyPublic;
  key: CryptoKey | Uint8Array;
}

const SEALED_FIELDS = new Set(['value', 'sealedValue', 'sealed']);

/** Seals values to the cluster's own key (RFC 7516 compact JWE, ECDH-ES with A256GCM, RFC 7518), so that none passes Redis in clear. */
export class ValueSealer {
  #key: Promise<VaultKey> | null = null;

  constructor(private readonly fetchKey: FetchVaultKey) {}

  /**
   * Hands a sealed value on. Where it comes back as one that cannot be opened, and the cluster has another key by now, it is sealed
   * and handed on once more.
   */
  async sealed<T>(value: Secret, send: (sealedValue: string) => Promise<T>): Promise<T> {
    const known = await this.#vaultKey();
    try {
      return await send(await seal(value, known));
    } catch (error) {
      if (!isUnopened(error)) throw error;
      this.#key = null;
      const current = await this.#vaultKey();
      if (current.jwk.x === known.jwk.x && current.jwk.y === known.jwk.y) throw error; // it was the value, then
      return await send(await seal(value, current));
    }
  }

  /** Fetched once; a failure is not kept. */
  #vaultKey(): Promise<VaultKey> {
    const fetching = this.#key ?? this.fetchKey().then(usable);
    this.#key = fetching;
    fetching.catch(() => {
      if (this.#key === fetching) this.#key = null;
    });
    return fetching;
  }
}

async function usable(jwk: JsonWebKeyPublic): Promise<VaultKey> {
  if (jwk.kty !== 'EC' || jwk.crv !== 'P-256') throw new Error("the router's key to seal values to is not on P-256");
  return { jwk, key: await importJWK({ ...jwk }, 'ECDH-ES') };
}

const seal = (value: Secret, { key }: VaultKey): Promise<string> =>
  new CompactEncrypt(new TextEncoder().encode(value.reveal())).setProtectedHeader({ alg: 'ECDH-ES', enc: 'A256GCM' }).encrypt(key);

const isUnopened = (error: unknown): boolean => error instanceof DejaError && error.code === 'invalid_value' && SEALED_FIELDS.has(error.param ?? '');
