import type { AnswerFacts, Invalidation } from './invalidation.ts';

/** Where a look-up may find something: entries of another partition are never seen. */
export interface SemanticPartition {
  tenant: string;
  /** `tenant`, `key:<id>`, `user:<id>` or `global`: who may share this answer. */
  scope: string;
  /** Hash of all of the request but its last user text. */
  fingerprint: string;
}

/** How the semantic answers of one request are decided. The gateway knows the policies and sends the one in force. */
export interface SemanticPolicy {
  /** `strict`: by words alone; `balanced`: a neural verifier may accept what words leave open. */
  verification: 'strict' | 'balanced';
  /** Share of the semantically served answers of this tenant and model that may be wrong, at most. In [0, 1]. */
  maxWrongRate: number;
  /** Share of would-be hits that the provider is to answer all the same, so that the answers can be compared. In [0, 1]. */
  auditShare: number;
  /** A pair is served only after a judge model has said that it is the same question. */
  judged: boolean;
}

/** A vector that the gateway bought, in place of the built-in embedder's. */
export interface GivenVector {
  /** `provider:model`: vectors of different embedders never meet. */
  embedder: string;
  /** Little-endian float32, base64. */
  values: string;
}

/** A cached answer that may be served for the question asked. */
export interface SemanticMatch {
  /** Id of the cached answer. */
  entry: string;
  /** Cosine, −1 … 1. */
  similarity: number;
  /** What made the questions the same (VerdictKind of libs/similarity). */
  kind: 'same_text' | 'surface' | 'synonym' | 'paraphrase';
  /** For people: why the questions are taken for the same. */
  explanation: string;
  /** Probability that the answer is wrong, upper bound, in [0, 1]. */
  wrong: number;
}

export interface SemanticCacheRpc {
  lookup: {
    request: SemanticPartition & {
      text: string;
      /** Public model that would serve. */
      model: string;
      policy: SemanticPolicy;
      vector?: GivenVector;
    };
    reply:
      | ({ outcome: 'hit' } & SemanticMatch)
      /** Ask the provider all the same, and send both answers as an `audit` event. It would be a hit or, where it is `refused`, one that is too risky to be served. */
      | ({ outcome: 'audit'; refused: boolean } & SemanticMatch)
      /** `unjudged`: would be a hit if the judge said that `text` asks the same; ask it and send its word as a `judged` event. */
      | { outcome: 'miss'; reason: string; unjudged?: SemanticMatch & { text: string } };
  };
  /** What is known of the wrong rates of one tenant's semantic answers; null: of all tenants. */
  wrong_rates: { request: { tenant: string | null }; reply: { rates: WrongRate[] } };
  /** Entries of a tenant (null: of all) whose question is at least so near to this text, nearest first; at most `limit`. `tooMany`: there were more. Errors: `invalid_value` where the text has no vector. */
  similar: {
    request: { tenant: string | null; text: string; minSimilarity: number; limit: number };
    reply: { entries: { tenant: string; entry: string; text: string; similarity: number }[]; tooMany: boolean };
  };
}

/** How often semantic answers turned out wrong, for one tenant and public model. */
export interface WrongRate {
  tenant: string;
  model: string;
  /** Audits and feedback that count, and those that found the answer wrong. Old ones count less, so neither need be whole. */
  observations: number;
  wrong: number;
  /** Best estimate and its 95 % interval, in [0, 1]. */
  rate: number;
  low: number;
  high: number;
  /** Semantic answers are stopped: even the low end is above what the operator allows. */
  stopped: boolean;
}

/** Whose entry an event is about. */
interface AboutEntry {
  tenant: string;
  /** Public model. */
  model: string;
  entry: string;
}

/** Events the semantic-cache takes. The answer itself is already in Redis under `cacheEntryKey(tenant, entry)`. */
export interface SemanticCacheEvents {
  store: SemanticPartition & {
    text: string;
    entry: string;
    expiresAtMs: number;
    /** A gateway of a version before has none. */
    made?: AnswerFacts;
    /** Of the answer, for bounds of size; absent: unknown. */
    bytes?: number;
    vector?: GivenVector;
  };
  /** Answers that are not to be found any more; the gateways refuse them in any case. */
  invalidate: Invalidation;
  /**
   * The provider answered what would have been a hit, or (`refused`) what was too risky for one. `same`: whether the answers say the same, where the gateway could tell (equal text, or a
   * judge's word); null: the two texts, at most MAX_COMPARED_CHARS each, are to be compared by their similarity.
   */
  audit: AboutEntry & { kind: SemanticMatch['kind']; similarity: number; refused: boolean; same: boolean | null; answers: { kept: string; fresh: string } | null };
  /** An operator said whether a cached answer was right. */
  feedback: AboutEntry & { correct: boolean };
  /** A judge's word on a pair of questions: whether `text` asks what the entry's question asks. */
  judged: SemanticPartition & { text: string; entry: string; same: boolean };
}

export const MAX_COMPARED_CHARS = 8000;
