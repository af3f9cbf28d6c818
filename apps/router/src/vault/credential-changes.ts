import { randomBytes } from 'node:crypto';
import { DejaError, newId, type AdminChange, type CredentialView, type NewCredential } from '@deja/contracts';
import { checkMatch, etagOf, type Changes } from '../admin/changes.ts';
import type { Done } from '../admin/done.ts';
import { FOREIGN_KEY_VIOLATION, sqlStateOf, UNIQUE_VIOLATION } from '../admin/database-trouble.ts';
import { checkMayMakeFor, sees } from '../admin/scope.ts';
import type { Transaction } from '../schema/transaction.ts';
import { auditedCredential, fileId, storedView, type HealthOf } from './credential-view.ts';
import { additionalDataOf } from './envelope.ts';
import type { FileCredentials } from './file-credentials.ts';
import type { IntakeKey } from './intake-key.ts';
import type { MasterKeys } from './master-keys.ts';
import { checkNewCredential, checkValue, checkWeight, nameTaken, refused, type CheckAddress } from './new-credential.ts';
import { sealValue } from './sealed-value.ts';
import type { CredentialChange, CredentialVersion, NewStoredCredential, NewValue, StoredCredential, StoredCredentialsRepository } from './stored-credentials.repository.ts';

const VERSION_BYTES = 12;
const LARGEST_SEALED_CHARS = 16 * 1024;
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

export interface CredentialChangesOptions {
  changes: Pick<Changes, 'run'>;
  repository: StoredCredentialsRepository;
  file: FileCredentials;
  keys: MasterKeys;
  intake: IntakeKey;
  checkAddress: CheckAddress;
  healthOf: HealthOf;
  now: () => number;
  /** After a commit: what was changed is to be known here. Never rejects. */
  changed: () => Promise<void>;
}

export interface Rotated {
  credential: CredentialView;
  /** It was done before, under the same idempotency key: nothing was destroyed now. */
  replayed: boolean;
  destroyed: CredentialVersion[];
}

/** What the admin API does to credentials and deployments. What the caller may not see is not there for it. */
export class CredentialChanges {
  constructor(private readonly o: CredentialChangesOptions) {}

