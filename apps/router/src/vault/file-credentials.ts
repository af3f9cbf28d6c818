import { createHmac } from 'node:crypto';
import type { CredentialConfig, DejaConfig, ProviderConfig, Secret } from '@deja/config';

const VERSION_CHARS = 16;
/** Gateways hear of a new configuration a moment after this replica; requests that were planned before are not to fail for that. */
const HANDOVER_MS = 1000;

type Held = Map<string, { version: string; value: Secret }>;

/** Credentials of deja.yaml: in memory, as the file and the environment gave them, and nowhere else. */
export class FileCredentials {
  readonly #salt: Buffer;
  readonly #now: () => number;
  #providers: ProviderConfig[] = [];
  #current: Held = new Map();
  #previous: Held = new Map();
  #previousUntilMs = 0;

  constructor(salt: Buffer, now: () => number) {
    this.#salt = salt;
    this.#now = now;
  }

  /** Holds exactly the credentials of this configuration from now on; those before for one more moment. */
  hold({ providers }: Pick<DejaConfig, 'providers'>): void {
    this.#providers = providers;
    this.#previous = this.#current;
    this.#previousUntilMs = this.#now() + HANDOVER_MS;
    this.#current = new Map(this.all.map((credential) => [credential.id, { version: this.versionOf(credential), value: credential.value }]));
  }

  get providers(): ProviderConfig[] {
    return this.#providers;
  }

  get all(): CredentialConfig[] {
    return this.#providers.flatMap((provider) => provider.credentials);
  }

  /** @param id `provider/name` */
  has(id: string): boolean {
    return this.#current.has(id);
  }

  /** Changes with the value, says nothing about it, and is the same in every replica of the cluster. */
  versionOf(credential: Pick<CredentialConfig, 'id' | 'value'>): string {
    return createHmac('sha256', this.#salt).update(`${credential.id}\0${credential.value.reveal()}`).digest('base64url').slice(0, VERSION_CHARS);
  }

  valueOf({ id, version }: { id: string; version: string }): Secret | null {
    const current = this.#current.get(id);
    if (current?.version === version) return current.value;
    const previous = this.#now() < this.#previousUntilMs ? this.#previous.get(id) : undefined;
    return previous?.version === version ? previous.value : null;
  }
}
