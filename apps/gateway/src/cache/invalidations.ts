import { DejaError, includes, INVALIDATIONS_KEY, InvalidationSet, newId, PUSH_CHANNEL, type CachedAnswer, type Invalidation, type Push } from '@deja/contracts';
import { isUp, onReady, runScript, type RedisClient } from '@deja/redis';
import type { Logger } from '@deja/telemetry';
import { ADD, LOOK, REMOVE } from './invalidations-lua.ts';
import { lostOf } from './lost-invalidations.ts';
import { AnswerClock } from './answer-clock.ts';

/** More at once are refused: each is held in every gateway, and each look at the cache is held against them. */
export const MOST_INVALIDATIONS = 1000;
/** Pushes may be lost; two of these fit into the second in which an invalidation has to hold. */
const LOOK_MS = 400;
/** What was in force so long ago may not be any more: nothing is served from the cache then. */
const CURRENT_MS = 1000;
/** An answer stamped before an invalidation is written so much later at most; then all that the invalidation covers can be found, and deleted. */
export const SETTLED_MS = 60_000;

export interface InvalidationsOptions {
  /** That of limits and pushes: it loses nothing to make room, as the Redis of the answers may. */
  redis: RedisClient;
  logger: Pick<Logger, 'warn'>;
  /** Milliseconds by a clock that never steps. */
  now?: () => number;
}

/** The invalidations in force, as every gateway holds them in memory; and the clock that they and the answers go by. */
export class Invalidations {
  private readonly redis: RedisClient;
  private readonly logger: Pick<Logger, 'warn'>;
  private readonly now: () => number;
  private readonly clock = new AnswerClock();
  private inForce = new InvalidationSet([]);
  /** undefined before the first look; null where Redis holds none. */
  private version: string | null | undefined;
  private asOfMs = -Infinity;
  private running: Promise<void> = Promise.resolve();
  private queued: Promise<void> | null = null;
  private stop: () => void = () => undefined;

  constructor({ redis, logger, now = () => performance.now() }: InvalidationsOptions) {
    this.redis = redis;
    this.logger = logger;
    this.now = now;
  }

  /** Follows them from now on. */
  start(): void {
    const timer = setInterval(() => this.notice(), LOOK_MS).unref();
    const unfollow = onReady(this.redis, () => this.notice());
    this.stop = () => {
      clearInterval(timer);
      unfollow();
    };
    this.notice();
  }

  /** There may be news: to be called on each push `cache_invalidated`, and when pushes may have been missed. */
  notice(): void {
    if (isUp(this.redis)) this.check().catch(() => undefined); // the connection's own outages are logged where it is opened
  }

  close(): void {
    this.stop();
  }

  /** Whether what is known was in force within the last second. */
  get areCurrent(): boolean {
    return this.now() - this.asOfMs <= CURRENT_MS;
  }

  get all(): readonly Invalidation[] {
    return this.inForce.all;
  }

  covers(answer: CachedAnswer): boolean {
    return this.inForce.covers(answer);
  }

  /** Unix ms by Redis's clock, never ahead of it; null before it was heard. */
  nowMs(): number | null {
    return this.clock.at(this.now());
  }

  /** Resolves when all is known that was in force at the call. Rejects when Redis cannot be asked. */
  check(): Promise<void> {
    // One that runs already may have looked too early; one that waits to run is early enough for all who come until then.
    this.queued ??= this.running.catch(() => undefined).then(() => {
      this.queued = null;
      return (this.running = this.look());
    });
    return this.queued;
  }

  /** Redis's time, asked for. Rejects when Redis cannot be asked. */
  async timeMs(): Promise<number> {
    return (await this.state()).timeMs;
  }

  /** Puts them into force, all or none: this gateway knows them when this resolves, the others within a second. A second time it changes nothing. Throws `conflict` when there are too many. */
  async add(...rules: readonly Invalidation[]): Promise<void> {
    await this.check();
    const fresh = rules.filter((rule) => !this.all.some((known) => includes(known, rule)));
    if (fresh.length === 0) return;
    if (!(await this.write(fresh, MOST_INVALIDATIONS))) {
      throw new DejaError('conflict', `There are ${MOST_INVALIDATIONS} invalidations whose answers are still being deleted. Take back more at once, such as all of a tenant's answers, or try again in some minutes.`);
    }
    const push: Push = { kind: 'cache_invalidated' };
    this.redis.publish(PUSH_CHANNEL, JSON.stringify(push)).catch(() => undefined); // they look by themselves
    await this.check();
  }

  /** Takes out those whose answers were all deleted. */
  async remove(ids: readonly string[]): Promise<void> {
    await runScript(this.redis, REMOVE, [INVALIDATIONS_KEY], [newId(), ...ids]);
    await this.check();
  }

  private async look(): Promise<void> {
    const askedAtMs = this.now();
    const { version } = await this.state();
    if (this.version === undefined || version !== this.version) await this.load();
    this.asOfMs = askedAtMs;
  }

  private async state(): Promise<{ version: string | null; timeMs: number }> {
    const [version, seconds, micros] = (await runScript(this.redis, LOOK, [INVALIDATIONS_KEY], [])) as [string | null, string, string];
    const timeMs = Number(seconds) * 1000 + Math.floor(Number(micros) / 1000);
    this.clock.heard(timeMs, this.now());
    return { version, timeMs };
  }

  private async load(): Promise<void> {
    const { version = null, ...texts } = await this.redis.hgetall(INVALIDATIONS_KEY);
    const loaded = Object.values(texts).flatMap((text) => this.parsed(text) ?? []);
    const lost = lostOf(this.all, loaded, version === null ? Infinity : SETTLED_MS, this.nowMs() ?? 0);
    this.inForce = new InvalidationSet([...loaded, ...lost]);
    if (lost.length > 0) {
      this.logger.warn({ invalidations: lost.length }, 'Redis has lost invalidations of cached answers; they are written again');
      await this.write(lost, Number.MAX_SAFE_INTEGER);
    }
    this.version = version;
  }

  private async write(rules: readonly Invalidation[], most: number): Promise<boolean> {
    const drops = this.all.filter((known) => rules.every(({ id }) => id !== known.id) && rules.some((rule) => includes(rule, known))).map(({ id }) => id);
    return (await runScript(this.redis, ADD, [INVALIDATIONS_KEY], [newId(), most, drops.length, ...drops, ...rules.flatMap((rule) => [rule.id, JSON.stringify(rule)])])) === 1;
  }

  private parsed(text: string): Invalidation | null {
    try {
      return JSON.parse(text) as Invalidation;
    } catch (error) {
      this.logger.warn({ err: error }, 'an invalidation that is no JSON was ignored');
      return null;
    }
  }
}
