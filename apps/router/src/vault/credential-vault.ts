import { randomBytes } from 'node:crypto';
import type { CredentialConfig, DejaConfig } from '@deja/config';
import { DejaError, newId, type CredentialRef, type CredentialView, type JsonWebKeyPublic, type NewCredential, type RewrapReport, type RouterRpc } from '@deja/contracts';
import { isPassing } from '@deja/postgres';
import type { Logger } from '@deja/telemetry';
import { fileId, fileView, storedView, type HealthOf } from './credential-view.ts';
import { additionalDataOf } from './envelope.ts';
import { FileCredentials } from './file-credentials.ts';
import { IntakeKey } from './intake-key.ts';
import { sealerTo, type SealFor } from './lease.ts';
import type { MasterKeysRepository } from './master-keys.repository.ts';
import { MasterKeys } from './master-keys.ts';
import { checkNewCredential, checkValue, checkWeight, refused, type CheckAddress } from './new-credential.ts';
import { rewrap } from './rewrap.ts';
import { sealValue } from './sealed-value.ts';
import { StoredCredentials } from './stored-credentials.ts';
import type { CredentialChange, CredentialVersion, NewStoredCredential, NewValue, StoredCredentialsRepository } from './stored-credentials.repository.ts';
import { KeyWrappingError, type KeyWrapping } from './wrapped-key.ts';

type Lease = RouterRpc['credential']['reply']['leases'][number];

const VERSION_BYTES = 12;
const LARGEST_SEALED_CHARS = 16 * 1024;
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
/** SQLSTATEs of Postgres (appendix "PostgreSQL Error Codes"). */
const UNIQUE_VIOLATION = '23505';
const FOREIGN_KEY_VIOLATION = '23503';

export interface VaultOptions {
  /** Of the cluster. */
  salt: Buffer;
  keys: KeyWrapping;
  repository: StoredCredentialsRepository;
  masterKeysRepository: MasterKeysRepository;
  /** Whether this is an address, and one that a credential's requests may go to. */
  checkAddress: CheckAddress;
  logger: Pick<Logger, 'warn' | 'error'>;
  healthOf?: HealthOf;
  now?: () => number;
}

/**
 * Provider credentials: those of deja.yaml in memory, those of the admin API encrypted in Postgres and in memory. A value leaves only
 * sealed to the gateway that asked. Whoever changes something tells the gateways: the vault has no push channel.
 */
export class CredentialVault {
  readonly #file: FileCredentials;
  readonly #stored: StoredCredentials;
  readonly #keys: MasterKeys;
  readonly #intake: IntakeKey;
  readonly #options: VaultOptions;
  readonly #healthOf: HealthOf;
  readonly #now: () => number;

  constructor(options: VaultOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
    this.#healthOf = options.healthOf ?? (() => ({ trouble: null, unavailableUntilMs: 0 }));
    this.#keys = new MasterKeys(options.keys, options.masterKeysRepository);
    this.#intake = new IntakeKey(this.#keys, options.masterKeysRepository);
    this.#file = new FileCredentials(options.salt, this.#now);
    this.#stored = new StoredCredentials(options.repository, this.#keys, this.#now);
  }

  /** At start, before anything else: throws a ConfigError when a master key is missing or wrong, and has written nothing then. */
  async verifyMasterKeys(): Promise<void> {
    await this.#keys.verify();
    await this.#intake.prepare();
  }

  /** Holds exactly the file's credentials of this configuration from now on; those before for one more moment. */
  hold(config: DejaConfig): void {
    this.#file.hold(config);
  }

  /** Of a credential of the file: changes with the value, says nothing about it, and is the same in every replica of the cluster. */
  versionOf(credential: CredentialConfig): string {
    return this.#file.versionOf(credential);
  }

  /** Reads what the admin API made. Rejects while Postgres is away; what was read before stays in use. */
  load(): Promise<void> {
    return this.#stored.load();
  }

  /** Of Postgres: other than `loadedRevision` when there is something to load. */
  revision(): Promise<number> {
    return this.#options.repository.revision();
  }

  get loadedRevision(): number {
    return this.#stored.revision;
  }

  /** Ids of the deployments that an operator took out of rotation. */
  get drained(): ReadonlySet<string> {
    return this.#stored.drained;
  }

