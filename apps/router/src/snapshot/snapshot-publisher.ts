import { TROUBLES, type CredentialRef, type Trouble } from '@deja/contracts';
import type { Logger } from '@deja/telemetry';
import type { Pool } from '../pool/pool.ts';
import type { HealthStore } from '../pool/health-store.ts';
import { poolStates } from '../pool/states.ts';
import type { PushChannel } from '../push-channel.ts';
import { digestOf, revokedCredentials, setAside, withHealth, withoutHealth, type Configuration, type SetAside, type SnapshotContent } from './content.ts';
import type { Publication, SnapshotStore } from './snapshot-store.ts';

const TICK_MS = 1000;
const DEBOUNCE_MS = 50;
/** A replica that was silent for so many ticks is gone; what it published may be replaced. */
const ABANDONED_TICKS = 5;
const ATTEMPTS = 5;

const NOTHING_SET_ASIDE = Object.fromEntries(TROUBLES.map((trouble) => [trouble, { credentials: 0, deployments: 0 }])) as Record<Trouble, SetAside>;

/**
 * Keeps the published snapshot right: at start, when the configuration changes, when health changes, and when Redis lost it.
 *
 * Replicas with different configurations do not fight: the one that loaded its configuration last publishes it once, the others
 * leave it in place and only bring the health in it up to date. A configuration that no living replica has any more is replaced.
 * What the admin API changes belongs to whichever file is published, reaches replicas a moment apart, and never goes back.
 */
export class SnapshotPublisher {
  #own: Configuration | null = null;
  /** What is published as far as this replica knows: its own configuration or that of another replica. */
  #current: Configuration | null = null;
  /** How this replica's own configuration is still to be published; null: it was, or another is in force. */
  #due: Publication['mode'] | null = null;
  /** Digest of the file of another replica that a line was written about. */
  #foreignFile: string | null = null;
  /** As it was published last, health included. */
  #published: SnapshotContent | null = null;
  #version = 0;
  #revision = -1;
  #abandonedTicks = 0;
  #isFailing = false;
  #work: Promise<unknown> = Promise.resolve();
  #refreshTimer: NodeJS.Timeout | undefined;
  #tickTimer: NodeJS.Timeout | undefined;

  constructor(
    private readonly store: SnapshotStore,
    private readonly health: HealthStore,
    private readonly pool: Pool,
    private readonly push: PushChannel,
    private readonly logger: Pick<Logger, 'info' | 'warn'>,
    private readonly tickMs: number = TICK_MS,
  ) {}

  /**
   * Publishes this configuration, if it is new to this replica: now, or as soon as Redis is there. A new file goes in place of whatever
   * is published, new stored credentials and drains only where the file is the same.
   */
  async adopt(configuration: Configuration): Promise<void> {
    const before = this.#own;
    const hasSameFile = before?.file === configuration.file;
    // Reading the same again is no news: it must not win against what another replica loaded since.
    if (before !== null && hasSameFile && before.vault === configuration.vault && digestOf(before.content) === digestOf(configuration.content)) return;
    this.#own = configuration;
    this.#due = hasSameFile && this.#due !== 'adopt' ? 'refresh' : 'adopt';
    if (!hasSameFile) this.#foreignFile = null;
    await this.#next(() => this.#bringUpToDate());
  }

