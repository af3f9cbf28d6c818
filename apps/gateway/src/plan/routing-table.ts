import { DejaError, PUSH_CHANNEL, SNAPSHOT_KEY, type Push, type RoutingSnapshot } from '@deja/contracts';
import type { RedisClient } from '@deja/redis';
import type { Redis } from 'ioredis';
import type { Logger } from '@deja/telemetry';

/** Routers say once a second that they live; after so many silent ones nobody is taken to. */
const SILENT_MS = 5_000;
/** How long what is known stays good before a snapshot says it (`stale_ok_s`). */
const STALE_OK_S = 60;

type Listener = (push: Push) => void;

/**
 * The last routing snapshot, kept current by the router's pushes. While the push channel is down, or no router lives that could
 * push anything, it stays usable for `stale_ok_s`: after that nobody can say whether a key was revoked, and requests are refused.
 */
export class RoutingTable {
  private current: RoutingSnapshot | null = null;
  /** Since when the channel is down; null while it stands. */
  private downSinceMs: number | null = null;
  private heardAtMs = 0;
  /** A router has a moment to be heard after this. */
  private joinedAtMs = 0;
  private readonly listeners: Listener[] = [];
  private readonly reconnected: (() => void)[] = [];

  constructor(
    private readonly subscriber: Redis,
    private readonly commands: RedisClient,
    private readonly logger: Pick<Logger, 'info' | 'warn'>,
    private readonly now: () => number = Date.now,
  ) {
    this.downSinceMs = now();
  }

  /** Subscribes for good; reconnections are followed. Resolves at once: readiness tells when there is a snapshot. */
  start(): void {
    this.subscriber.on('message', (channel: string, text: string) => {
      if (channel === PUSH_CHANNEL) this.take(text);
    });
    const lost = (): void => {
      this.downSinceMs ??= this.now();
    };
    this.subscriber.on('close', lost);
    this.subscriber.on('ready', () => void this.join());
    if (this.subscriber.status === 'ready') void this.join();
  }

  onPush(listener: Listener): void {
    this.listeners.push(listener);
  }

  /** Called whenever pushes may have been missed: everything learned by push must be forgotten. */
  onReconnect(listener: () => void): void {
    this.reconnected.push(listener);
  }

  get ready(): boolean {
    return this.current !== null && this.fresh;
  }

  /** Of the last snapshot, however old; null where there is none yet. */
  get settings(): RoutingSnapshot['settings'] | null {
    return this.current?.settings ?? null;
  }

  get version(): number {
    return this.current?.version ?? 0;
  }

  /** Throws `overloaded` when there is no snapshot yet, or it is too old to trust. */
  snapshot(): RoutingSnapshot {
    if (this.current === null || !this.fresh) {
      throw new DejaError('overloaded', 'The gateway is waiting for its routing table. Try again shortly.', { retryAfterMs: 1000 });
    }
    return this.current;
  }

  /** Since when nobody can say whether what is known still holds (Unix ms); null while a router is heard. */
  get staleSinceMs(): number | null {
    if (this.downSinceMs !== null) return this.downSinceMs;
    return this.now() - Math.max(this.heardAtMs, this.joinedAtMs) < SILENT_MS ? null : this.heardAtMs || this.joinedAtMs;
  }

  /** Whether a router was heard, or could not have been yet, so short a time ago: what was pushed has come. */
  heardWithin(ms: number): boolean {
    return this.downSinceMs === null && this.now() - Math.max(this.heardAtMs, this.joinedAtMs) < ms;
  }

  /** How long what is known stays good while nobody can say whether it still does. */
  get staleOkMs(): number {
    return (this.current?.settings.stale_ok_s ?? STALE_OK_S) * 1000;
  }

  private get fresh(): boolean {
    const since = this.staleSinceMs;
    return since === null || this.now() - since < this.staleOkMs;
  }

  private async join(): Promise<void> {
    try {
      await this.subscriber.subscribe(PUSH_CHANNEL);
      for (const forget of this.reconnected) forget();
      const stored = await this.commands.get(SNAPSHOT_KEY);
      if (stored !== null) this.adopt(JSON.parse(stored) as RoutingSnapshot);
      this.downSinceMs = null;
      this.joinedAtMs = this.now();
    } catch (error) {
      this.logger.warn({ err: error }, 'the routing snapshot could not be fetched; trying again');
      setTimeout(() => {
        if (this.subscriber.status === 'ready') void this.join();
      }, 500).unref();
    }
  }

  private take(text: string): void {
    let push: Push;
    try {
      push = JSON.parse(text) as Push;
    } catch (error) {
      this.logger.warn({ err: error }, 'a push that is no JSON was ignored');
      return;
    }
    // Of all that comes on this channel only this comes from gateways.
    if (push.kind !== 'cache_invalidated') this.heardAtMs = this.now();
    if (push.kind === 'snapshot') this.adopt(push.snapshot);
    else this.tell(push);
  }

  private adopt(snapshot: RoutingSnapshot): void {
    // A lower version is news only when Redis lost its memory: then the router counts from the start again.
    const known = this.current;
    if (known !== null && snapshot.version <= known.version && snapshot.issuedAtMs <= known.issuedAtMs) return;
    this.current = snapshot;
    this.logger.info({ version: snapshot.version }, 'routing snapshot');
    this.tell({ kind: 'snapshot', snapshot });
  }

  private tell(push: Push): void {
    for (const listener of this.listeners) listener(push);
  }
}