  /** For the snapshot: a provider's credentials of the admin API. One whose name the file has meanwhile taken is left out. */
  refsFor(provider: string): CredentialRef[] {
    return this.#stored.refsFor(provider).filter(({ id }) => !this.#file.has(id));
  }

  /** Whether there is one of this provider, be it disabled: its requests are not to go out without. */
  hasAny(provider: string): boolean {
    return this.#stored.hasAny(provider);
  }

  holds(wanted: { id: string; version: string }): boolean {
    return this.#file.valueOf(wanted) !== null || this.#stored.holds(wanted);
  }

  /**
   * The values asked for, each sealed to the public key; those that are not held in that version, or cannot be opened at the moment, are
   * left out. Throws `invalid_value` for a key that cannot be sealed to.
   */
  async lease(wanted: { id: string; version: string }[], publicKey: JsonWebKeyPublic): Promise<Lease[]> {
    const sealFor = await sealerTo(publicKey);
    const leases = await Promise.all(wanted.map(({ id, version }) => this.#lease({ id, version }, sealFor)));
    return leases.filter((lease) => lease !== null);
  }

  /** Everything, the file's credentials first. */
  list(): CredentialView[] {
    return [
      ...this.#file.providers.flatMap((provider) => provider.credentials.map((credential) => fileView(provider.name, credential, this.#healthOf({ id: credential.id, version: this.versionOf(credential) })))),
      ...this.#stored.all.map((credential) => storedView(credential, this.#healthOf)),
    ];
  }

  get intakePublicKey(): JsonWebKeyPublic {
    return this.#intake.publicKey;
  }

  /** Throws `invalid_value` naming the field of the admin API, `overloaded` when Postgres or who keeps the master key is away. */
  async create(credential: NewCredential): Promise<CredentialView> {
    const { baseUrl } = checkNewCredential(credential, this.#file.providers, this.#options.checkAddress);
    const { tenant, provider, name, weight, limits, sealedValue } = credential;
    const stored: NewStoredCredential = { id: newId(), tenant, provider, name, baseUrl, weight, limits };
    await this.#change(async () => {
      // Asked first, because Postgres writes what violates a foreign key into its log, and that may be a value in the wrong field.
      if (tenant !== null && !(await this.#options.repository.hasTenant(tenant))) throw refused('tenant', NO_SUCH_TENANT);
      const value = await this.#newValue(stored, sealedValue);
      await this.#options.repository.insert(stored, value, this.#moment()).catch((error: unknown) => {
        const code = sqlStateOf(error);
        if (code === UNIQUE_VIOLATION) throw refused('name', `There is a credential ${JSON.stringify(name)} of this provider already: choose another name, or rotate that one.`, error);
        if (code === FOREIGN_KEY_VIOLATION) throw refused('tenant', NO_SUCH_TENANT, error);
        throw error;
      });
    });
    return this.#view(stored.id);
  }

  /** Errors, as of the next two: `not_found`; `invalid_value` for a credential that stands in deja.yaml; `overloaded`. */
  async update(id: string, change: CredentialChange): Promise<CredentialView> {
    this.#checkId(id);
    if (change.weight !== undefined) checkWeight(change.weight);
    await this.#change(async () => {
      if (!(await this.#options.repository.update(id, change, this.#moment()))) throw notFound();
    });
    return this.#view(id);
  }

  /** The new value is the one to use from now on; the one before it may be used until the grace is over, and one that is older still is destroyed, as the result says. */
  async rotate(id: string, sealedValue: string, graceS: number): Promise<{ credential: CredentialView; destroyed: CredentialVersion[] }> {
    this.#checkId(id);
    const destroyed = await this.#change(async () => {
      const credential = await this.#options.repository.find(id);
      if (credential === null) throw notFound();
      const value = await this.#newValue(credential, sealedValue);
      const at = this.#moment();
      const versions = await this.#options.repository.rotate(id, value, { at, expiresAt: graceS > 0 ? new Date(at.getTime() + graceS * 1000) : null });
      if (versions === null) throw notFound();
      return versions.map((version) => ({ id: `${credential.provider}/${credential.name}`, version }));
    });
    return { credential: this.#view(id), destroyed };
  }

  /** Returns `provider/name` of what is gone. */
  async delete(id: string): Promise<string> {
    this.#checkId(id);
    return this.#change(async () => (await this.#options.repository.delete(id)) ?? Promise.reject(notFound()));
  }

