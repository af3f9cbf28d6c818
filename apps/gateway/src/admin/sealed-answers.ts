import type { JsonWebKeyPublic } from '@deja/contracts';
import { compactDecrypt, exportJWK, generateKeyPair, type CryptoKey } from 'jose';

interface KeyPair {
  publicKey: JsonWebKeyPublic;
  privateKey: CryptoKey;
}

/** Secrets that are shown once come here sealed (RFC 7516 compact JWE, ECDH-ES with A256GCM), to a key pair that never leaves this process. */
export class SealedAnswers {
  #keys: Promise<KeyPair> | null = null;

  /** What a secret is to be sealed to. */
  async publicKey(): Promise<JsonWebKeyPublic> {
    return (await this.#pair()).publicKey;
  }

  /** Rejects for what was not sealed to this process. */
  async open(jwe: string): Promise<string> {
    const { privateKey } = await this.#pair();
    const { plaintext } = await compactDecrypt(jwe, privateKey, { keyManagementAlgorithms: ['ECDH-ES'], contentEncryptionAlgorithms: ['A256GCM'] });
    return new TextDecoder().decode(plaintext);
  }

  #pair(): Promise<KeyPair> {
    return (this.#keys ??= generateKeyPair('ECDH-ES', { crv: 'P-256' }).then(async ({ publicKey, privateKey }) => ({ publicKey: (await exportJWK(publicKey)) as JsonWebKeyPublic, privateKey })));
  }
}
