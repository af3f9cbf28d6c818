import type { SemanticCacheRpc, SemanticPartition } from '@deja/contracts';
import type { Operation } from '../operation/operation.ts';

/** Asks the semantic-cache; rejects at the deadline. */
export type AskSemanticCache = (request: SemanticCacheRpc['lookup']['request'], signal: AbortSignal) => Promise<SemanticCacheRpc['lookup']['reply']>;

/** Semantic look-up on the request path: an error, a deadline or an absent service is a miss. */
export class SemanticLookup {
  constructor(private readonly ask: AskSemanticCache) {}

  async find(partition: SemanticPartition, text: string, operation: Operation): Promise<{ entry: string; similarity: number } | { reason: string }> {
    try {
      const reply = await this.ask({ ...partition, text }, operation.signal);
      return reply.outcome === 'hit' ? { entry: reply.entry, similarity: reply.similarity } : { reason: reply.reason };
    } catch {
      return { reason: 'semantic_unavailable' }; // told in x-cache-reason and counted there
    }
  }
}
