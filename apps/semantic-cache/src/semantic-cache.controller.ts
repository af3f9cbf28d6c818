import { DejaError } from '@deja/contracts';
import { StreamsContext } from '@deja/transport';
import { Controller } from '@nestjs/common';
import { Ctx, EventPattern, MessagePattern, Payload } from '@nestjs/microservices';
import { parseInvalidation, parseLookup, parseStore } from './entries/messages.ts';
import { CacheMetrics } from './metrics.ts';
import { SemanticCache, type LookupReply } from './semantic-cache.ts';

/** The messages this app takes: SemanticCacheRpc and SemanticCacheEvents in libs/contracts. */
@Controller()
export class SemanticCacheController {
  constructor(
    private readonly cache: SemanticCache,
    private readonly metrics: CacheMetrics,
  ) {}

  @MessagePattern('lookup')
  lookup(@Payload() data: unknown, @Ctx() context: StreamsContext): LookupReply {
    const startedMs = performance.now();
    const outcome = (name: string): void => this.metrics.lookedUp(performance.now() - startedMs, name);
    try {
      const reply = this.cache.lookup(parseLookup(data), context);
      outcome(reply.outcome === 'hit' ? 'hit' : reply.reason);
      return reply;
    } catch (error) {
      outcome(error instanceof DejaError ? error.code : 'internal_error');
      throw error;
    }
  }

  /** An event has nobody to refuse it to: a malformed one is counted and dropped, since another try would not mend it. */
  @EventPattern('store')
  async store(@Payload() data: unknown): Promise<void> {
    try {
      this.metrics.stored(await this.cache.store(parseStore(data)));
    } catch (error) {
      this.metrics.stored(error instanceof DejaError ? error.code : 'internal_error');
      if (!(error instanceof DejaError)) throw error;
    }
  }

  /** As for `store`. */
  @EventPattern('invalidate')
  async invalidate(@Payload() data: unknown): Promise<void> {
    try {
      await this.cache.invalidate(parseInvalidation(data));
      this.metrics.invalidated('logged');
    } catch (error) {
      this.metrics.invalidated(error instanceof DejaError ? error.code : 'internal_error');
      if (!(error instanceof DejaError)) throw error;
    }
  }
}
