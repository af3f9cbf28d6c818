import { DejaError, PUSH_CHANNEL, SNAPSHOT_KEY, type Push, type RoutingSnapshot } from '@deja/contracts';
import type { Redis } from 'ioredis';
import type { Logger } from '@deja/telemetry';

/** How long what is known stays good while the push channel is down. */
const STALE_OK_MS = 60_000;

type Listener = (push: Push) => void;

/**
 * The last routing snapshot, kept current by the router's pushes. While the push channel is down it stays usable for
 * 60 s: after that nobody can say whether a key was revoked, and requests are refused.
 */
export class RoutingTable {
  private current: RoutingSnapshot | null = null;
  private downSinceMs: number | null = Date.now();
  private readonly listeners: Listener[] = [];
  private readonly reconnected: (() => void)[] = [];

  constructor(
    private readonly subscriber: Redis,
    private readonly commands: Redis,
    private readonly logger: Pick<Logger, 'info' | 'warn'>,
    private readonly now: () => number = Date.now,
  ) {}

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

  private get fresh(): boolean {
    return this.downSinceMs === null || this.now() - this.downSinceMs < STALE_OK_MS;
  }

  private async join(): Promise<void> {
    try {
      await this.subscriber.subscribe(PUSH_CHANNEL);
      for (const forget of this.reconnected) forget();
      const stored = await this.commands.get(SNAPSHOT_KEY);
      if (stored !== null) this.adopt(JSON.parse(stored) as RoutingSnapshot);
      this.downSinceMs = null;
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
