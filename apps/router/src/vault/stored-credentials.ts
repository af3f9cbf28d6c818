import type { CredentialRef } from '@deja/contracts';
import { additionalDataOf } from './envelope.ts';
import type { MasterKeys } from './master-keys.ts';
import { openValue } from './sealed-value.ts';
import type { StoredCredential, StoredCredentialsRepository, StoredValue } from './stored-credentials.repository.ts';

/** Credentials of the admin API as they were last read from Postgres: encrypted, so that they are of use while it is away and of none to who reads this memory without the master key. */
export class StoredCredentials {
  readonly #repository: StoredCredentialsRepository;
  readonly #keys: MasterKeys;
  readonly #now: () => number;
  #byId = new Map<string, StoredCredential>();
  #drained: ReadonlySet<string> = new Set();
  #revision = -1;
  #loading: Promise<void> = Promise.resolve();

  constructor(repository: StoredCredentialsRepository, keys: MasterKeys, now: () => number) {
    this.#repository = repository;
    this.#keys = keys;
    this.#now = now;
  }

  /** Reads everything anew. One at a time: what is read later is never replaced by what was read before. Rejects, and what is known stays, while Postgres is away. */
  load(): Promise<void> {
    const loading = this.#loading.catch(() => undefined).then(async () => {
      const { revision, credentials, drained } = await this.#repository.load();
      this.#byId = new Map(credentials.map((credential) => [`${credential.provider}/${credential.name}`, credential]));
      this.#drained = new Set(drained);
      this.#revision = revision;
    });
    this.#loading = loading;
    return loading;
  }

  /** Of what is in memory; -1 before the first `load`. */
  get revision(): number {
    return this.#revision;
  }

  get drained(): ReadonlySet<string> {
    return this.#drained;
  }

  get all(): StoredCredential[] {
    return [...this.#byId.values()];
  }

  /** @param id of the resource */
  find(id: string): StoredCredential | null {
    return this.all.find((credential) => credential.id === id) ?? null;
  }

  /** Whether some former value's grace is over. */
  get hasExpired(): boolean {
    return this.all.some(({ values }) => values.some((value) => this.#isOver(value)));
  }

  /** For the snapshot: as it was read, without a look at the clock, so that all replicas say the same. */
  refsFor(provider: string): CredentialRef[] {
    return this.all.filter((credential) => credential.provider === provider && !credential.disabled).flatMap((credential) => credential.values.map((value): CredentialRef => ({
      id: `${credential.provider}/${credential.name}`,
      version: value.version,
      weight: value.expiresAt === null ? credential.weight : 0,
      limits: credential.limits,
      unavailableUntilMs: 0,
      ...(credential.tenant === null ? {} : { tenant: credential.tenant }),
      ...(credential.baseUrl === null ? {} : { baseUrl: credential.baseUrl, checkedAddress: true }),
      ...(value.expiresAt === null ? {} : { retiring: true }),
    })));
  }

  hasAny(provider: string): boolean {
    return this.all.some((credential) => credential.provider === provider);
  }

  holds(wanted: { id: string; version: string }): boolean {
    return this.#valueOf(wanted) !== null;
  }

  /** The value, for its one use. null when it is not held, or does not open as this credential's. Throws a KeyWrappingError when its data key cannot be unwrapped. */
  async open(wanted: { id: string; version: string }): Promise<Buffer | null> {
    const held = this.#valueOf(wanted);
    return held === null ? null : openValue(this.#keys, held.value, additionalDataOf({ ...held.credential, version: wanted.version }));
  }

  #valueOf({ id, version }: { id: string; version: string }): { credential: StoredCredential; value: StoredValue } | null {
    const credential = this.#byId.get(id);
    const value = credential?.values.find((stored) => stored.version === version);
    if (credential === undefined || value === undefined || credential.disabled || this.#isOver(value)) return null;
    return { credential, value };
  }

  #isOver(value: StoredValue): boolean {
    return value.expiresAt !== null && value.expiresAt.getTime() <= this.#now();
  }
}
