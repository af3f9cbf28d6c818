import { createHmac } from 'node:crypto';
import type { CredentialConfig, DejaConfig, Secret } from '@deja/config';
import { DejaError, type JsonWebKeyPublic, type RouterRpc } from '@deja/contracts';
import { CompactEncrypt, importJWK } from 'jose';

type Lease = RouterRpc['credential']['reply']['leases'][number];

const VERSION_CHARS = 16;
const CURVES = new Set(['P-256', 'P-384', 'P-521', 'X25519']);

/** Provider credentials in memory: the only place where their values are, besides the file and the environment they came from. */
export class CredentialVault {
  readonly #salt: Buffer;
  #values = new Map<string, { version: string; value: Secret }>();

  constructor(salt: Buffer) {
    this.#salt = salt;
  }

  /** Holds exactly the credentials of this configuration from now on. */
  hold(config: DejaConfig): void {
    const credentials = config.providers.flatMap((provider) => provider.credentials);
    this.#values = new Map(credentials.map((credential) => [credential.id, { version: this.versionOf(credential), value: credential.value }]));
  }

  /** Changes with the value, says nothing about it, and is the same in every replica of the cluster. */
  versionOf(credential: CredentialConfig): string {
    return createHmac('sha256', this.#salt).update(`${credential.id}\0${credential.value.reveal()}`).digest('base64url').slice(0, VERSION_CHARS);
  }

  holds(wanted: { id: string; version: string }): boolean {
    return this.#values.get(wanted.id)?.version === wanted.version;
  }

  /**
   * The values asked for, each sealed to the public key (RFC 7516 compact JWE, ECDH-ES with A256GCM, RFC 7518); those that are not held
   * in that version are left out. Throws `invalid_value` for a key that cannot be sealed to.
   */
  async lease(wanted: { id: string; version: string }[], publicKey: JsonWebKeyPublic): Promise<Lease[]> {
    if (!CURVES.has(publicKey.crv)) throw new DejaError('invalid_value', 'The public key is not on a curve that credentials are sealed to.', { param: 'publicKey' });
    const key = await importJWK({ ...publicKey }, 'ECDH-ES').catch((cause: unknown) => {
      throw new DejaError('invalid_value', 'The public key is not a JWK that credentials can be sealed to.', { param: 'publicKey', cause });
    });
    const held = wanted.flatMap(({ id, version }) => {
      const entry = this.#values.get(id);
      return entry?.version === version ? [{ id, version, value: entry.value }] : [];
    });
    return Promise.all(held.map(async ({ id, version, value }) => ({
      id,
      version,
      jwe: await new CompactEncrypt(new TextEncoder().encode(value.reveal()))
        .setProtectedHeader({ alg: 'ECDH-ES', enc: 'A256GCM', kid: `${id}@${version}` })
        .encrypt(key),
    })));
  }
}
