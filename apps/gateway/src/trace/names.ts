/** Attributes of spans that no convention has a name for (docs/traces.md). */
export const DEJA = {
  requestId: 'deja.request_id',
  tenant: 'deja.tenant',
  outcome: 'deja.outcome',
  /** Of a stream, or of anything else that was sent while it came: when the client got the first of it. */
  firstByte: 'deja.first_byte',
  cache: 'deja.cache',
  cacheReason: 'deja.cache_reason',
  cacheEntry: 'deja.cache_entry',
  cacheSimilarity: 'deja.cache_similarity',
  /** The public model that served. */
  model: 'deja.model',
  provider: 'deja.provider',
  deployment: 'deja.deployment',
  /** Id of the credential, never its value. */
  credential: 'deja.credential',
  /** Rules of content safety that were met. */
  flags: 'deja.flags',
  attempts: 'deja.attempts',
  attempt: 'deja.attempt.n',
  attemptWhy: 'deja.attempt.why',
  attemptHedge: 'deja.attempt.hedge',
  attemptShadow: 'deja.attempt.shadow',
  attemptOutcome: 'deja.attempt.outcome',
  usageSource: 'deja.usage_source',
  costUsd: 'deja.cost_usd',
  /** What was left out of messages because they were too long. */
  contentCut: 'deja.content_cut',
} as const;
