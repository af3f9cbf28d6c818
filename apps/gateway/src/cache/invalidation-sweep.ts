import { setTimeout as delay } from 'node:timers/promises';
import type { Counter, Meter } from '@opentelemetry/api';
import { INVALIDATION_SWEEP_KEY, InvalidationSet, type Invalidation } from '@deja/contracts';
import { isUp, nodesOf, type RedisClient } from '@deja/redis';
import type { Logger } from '@deja/telemetry';
import { answerKeys, metasOf, unlink } from './answer-scan.ts';
import { cachedAnswer } from './entry.ts';
import { SETTLED_MS, type Invalidations } from './invalidations.ts';

const LOOK_MS = 15_000;
/** Between two steps, each of which looks at some hundred keys: whoever asks for answers goes first. */
const PAUSE_MS = 50;
const LOCK_MS = 60_000;
const RENEW_MS = 10_000;

export interface InvalidationSweepOptions {
  invalidations: Invalidations;
  /** Where the answers are. */
  cache: RedisClient;
  /** Where the invalidations are. */
  redis: RedisClient;
  instance: string;
  logger: Pick<Logger, 'info' | 'warn'>;
  meter: Meter;
  pauseMs?: number;
}

/**
 * Deletes the answers that invalidations cover, so that they take up no memory, and then the invalidations, which cover nothing any more.
 * One gateway at a time goes through all answers once, slowly, for all invalidations that are there by then.
 */
export class InvalidationSweep {
  private readonly options: InvalidationSweepOptions;
  private readonly stopping = new AbortController();
  private readonly deleted: Counter;
  private running: Promise<void> | null = null;

  constructor(options: InvalidationSweepOptions) {
    this.options = options;
    this.deleted = options.meter.createCounter('deja.gateway.cache.swept', { description: 'Places in the cache that were freed because the answer there had been taken back' });
  }

  start(): void {
    const timer = setInterval(() => this.tick(), LOOK_MS).unref();
    this.stopping.signal.addEventListener('abort', () => clearInterval(timer), { once: true });
  }

  async close(): Promise<void> {
    this.stopping.abort();
    await this.running;
  }

  /** Deletes what is covered by those that are old enough, unless another gateway does. Returns how many places it freed; null where it did not go through all of them. */
  async run(): Promise<number | null> {
    const { invalidations, cache, redis } = this.options;
    const nowMs = invalidations.nowMs();
    const due = nowMs === null ? [] : invalidations.all.filter(({ madeAtMs }) => nowMs - madeAtMs > SETTLED_MS);
    if (due.length === 0 || !isUp(redis) || !nodesOf(cache).every(isUp) || !(await this.lock())) return null;
    try {
      const freed = await this.sweep(due);
      if (freed !== null) await invalidations.remove(due.map(({ id }) => id));
      return freed;
    } finally {
      await redis.del(INVALIDATION_SWEEP_KEY).catch(() => undefined); // it ends by itself
    }
  }

  private tick(): void {
    this.running ??= this.round().finally(() => {
      this.running = null;
    });
  }

  private async round(): Promise<void> {
    try {
      const freed = await this.run();
      if (freed !== null) this.options.logger.info({ freed }, 'answers that had been taken back were deleted');
    } catch (error) {
      this.options.logger.warn({ err: error }, 'answers that were taken back could not all be deleted; the next round tries again');
    }
  }

  private async sweep(due: readonly Invalidation[]): Promise<number | null> {
    const { cache, pauseMs = PAUSE_MS } = this.options;
    const { signal } = this.stopping;
    const set = new InvalidationSet(due);
    const [tenant = null, ...others] = new Set(due.map((rule) => rule.tenant));
    let freed = 0;
    let lockedAtMs = performance.now();
    for await (const keys of answerKeys(cache, others.length === 0 ? tenant : null)) {
      const metas = await metasOf(cache, keys);
      const covered = keys.filter((key, i) => {
        const meta = metas[i];
        return meta != null && set.covers(cachedAnswer(key.tenant, meta));
      });
      await unlink(cache, covered);
      this.deleted.add(covered.length);
      freed += covered.length;
      if (performance.now() - lockedAtMs > RENEW_MS) {
        lockedAtMs = performance.now();
        await this.options.redis.pexpire(INVALIDATION_SWEEP_KEY, LOCK_MS);
      }
      await delay(pauseMs, undefined, { signal }).catch(() => undefined); // aborted: seen below
      if (signal.aborted) return null;
    }
    return freed;
  }

  private async lock(): Promise<boolean> {
    return (await this.options.redis.set(INVALIDATION_SWEEP_KEY, this.options.instance, 'PX', LOCK_MS, 'NX')) === 'OK';
  }
}