  /** Deletes the values whose grace is over, and says which this replica deleted. Costs nothing where there is none. */
  async destroyExpired(): Promise<CredentialVersion[]> {
    if (!this.#stored.hasExpired) return [];
    return this.#change(() => this.#options.repository.destroyExpired(this.#moment()));
  }

  /** Moves up to so many data keys under the current master key; to be called until nothing remains. Throws `overloaded`: what was moved stays moved. */
  rewrap(limit: number): Promise<RewrapReport> {
    return this.#change(() => rewrap(this.#keys, this.#options.masterKeysRepository, limit));
  }

  /** Whether there is such a deployment is for the caller to know. */
  async drain(deployment: string, drained: boolean): Promise<void> {
    await this.#change(() => this.#options.repository.drain(deployment, drained, this.#moment()));
  }

  async #lease(wanted: { id: string; version: string }, sealFor: SealFor): Promise<Lease | null> {
    const name = `${wanted.id}@${wanted.version}`;
    const ofFile = this.#file.valueOf(wanted);
    if (ofFile !== null) return { ...wanted, jwe: await sealFor(name, new TextEncoder().encode(ofFile.reveal())) };
    if (!this.#stored.holds(wanted)) return null;
    let value: Buffer | null;
    try {
      value = await this.#stored.open(wanted);
    } catch (error) {
      if (!(error instanceof KeyWrappingError)) throw error;
      this.#options.logger.error({ err: error, credential: wanted.id }, 'a credential cannot be decrypted: its data key cannot be unwrapped');
      return null;
    }
    if (value === null) {
      this.#options.logger.error({ credential: wanted.id }, 'a credential cannot be decrypted: its row in Postgres was changed');
      return null;
    }
    try {
      return { ...wanted, jwe: await sealFor(name, value) };
    } finally {
      value.fill(0);
    }
  }

  /** What was sealed for the intake, checked and sealed for keeping, under a version of its own. */
  async #newValue(owner: Pick<NewStoredCredential, 'tenant' | 'provider' | 'name' | 'baseUrl'>, sealedValue: string): Promise<NewValue> {
    if (sealedValue.length > LARGEST_SEALED_CHARS) throw refused('value', 'The value is too long.');
    const value = await this.#intake.open(sealedValue);
    try {
      const { lastFour } = checkValue(value);
      const version = randomBytes(VERSION_BYTES).toString('base64url');
      return { version, lastFour, ...(await sealValue(this.#keys, value, additionalDataOf({ ...owner, version }))) };
    } finally {
      value.fill(0);
    }
  }

  /** Does a change, and knows of it when it resolves. */
  async #change<T>(work: () => Promise<T>): Promise<T> {
    let result: T;
    try {
      result = await work();
    } catch (cause) {
      if (!(cause instanceof KeyWrappingError) && !isPassing(cause)) throw cause;
      throw new DejaError('overloaded', `Credentials cannot be changed at the moment: ${cause instanceof KeyWrappingError ? 'the master key' : 'the database'} cannot be used.`, { retryAfterMs: 1000, cause });
    }
    // What is changed stays changed when this fails: the next look at the revision loads it.
    await this.load().catch((error: unknown) => this.#options.logger.warn({ err: error }, 'a change of credentials could not be read back yet'));
    return result;
  }

  /** Throws for ids that name nothing, and for what is not in the vault's hands. */
  #checkId(id: string): void {
    if (this.#file.all.some((credential) => fileId(credential.id) === id)) throw refused('id', 'This credential stands in the configuration file: change it there.');
    if (!UUID.test(id)) throw notFound();
  }

  #view(id: string): CredentialView {
    const credential = this.#stored.find(id);
    if (credential === null) throw new DejaError('overloaded', 'The credential was changed, but cannot be read back at the moment.', { retryAfterMs: 1000 });
    return storedView(credential, this.#healthOf);
  }

  #moment(): Date {
    return new Date(this.#now());
  }
}

const NO_SUCH_TENANT = 'There is no tenant of this id.';
const notFound = (): DejaError => new DejaError('not_found', 'There is no credential with this id.');

/** Of Postgres's error, within what drizzle makes of it. */
function sqlStateOf(error: unknown): string | null {
  if (typeof error !== 'object' || error === null) return null;
  if ('code' in error && typeof error.code === 'string') return error.code;
  return 'cause' in error ? sqlStateOf(error.cause) : null;
}
