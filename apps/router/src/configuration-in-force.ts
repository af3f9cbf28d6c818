import { setTimeout as delay } from 'node:timers/promises';
import { addressProblem, outboundRule, Secret, type DejaConfig } from '@deja/config';
import type { Logger } from '@deja/telemetry';
import type { PushChannel } from './push-channel.ts';
import { configurationOf } from './snapshot/content.ts';
import type { SnapshotPublisher } from './snapshot/snapshot-publisher.ts';
import type { CredentialVault } from './vault/credential-vault.ts';

const TICK_MS = 1000;
/** Who asks is not to wait for a database that hangs: what is known is an answer too. */
const CATCH_UP_MS = 500;

/** What the snapshot is made of: deja.yaml, and what the vault keeps beside it. Publishes when either has changed. */
export class ConfigurationInForce {
  #timer: NodeJS.Timeout | undefined;
  #work: Promise<unknown> = Promise.resolve();
  #isFailing = false;
  #alertsVersion: string | null = null;

  constructor(
    private config: DejaConfig,
    private readonly vault: CredentialVault,
    private readonly publisher: SnapshotPublisher,
    private readonly push: PushChannel,
    private readonly logger: Pick<Logger, 'warn'>,
  ) {}

  /** Whether the admin API may name this address; null, or what is wrong with it. */
  addressProblem(baseUrl: string): string | null {
    return addressProblem(baseUrl, outboundRule(this.config.settings.outbound.allow).rule);
  }

  /** A good file, at first or changed. */
  async use(config: DejaConfig): Promise<void> {
    this.config = config;
    this.vault.hold(config);
    const alerts = alertsText(config);
    this.#alertsVersion = alerts === null ? null : this.vault.versionOf({ id: 'alerts', value: new Secret(alerts) });
    await this.publish();
  }

  /** What this replica has changed in the vault is in force everywhere when this resolves, or as soon as Redis is there. `revoked`: ids of credentials, or `id@version`. */
  async vaultChanged(revoked: string[] = []): Promise<void> {
    await this.publish();
    if (revoked.length > 0) await this.push.send({ kind: 'credential_revoked', ids: revoked });
    await this.push.send({ kind: 'vault_changed' });
  }

  get configuration(): DejaConfig {
    return this.config;
  }

  /** Changes with what deja.yaml says of alerts, says nothing about it, and is the same in every replica; null where it says nothing. */
  get alertsVersion(): string | null {
    return this.#alertsVersion;
  }

  /** Whether deja.yaml as this replica has it is in force for the cluster; where replicas have different ones, that of one of them is. */
  isClusters(): Promise<boolean> {
    return this.publisher.isOwnFilePublished();
  }

  /** Credentials `provider/name` went in another way than by the vault. */
  async credentialsDeleted(ids: string[]): Promise<void> {
    await this.reload();
    await this.vaultChanged(ids);
  }

  /** Another replica has changed the vault, or may have. Never rejects. */
  reload(): Promise<void> {
    return this.#next(() => this.#reload());
  }

  /** What another replica has changed before is known when this resolves, unless Postgres is away. Never rejects. */
  async catchUp(): Promise<void> {
    await Promise.race([this.#next(() => this.#catchUp()), delay(CATCH_UP_MS, undefined, { ref: false })]);
  }

  /** Looks once a second whether the vault has changed behind its back, and whether a former value's grace is over. */
  start(): void {
    let isLooking = false;
    this.#timer = setInterval(() => {
      if (isLooking) return; // a database that answers slowly is not to be asked more often than it answers
      isLooking = true;
      void this.#next(() => this.#look()).finally(() => {
        isLooking = false;
      });
    }, TICK_MS);
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#work;
  }

  private async publish(): Promise<void> {
    const sources = {
      versionOf: (credential: Parameters<CredentialVault['versionOf']>[0]) => this.vault.versionOf(credential),
      storedFor: (provider: string) => this.vault.refsFor(provider),
      isKeyed: (provider: string) => this.vault.hasAny(provider),
      isDrained: (deployment: string) => this.vault.drained.has(deployment),
    };
    await this.publisher.adopt(configurationOf(this.config, sources, this.vault.loadedRevision, this.#alertsVersion));
  }

  async #look(): Promise<void> {
    const destroyed = await this.vault.destroyExpired();
    if (destroyed.length > 0) await this.vaultChanged(destroyed.map(({ id, version }) => `${id}@${version}`));
    await this.#catchUp();
  }

  async #catchUp(): Promise<void> {
    if ((await this.vault.revision()) !== this.vault.loadedRevision) await this.#reload();
  }

  async #reload(): Promise<void> {
    await this.vault.load();
    await this.publish();
  }

  #next(step: () => Promise<void>): Promise<void> {
    const failed = (error: unknown): void => {
      // Postgres is away: what is loaded stays good, and the next tick looks again. One line an outage is enough.
      if (!this.#isFailing) this.logger.warn({ err: error }, 'the vault cannot be looked at; what is known of it stays in force');
      this.#isFailing = true;
    };
    const done = this.#work.then(step).then(() => {
      this.#isFailing = false;
    }, failed);
    this.#work = done;
    return done;
  }
}

/** All that the file says of alerts, in clear; null where it says nothing. */
function alertsText({ alerts, smtp }: DejaConfig): string | null {
  if (alerts.length === 0 && smtp === null) return null;
  return JSON.stringify([alerts.map(({ rule, receivers }) => [rule, receivers.map(({ value }) => value.reveal())]), smtp?.reveal() ?? null]);
}