  async create(credential: NewCredential, change: AdminChange): Promise<{ credential: CredentialView; replayed: boolean }> {
    const { body, replayed } = await this.#run(change, async (tx) => {
      const { tenant, provider, name, weight, limits, sealedValue } = credential;
      checkMayMakeFor(change.by, tenant);
      const { baseUrl } = checkNewCredential(credential, this.o.file.providers, this.o.checkAddress);
      const stored: NewStoredCredential = { id: newId(), tenant, provider, name, baseUrl, weight, limits };
      // Asked first, because Postgres writes what violates a foreign key into its log, and that may be a value in the wrong field.
      if (tenant !== null && !(await this.o.repository.hasTenant(tx, tenant))) throw refused('tenant', NO_SUCH_TENANT);
      const value = await this.#newValue(stored, sealedValue);
      await this.o.repository.insert(tx, stored, value, this.#moment()).catch((error: unknown) => {
        const code = sqlStateOf(error);
        if (code === UNIQUE_VIOLATION) throw nameTaken(name, error);
        if (code === FOREIGN_KEY_VIOLATION) throw refused('tenant', NO_SUCH_TENANT, error);
        throw error;
      });
      return this.#done(tx, 'createCredential', stored.id, null);
    });
    return { credential: body, replayed };
  }

  async update(id: string, next: CredentialChange, change: AdminChange): Promise<CredentialView> {
    const { body } = await this.#run(change, async (tx) => {
      const before = await this.#locked(tx, id, change);
      if (next.weight !== undefined) checkWeight(next.weight);
      await this.o.repository.update(tx, id, next, this.#moment());
      return this.#done(tx, 'updateCredential', id, before);
    });
    return body;
  }

  async rotate(id: string, sealedValue: string, graceS: number, change: AdminChange): Promise<Rotated> {
    let destroyed: CredentialVersion[] = [];
    const { body, replayed } = await this.#run(change, async (tx) => {
      const before = await this.#locked(tx, id, change);
      const value = await this.#newValue(before, sealedValue);
      const at = this.#moment();
      const versions = await this.o.repository.rotate(tx, id, value, { at, expiresAt: graceS > 0 ? new Date(at.getTime() + graceS * 1000) : null });
      destroyed = versions.map((version) => ({ id: `${before.provider}/${before.name}`, version }));
      return this.#done(tx, 'rotateCredential', id, before);
    });
    return { credential: body, replayed, destroyed };
  }

  /** Returns `provider/name` of what is gone. */
  async delete(id: string, change: AdminChange): Promise<string> {
    const { body } = await this.#run(change, async (tx) => {
      const before = await this.#locked(tx, id, change);
      await this.o.repository.delete(tx, id);
      const audit = { action: 'deleteCredential', resource: 'credential', resourceId: id, tenant: before.tenant, before: auditedCredential(before), after: null };
      return { body: `${before.provider}/${before.name}`, etag: null, audit };
    });
    return body;
  }

  async drain(deployment: string, drained: boolean, change: AdminChange): Promise<{ replayed: boolean }> {
    const { replayed } = await this.#run(change, async (tx) => {
      const object = { object: 'deployment', id: deployment };
      const before = { ...object, drained: await this.o.repository.isDrained(tx, deployment) };
      await this.o.repository.drain(tx, deployment, drained, this.#moment());
      const audit = { action: drained ? 'drainDeployment' : 'resumeDeployment', resource: 'deployment', resourceId: deployment, tenant: null, before, after: { ...object, drained } };
      return { body: null, etag: null, audit };
    });
    return { replayed };
  }

  #run<Body>(change: AdminChange, work: (tx: Transaction) => Promise<Done<Body>>): Promise<{ body: Body; replayed: boolean }> {
    return this.o.changes.run(change, async (tx) => ({ ...(await work(tx)), afterwards: this.o.changed }));
  }

  /** As the transaction has left it: what is in memory is older until it is read again. */
  async #done(tx: Transaction, action: string, id: string, before: StoredCredential | null): Promise<Done<CredentialView>> {
    const after = await this.o.repository.lock(tx, id);
    if (after === null) throw notFound();
    return {
      body: storedView(after, this.o.healthOf),
      etag: etagOf(after.revision),
      audit: { action, resource: 'credential', resourceId: id, tenant: after.tenant, before: before === null ? null : auditedCredential(before), after: auditedCredential(after) },
    };
  }

  /** Throws for ids that name nothing the caller may see, and for what is not in the vault's hands. */
  async #locked(tx: Transaction, id: string, change: AdminChange): Promise<StoredCredential> {
    if (change.by.tenant === null && this.o.file.all.some((credential) => fileId(credential.id) === id)) throw refused('id', 'This credential stands in the configuration file: change it there.');
    const credential = UUID.test(id) ? await this.o.repository.lock(tx, id) : null;
    if (credential === null || !sees(change.by, credential.tenant)) throw notFound();
    checkMatch(change, credential.revision);
    return credential;
  }

  /** What was sealed for the intake, checked and sealed for keeping, under a version of its own. */
  async #newValue(owner: Pick<NewStoredCredential, 'tenant' | 'provider' | 'name' | 'baseUrl'>, sealedValue: string): Promise<NewValue> {
    if (sealedValue.length > LARGEST_SEALED_CHARS) throw refused('value', 'The value is too long.');
    const value = await this.o.intake.open(sealedValue);
    try {
      const { lastFour } = checkValue(value);
      const version = randomBytes(VERSION_BYTES).toString('base64url');
      return { version, lastFour, ...(await sealValue(this.o.keys, value, additionalDataOf({ ...owner, version }))) };
    } finally {
      value.fill(0);
    }
  }

  #moment(): Date {
    return new Date(this.o.now());
  }
}

const NO_SUCH_TENANT = 'There is no tenant of this id.';
const notFound = (): DejaError => new DejaError('not_found', 'There is no credential with this id.');