  /** Starts looking after the published snapshot, and telling the gateways that they will hear of changes, once a tick. */
  start(): void {
    let isTicking = false;
    this.#tickTimer = setInterval(() => {
      void this.push.sayAlive();
      if (isTicking) return; // a Redis that answers slowly is not to be asked more often than it answers
      isTicking = true;
      void this.#next(() => this.#tick()).finally(() => {
        isTicking = false;
      });
    }, this.tickMs);
  }

  async stop(): Promise<void> {
    clearInterval(this.#tickTimer);
    clearTimeout(this.#refreshTimer);
    await this.#work;
  }

  /** Health has changed: publishes soon, once for all changes of the next moment. */
  healthChanged(): void {
    this.#refreshTimer ??= setTimeout(() => {
      this.#refreshTimer = undefined;
      void this.#next(() => this.#bringUpToDate());
    }, DEBOUNCE_MS);
  }

  get isPublished(): boolean {
    return this.#published !== null;
  }

  get version(): number {
    return this.#version;
  }

  /** Counted at this moment. */
  get setAside(): Record<Trouble, SetAside> {
    return this.#published === null ? NOTHING_SET_ASIDE : setAside(this.#published, Date.now());
  }

  /** Of everything that is published, at this moment. */
  get states(): ReturnType<typeof poolStates> {
    return poolStates(this.#published?.deployments ?? [], Date.now());
  }

  /** What is published of one credential's value; of one that is not published, nothing speaks against it. */
  healthOf({ id, version }: Pick<CredentialRef, 'id' | 'version'>): { trouble: Trouble | null; unavailableUntilMs: number } {
    const credential = this.#published?.deployments.flatMap((deployment) => deployment.credentials).find((one) => one.id === id && one.version === version);
    return { trouble: credential?.trouble ?? null, unavailableUntilMs: credential?.unavailableUntilMs ?? 0 };
  }

  /** The published configuration, without health; null before the first publication. */
  get content(): SnapshotContent | null {
    return this.#current?.content ?? this.#own?.content ?? null;
  }

  /** Whether the published snapshot is of this replica's own file, at this moment. Also where nothing is published, or nobody can say. */
  async isOwnFilePublished(): Promise<boolean> {
    const header = await this.store.header().catch(() => null);
    return header === null || this.#own === null || header.file === this.#own.file;
  }

  /** One step after the other: each reads what the one before wrote. */
  #next(step: () => Promise<void>): Promise<void> {
    const succeeded = (): void => {
      this.#isFailing = false;
    };
    const failed = (error: unknown): void => {
      // Redis is away, or replicas were in each other's way. The next tick tries again; one line an outage is enough.
      this.#revision = -1;
      if (!this.#isFailing) this.logger.warn({ err: error }, 'the routing snapshot could not be brought up to date; trying again');
      this.#isFailing = true;
    };
    const done = this.#work.then(step).then(succeeded, failed);
    this.#work = done;
    return done;
  }

  async #tick(): Promise<void> {
    if (this.#own === null) return;
    await this.store.hold(this.#own, ABANDONED_TICKS * this.tickMs);
    const header = await this.store.header();
    const isCurrent = header !== null && this.#due === null && isOf(header, this.#current);
    if (!isCurrent || (await this.health.revision()) !== this.#revision) await this.#bringUpToDate();
    await this.#replaceAbandoned();
    if (await this.pool.tick()) await this.#bringUpToDate();
  }

  async #bringUpToDate(): Promise<void> {
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const due = this.#due;
      const configuration = due === null ? (this.#current ?? this.#own) : this.#own;
      if (configuration === null) return;
      const before = due === null ? null : await this.store.load();
      if (due !== null) await this.store.hold(configuration, ABANDONED_TICKS * this.tickMs);
      const health = await this.health.read();
      const content = withHealth(configuration.content, health);
      const published = await this.store.publish({ mode: due ?? 'refresh', file: configuration.file, vault: configuration.vault, revision: health.revision, content });
      if (published.result === 'stale') continue;
      // A configuration that was loaded meanwhile is published in its own turn.
      if (due !== null && configuration === this.#own) this.#due = null;
      if (published.result === 'foreign') {
        await this.#takeForeign();
        continue;
      }
      this.#note(configuration, content, published.version, health.revision);
      if (before !== null) await this.#revoke(before.snapshot, configuration.content);
      return;
    }
    throw new Error(`the published snapshot changed ${ATTEMPTS} times in a row`);
  }

  #note(configuration: Configuration, content: SnapshotContent, version: number, revision: number): void {
    if (version !== this.#version) this.logger.info({ version, models: content.models.length }, 'routing snapshot');
    this.#current = configuration;
    this.#version = version;
    this.#revision = revision;
    this.#published = content;
  }

  async #revoke(before: SnapshotContent, after: SnapshotContent): Promise<void> {
    const ids = revokedCredentials(before, after);
    if (ids.length > 0) await this.push.send({ kind: 'credential_revoked', ids });
  }

  async #takeForeign(): Promise<void> {
    const loaded = await this.store.load();
    if (loaded === null) return; // lost in this very moment: it is published again
    this.#current = { file: loaded.file, vault: loaded.vault, content: withoutHealth(loaded.snapshot) };
    // A replica that has not heard of the latest change of the admin API will in a moment; that another file is in force is said once.
    if (loaded.file === this.#own?.file || loaded.file === this.#foreignFile) return;
    this.#foreignFile = loaded.file;
    this.logger.warn(
      { version: loaded.version },
      'another replica published a different configuration later; it is in force until the configuration of this replica changes: give all replicas the same',
    );
  }

  async #replaceAbandoned(): Promise<void> {
    if (this.#own === null || this.#current === null || isOf(this.#current, this.#own) || (await this.store.isHeld(this.#current))) {
      this.#abandonedTicks = 0;
      return;
    }
    this.#abandonedTicks++;
    // After Redis lost its memory, living replicas need a moment to say so again.
    if (this.#abandonedTicks < ABANDONED_TICKS) return;
    this.logger.warn('no living replica has the published configuration any more: publishing that of this replica');
    this.#abandonedTicks = 0;
    this.#due = 'replace';
    await this.#bringUpToDate();
  }
}

type Origin = Pick<Configuration, 'file' | 'vault'>;

/** Whether it was made of that file and that revision of the vault. */
const isOf = (origin: Origin, other: Origin | null): boolean => origin.file === other?.file && origin.vault === other.vault;
