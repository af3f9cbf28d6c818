import { createHmac } from 'node:crypto';
import type { CredentialConfig, DejaConfig, Secret } from '@deja/config';
import { DejaError, type JsonWebKeyPublic, type RouterRpc } from '@deja/contracts';
import { CompactEncrypt, importJWK } from 'jose';

type Lease = RouterRpc['credential']['reply']['leases'][number];

const VERSION_CHARS = 16;
/** Gateways hear of a new configuration a moment after this replica; requests that were planned before are not to fail for that. */
const HANDOVER_MS = 1000;
const CURVES = new Set(['P-256', 'P-384', 'P-521', 'X25519']);

type Held = Map<string, { version: string; value: Secret }>;

/** Provider credentials in memory: the only place where their values are, besides the file and the environment they came from. */
export class CredentialVault {
  readonly #salt: Buffer;
  readonly #now: () => number;
  #current: Held = new Map();
  #previous: Held = new Map();
  #previousUntilMs = 0;

  constructor(salt: Buffer, now: () => number = Date.now) {
    this.#salt = salt;
    this.#now = now;
  }

  /** Holds exactly the credentials of this configuration from now on; those before for one more moment. */
  hold(config: DejaConfig): void {
    const credentials = config.providers.flatMap((provider) => provider.credentials);
    this.#previous = this.#current;
    this.#previousUntilMs = this.#now() + HANDOVER_MS;
    this.#current = new Map(credentials.map((credential) => [credential.id, { version: this.versionOf(credential), value: credential.value }]));
  }

  /** Changes with the value, says nothing about it, and is the same in every replica of the cluster. */
  versionOf(credential: CredentialConfig): string {
    return createHmac('sha256', this.#salt).update(`${credential.id}\0${credential.value.reveal()}`).digest('base64url').slice(0, VERSION_CHARS);
  }

  holds(wanted: { id: string; version: string }): boolean {
    return this.#valueOf(wanted) !== null;
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
      const value = this.#valueOf({ id, version });
      return value === null ? [] : [{ id, version, value }];
    });
    return Promise.all(held.map(async ({ id, version, value }) => ({
      id,
      version,
      jwe: await new CompactEncrypt(new TextEncoder().encode(value.reveal()))
        .setProtectedHeader({ alg: 'ECDH-ES', enc: 'A256GCM', kid: `${id}@${version}` })
        .encrypt(key),
    })));
  }

  #valueOf({ id, version }: { id: string; version: string }): Secret | null {
    const current = this.#current.get(id);
    if (current?.version === version) return current.value;
    const previous = this.#now() < this.#previousUntilMs ? this.#previous.get(id) : undefined;
    return previous?.version === version ? previous.value : null;
  }
}
