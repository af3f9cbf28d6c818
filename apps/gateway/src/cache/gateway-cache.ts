import type { AuditedChange, RouterRpc, SemanticCacheEvents } from '@deja/contracts';
import type { RedisClient } from '@deja/redis';
import type { Logger, Telemetry } from '@deja/telemetry';
import { AnswerStore } from './answer-store.ts';
import { CacheAdmin, type CacheAdminParts } from './cache-admin.ts';
import { InvalidationSweep } from './invalidation-sweep.ts';
import { Invalidations } from './invalidations.ts';

export interface GatewayCacheParts extends Pick<CacheAdminParts, 'askSavings' | 'askWrongRates' | 'askSimilar'> {
  /** That of limits and pushes. */
  redis: RedisClient;
  /** Where answers are; the same unless they have a Redis of their own. */
  cache: RedisClient;
  instance: string;
  telemetry: Pick<Telemetry, 'meter'>;
  logger: Pick<Logger, 'info' | 'warn' | 'debug'>;
  /** Tells the semantic-cache. */
  notify: <P extends keyof SemanticCacheEvents>(pattern: P, event: SemanticCacheEvents[P]) => Promise<void>;
  /** Has a change put into the audit log. Rejects with what the operator is to be told. */
  audit: (change: AuditedChange) => Promise<RouterRpc['audit']['reply']>;
}

/** All that a gateway has to do with cached answers, put together. */
export class GatewayCache {
  readonly answers: AnswerStore;
  readonly admin: CacheAdmin;
  readonly invalidations: Invalidations;
  private readonly sweep: InvalidationSweep;

  constructor({ redis, cache, instance, telemetry: { meter }, logger, notify, audit, askSavings, askWrongRates, askSimilar }: GatewayCacheParts) {
    this.invalidations = new Invalidations({ redis, logger });
    const { invalidations } = this;
    this.answers = new AnswerStore(cache, invalidations, (event) => notify('store', event), logger);
    this.admin = new CacheAdmin({
      cache, invalidations, audit, askSavings, askWrongRates, askSimilar, meter, logger,
      announce: (rule) => notify('invalidate', rule),
      tellFeedback: (feedback) => notify('feedback', feedback),
      now: Date.now,
    });
    this.sweep = new InvalidationSweep({ invalidations, cache, redis, instance, logger, meter });
  }

  start(): void {
    this.invalidations.start();
    this.sweep.start();
  }

  /** Before the connections close. */
  async close(): Promise<void> {
    this.invalidations.close();
    await this.sweep.close();
  }
}
