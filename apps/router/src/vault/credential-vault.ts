import type { CredentialConfig, DejaConfig } from '@deja/config';
import type { AdminChange, CredentialRef, CredentialView, JsonWebKeyPublic, NewCredential, RewrapReport, RouterRpc } from '@deja/contracts';
import type { Logger } from '@deja/telemetry';
import type { Changes } from '../admin/changes.ts';
import { CredentialChanges, type Rotated } from './credential-changes.ts';
import { fileView, storedView, type HealthOf } from './credential-view.ts';
import { FileCredentials } from './file-credentials.ts';
import { IntakeKey } from './intake-key.ts';
import { onMasterKey } from './key-trouble.ts';
import { sealerTo, type SealFor } from './lease.ts';
import type { MasterKeysRepository } from './master-keys.repository.ts';
import type { MasterKeys } from './master-keys.ts';
import type { CheckAddress } from './new-credential.ts';
import { rewrap } from './rewrap.ts';
import { StoredCredentials } from './stored-credentials.ts';
import type { CredentialChange, CredentialVersion, StoredCredentialsRepository } from './stored-credentials.repository.ts';
import { KeyWrappingError } from './wrapped-key.ts';

type Lease = RouterRpc['credential']['reply']['leases'][number];

export interface VaultOptions {
  /** Of the cluster. */
  salt: Buffer;
  keys: MasterKeys;
  changes: Pick<Changes, 'run'>;
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
  readonly #changes: CredentialChanges;
  readonly #options: VaultOptions;
  readonly #healthOf: HealthOf;
  readonly #now: () => number;

  constructor(options: VaultOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
    this.#healthOf = options.healthOf ?? (() => ({ trouble: null, unavailableUntilMs: 0 }));
    this.#keys = options.keys;
    this.#intake = new IntakeKey(this.#keys, options.masterKeysRepository);
    this.#file = new FileCredentials(options.salt, this.#now);
    this.#stored = new StoredCredentials(options.repository, this.#keys, this.#now);
    const { changes, repository, checkAddress } = options;
    this.#changes = new CredentialChanges({ changes, repository, file: this.#file, keys: this.#keys, intake: this.#intake, checkAddress, healthOf: this.#healthOf, now: this.#now, changed: () => this.#reload() });
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
  versionOf(credential: Pick<CredentialConfig, 'id' | 'value'>): string {
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

  /** What was sealed to that key, for its one use. Throws as `create` does. */
  open(jwe: string): Promise<Buffer> {
    return this.#usable(() => this.#intake.open(jwe));
  }

  /** Throws `invalid_value` naming the field of the admin API, `conflict` for a name that is taken, `overloaded` when Postgres or who keeps the master key is away. */
  create(credential: NewCredential, change: AdminChange): Promise<{ credential: CredentialView; replayed: boolean }> {
    return this.#usable(() => this.#changes.create(credential, change));
  }

  /** Errors, as of the next two: `not_found`; `precondition_failed`; `invalid_value` for a credential that stands in deja.yaml; `overloaded`. */
  update(id: string, next: CredentialChange, change: AdminChange): Promise<CredentialView> {
    return this.#usable(() => this.#changes.update(id, next, change));
  }

  /** The new value is the one to use from now on; the one before it may be used until the grace is over, and one that is older still is destroyed, as the result says. */
  rotate(id: string, sealedValue: string, graceS: number, change: AdminChange): Promise<Rotated> {
    return this.#usable(() => this.#changes.rotate(id, sealedValue, graceS, change));
  }

  /** Returns `provider/name` of what is gone. */
  delete(id: string, change: AdminChange): Promise<string> {
    return this.#usable(() => this.#changes.delete(id, change));
  }

  /** Deletes the values whose grace is over, and says which this replica deleted. Costs nothing where there is none. */
  async destroyExpired(): Promise<CredentialVersion[]> {
    if (!this.#stored.hasExpired) return [];
    const destroyed = await this.#usable(() => this.#options.repository.destroyExpired(new Date(this.#now())));
    await this.#reload();
    return destroyed;
  }

  /**
   * Moves up to so many data keys under the current master key; to be called until nothing remains. Throws `overloaded`: what was moved
   * stays moved. Each is moved by itself, and the audit log has one row for all of a call. Repeating it does no harm, and an idempotency key
   * no good: a call that is repeated goes on where the one before it came to.
   */
  rewrap(limit: number, change: AdminChange): Promise<RewrapReport> {
    return this.#usable(async () => {
      const { body } = await this.#options.changes.run({ ...change, ifMatch: null, idempotency: null }, async () => {
        const report = await rewrap(this.#keys, this.#options.masterKeysRepository, limit);
        const after = { object: 'vault', current_key: report.currentKey, rewrapped: report.rewrapped, remaining: report.remaining, failed: report.failed };
        return { body: report, etag: null, audit: { action: 'rewrapVault', resource: 'vault', resourceId: null, tenant: null, before: null, after }, afterwards: () => this.#reload() };
      });
      return body;
    });
  }

  /** Whether there is such a deployment is for the caller to know. */
  drain(deployment: string, drained: boolean, change: AdminChange): Promise<{ replayed: boolean }> {
    return this.#usable(() => this.#changes.drain(deployment, drained, change));
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

  #usable<T>(work: () => Promise<T>): Promise<T> {
    return onMasterKey('Credentials cannot be changed', work);
  }

  /** What was changed is known when this resolves. It stays changed when that fails: the next look at the revision loads it. */
  async #reload(): Promise<void> {
    await this.load().catch((error: unknown) => this.#options.logger.warn({ err: error }, 'a change of credentials could not be read back yet'));
  }
}
