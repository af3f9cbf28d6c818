import { DejaError, type SemanticCacheRpc } from '@deja/contracts';
import { StreamsContext } from '@deja/transport';
import { Controller } from '@nestjs/common';
import { Ctx, EventPattern, MessagePattern, Payload } from '@nestjs/microservices';
import { parseAudit, parseFeedback, parseInvalidation, parseJudged, parseLookup, parseSimilar, parseStore, parseWrongRates } from './entries/messages.ts';
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
  async lookup(@Payload() data: unknown, @Ctx() context: StreamsContext): Promise<LookupReply> {
    const startedMs = performance.now();
    const outcome = (name: string): void => this.metrics.lookedUp(performance.now() - startedMs, name);
    try {
      const reply = await this.cache.lookup(parseLookup(data), context);
      outcome(reply.outcome === 'miss' ? reply.reason : reply.outcome);
      return reply;
    } catch (error) {
      outcome(error instanceof DejaError ? error.code : 'internal_error');
      throw error;
    }
  }

  @MessagePattern('wrong_rates')
  wrongRates(@Payload() data: unknown): SemanticCacheRpc['wrong_rates']['reply'] {
    return this.cache.wrongRates(parseWrongRates(data));
  }

  @MessagePattern('similar')
  async similar(@Payload() data: unknown): Promise<SemanticCacheRpc['similar']['reply']> {
    return await this.cache.similar(parseSimilar(data));
  }

  @EventPattern('store')
  async store(@Payload() data: unknown): Promise<void> {
    await this.taken('store', async () => await this.cache.store(parseStore(data)));
  }

  @EventPattern('invalidate')
  async invalidate(@Payload() data: unknown): Promise<void> {
    await this.taken('invalidate', async () => {
      await this.cache.invalidate(parseInvalidation(data));
      return 'logged';
    });
  }

  @EventPattern('audit')
  async audit(@Payload() data: unknown): Promise<void> {
    await this.taken('audit', async () => await this.cache.audit(parseAudit(data)));
  }

  @EventPattern('feedback')
  async feedback(@Payload() data: unknown): Promise<void> {
    await this.taken('feedback', async () => {
      await this.cache.feedback(parseFeedback(data));
      return 'logged';
    });
  }

  @EventPattern('judged')
  async judged(@Payload() data: unknown): Promise<void> {
    await this.taken('judged', async () => {
      await this.cache.judged(parseJudged(data));
      return 'logged';
    });
  }

  /** An event has nobody to refuse it to: a malformed one is counted and dropped, since another try would not mend it; any other failure has it delivered again. */
  private async taken(event: string, work: () => Promise<string>): Promise<void> {
    try {
      this.metrics.event(event, await work());
    } catch (error) {
      this.metrics.event(event, error instanceof DejaError ? error.code : 'internal_error');
      if (!(error instanceof DejaError)) throw error;
    }
  }
}
