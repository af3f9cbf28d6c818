import { cacheEntryKey, covers, DejaError, newId, type Invalidation, type SemanticCacheRpc } from '@deja/contracts';
import type { RedisClient } from '@deja/redis';
import { RpcFailure, RpcTimeout, RpcUnavailable } from '@deja/transport';
import { metasOf } from './answer-scan.ts';
import { cachedAnswer, type EntryMeta } from './entry.ts';
import type { Invalidations } from './invalidations.ts';

/** An answer by the question it was given to. */
export type SimilarAnswer = SemanticCacheRpc['similar']['reply']['entries'][number];

/** Rejects at the deadline, and with `invalid_value` of `text` where the text has no vector. */
export type AskSimilar = (request: SemanticCacheRpc['similar']['request']) => Promise<SemanticCacheRpc['similar']['reply']>;

export interface Likeness {
  text: string;
  /** Cosine, 0 … 1. */
  minSimilarity: number;
}

/** Each answer that is taken back by its question is a rule of its own, of which there may be 1,000 in all. */
export const MOST_SIMILAR = 200;
/** The nearest questions that are looked at for answers that meet the other conditions too. */
const LOOKED_AT = 1000;

/** Answers to questions like a given one. */
export class SimilarAnswers {
  constructor(
    private readonly cache: RedisClient,
    private readonly invalidations: Invalidations,
    private readonly ask: AskSimilar,
  ) {}

  /**
   * The answers to such questions that `conditions` would cover and nothing covers yet, nearest first. `partial`: there may be others. Rejects with
   * what the operator is to be told, or when Redis cannot be asked.
   */
  async find({ text, minSimilarity }: Likeness, conditions: Invalidation): Promise<{ answers: SimilarAnswer[]; partial: boolean }> {
    const { entries, tooMany } = await this.ask({ tenant: conditions.tenant, text, minSimilarity, limit: LOOKED_AT }).catch((error: unknown) => {
      throw told(error);
    });
    const named = entries.filter(({ tenant, entry }) => isNullOr(conditions.tenant, tenant) && isNullOr(conditions.entry, entry));
    const metas = await metasOf(this.cache, named.map(({ tenant, entry }) => ({ key: cacheEntryKey(tenant, entry), tenant, kind: 'entry' })));
    await this.invalidations.check();
    return { answers: named.filter(({ tenant }, i) => this.isMeant(tenant, metas[i] ?? null, conditions)), partial: tooMany };
  }

  private isMeant(tenant: string, meta: EntryMeta | null, conditions: Invalidation): boolean {
    // What Redis has dropped to make room may still lie at the place of the same question, which has no way back from here.
    if (meta === null) return !asksFacts(conditions);
    const answer = cachedAnswer(tenant, meta);
    return covers(conditions, answer) && !this.invalidations.covers(answer);
  }
}

/** One invalidation for each of the answers. */
export const rulesFor = (answers: readonly SimilarAnswer[], nowMs: number): Invalidation[] =>
  answers.map(({ tenant, entry }) => ({ id: newId(), tenant, model: null, tag: null, entry, beforeMs: nowMs, madeAtMs: nowMs }));

/** Whether conditions ask more of an answer than whose it is and its id. */
const asksFacts = ({ model, tag, beforeMs, madeAtMs }: Invalidation): boolean => model !== null || tag !== null || beforeMs < madeAtMs;

const isNullOr = (condition: string | null, value: string): boolean => condition === null || condition === value;

function told(error: unknown): unknown {
  if (error instanceof DejaError && error.param === 'text') {
    return new DejaError('invalid_value', `Invalid value for 'similar_to'. ${error.message}`, { param: 'similar_to', cause: error });
  }
  if (error instanceof RpcTimeout || error instanceof RpcUnavailable) {
    return new DejaError('overloaded', 'No semantic-cache answered in time. Try again shortly, with the same Idempotency-Key where this changes something.', { retryAfterMs: 1000, cause: error });
  }
  if (error instanceof RpcFailure) return new DejaError('internal_error', 'The semantic-cache failed to do this; its log says why.', { cause: error });
  return error;
}
