import type { SemanticCacheRpc } from '@deja/contracts';
import { inTime } from '../limits/in-time.ts';
import type { Operation } from '../operation/operation.ts';
import { semanticPolicyOf } from './policy.ts';
import type { QuestionPlace } from './question-place.ts';

export type LookupReply = SemanticCacheRpc['lookup']['reply'];

/** Asks the semantic-cache; rejects at the deadline. */
export type AskSemanticCache = (request: SemanticCacheRpc['lookup']['request'], signal: AbortSignal) => Promise<LookupReply>;

/** So long a look-up waits for a vector that has to be bought. */
const VECTOR_MS = 300;

/** Semantic look-up on the request path: an error, a deadline or an absent service is a miss. */
export class SemanticLookup {
  constructor(
    private readonly ask: AskSemanticCache,
    private readonly vectorMs: number = VECTOR_MS,
  ) {}

  /** Never rejects. `mayAudit`: whether the provider may be asked in place of a hit, to compare. */
  async find(place: QuestionPlace, operation: Operation, mayAudit: boolean): Promise<LookupReply> {
    const { partition, text, model, vector: buy } = place;
    if (partition === null) return miss('no_entry');
    const vector = buy === undefined ? undefined : await inTime(buy(), this.vectorMs);
    if (vector === null) return miss('embedder_unavailable');
    const policy = semanticPolicyOf(place.policy.semantic, model);
    try {
      const asked = mayAudit ? policy : { ...policy, auditShare: 0 };
      return await this.ask({ ...partition, text, model, policy: asked, ...(vector && { vector }) }, operation.signal);
    } catch {
      return miss('semantic_unavailable'); // told in x-cache-reason and counted there
    }
  }
}

const miss = (reason: string): LookupReply => ({ outcome: 'miss', reason });
