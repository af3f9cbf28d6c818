import { ConfigError } from '@deja/config';
import { DejaError, type JsonWebKeyPublic } from '@deja/contracts';
import { compactDecrypt, exportJWK, generateKeyPair, importJWK, type JWK } from 'jose';
import { z } from 'zod';
import { INTAKE_KEY } from './envelope.ts';
import type { MasterKeysRepository } from './master-keys.repository.ts';
import type { MasterKeys } from './master-keys.ts';
import { openValue, sealValue } from './sealed-value.ts';

const CURVE = 'P-256';
const PRIVATE_JWK = z.object({ kty: z.literal('EC'), crv: z.literal(CURVE), x: z.string(), y: z.string(), d: z.string() });

/** The cluster's own key pair: values on their way into the vault are sealed to its public half. The private half is kept as a credential is, and opened for each use. */
export class IntakeKey {
  readonly #keys: MasterKeys;
  readonly #repository: MasterKeysRepository;
  #publicKey: JsonWebKeyPublic | null = null;

  constructor(keys: MasterKeys, repository: MasterKeysRepository) {
    this.#keys = keys;
    this.#repository = repository;
  }

  /** Has a key pair made where the cluster has none; replicas that do it together end with the same. Throws a ConfigError when the one that is kept does not open. */
  async prepare(): Promise<void> {
    if ((await this.#repository.intakeKey()) === null) {
      const pair = await generateKeyPair('ECDH-ES', { crv: CURVE, extractable: true });
      const text = Buffer.from(JSON.stringify(await exportJWK(pair.privateKey)));
      await this.#repository.insertIntakeKey(await sealValue(this.#keys, text, INTAKE_KEY));
      text.fill(0);
    }
    const jwk = await this.#privateJwk();
    if (jwk === null) {
      throw new ConfigError('the vault\'s intake key does not open, because its row in Postgres (router.intake_key) was changed: restore it, or delete it to have a new one made at the next start.');
    }
    // The public half comes from the private one: nothing that is not authenticated is sealed to.
    this.#publicKey = { kty: jwk.kty, crv: jwk.crv, x: jwk.x, y: jwk.y };
  }

  /** Throws before `prepare`. */
  get publicKey(): JsonWebKeyPublic {
    if (this.#publicKey === null) throw new DejaError('overloaded', 'The vault is not ready yet.', { retryAfterMs: 1000 });
    return this.#publicKey;
  }

  /** What was sealed to the public key (compact JWE, ECDH-ES and A256GCM), for its one use. Throws `invalid_value` for anything else. */
  async open(jwe: string): Promise<Buffer> {
    const jwk = await this.#privateJwk();
    if (jwk === null) throw new Error('the intake key in Postgres was changed and does not open any more');
    const key = await importJWK(jwk satisfies JWK, 'ECDH-ES');
    try {
      const { plaintext } = await compactDecrypt(jwe, key, { keyManagementAlgorithms: ['ECDH-ES'], contentEncryptionAlgorithms: ['A256GCM'], maxDecompressedLength: 0 });
      return Buffer.from(plaintext.buffer, plaintext.byteOffset, plaintext.byteLength);
    } catch (cause) {
      throw new DejaError('invalid_value', 'The value is not sealed to the key of this cluster.', { param: 'value', cause });
    }
  }

  async #privateJwk(): Promise<z.infer<typeof PRIVATE_JWK> | null> {
    const sealed = await this.#repository.intakeKey();
    const text = sealed === null ? null : await openValue(this.#keys, sealed, INTAKE_KEY);
    if (text === null) return null;
    const jwk = PRIVATE_JWK.safeParse(JSON.parse(text.toString()));
    text.fill(0);
    return jwk.data ?? null;
  }
}
