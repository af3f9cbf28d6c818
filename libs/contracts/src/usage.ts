/**
 * What one answer used. Tokens in OpenAI's words: `promptTokens` include the cached ones, `completionTokens` the reasoning ones. Only what is
 * not text is optional: absent is none of it, as in events of gateways of an earlier version.
 */
export interface Usage {
  promptTokens: number;
  cachedTokens: number;
  /** Tokens written to a provider's prompt cache (Anthropic bills them apart); part of `promptTokens`. */
  cacheWriteTokens: number;
  completionTokens: number;
  reasoningTokens: number;
  /** Parts of `promptTokens`. */
  audioInputTokens?: number;
  imageInputTokens?: number;
  /** Parts of `completionTokens`. */
  audioOutputTokens?: number;
  imageOutputTokens?: number;
  /** Pictures that were made, where the provider counts those and not their tokens. */
  images?: number;
  /** Length of a recording, where the provider counts that and not its tokens. */
  audioSeconds?: number;
  /** Of a text that was read aloud, Unicode code points, where the provider counts those and not tokens. */
  characters?: number;
  /** How the provider says it served the request, where that is not its standard way. */
  serviceTier?: ServiceTier;
}

/** Ways of being served that have a price of their own. */
export const SERVICE_TIERS = ['batch', 'flex', 'priority'] as const;
export type ServiceTier = (typeof SERVICE_TIERS)[number];

export type UsageSource = 'upstream' | 'estimated' | 'cache' | 'none';

/**
 * Rates as quoted at the time of the call: integer nano-USD per million tokens, unless a name says otherwise (0.15 USD per million is
 * 150_000_000). What an optional rate is absent for has no known price, and a usage that has some of it no known cost; the exceptions say so.
 */
export interface Price {
  /** Names the table and the override it came from; recorded with each row. */
  version: string;
  input: number;
  cachedInput: number;
  cacheWrite: number;
  output: number;
  /** Rates for requests whose prompt is longer than `abovePromptTokens`. */
  longContext: ContextRates | null;
  /** Where there are rates for several lengths: all of them, the shortest first. `longContext` is then the first one, for readers of an earlier version. */
  tiers?: readonly ContextRates[];
  /** Absent: reasoning is billed as other output is. */
  reasoning?: number;
  /** `text`: at the rates of text, whatever they are for the request. */
  audioInput?: number | 'text';
  audioOutput?: number;
  /** Absent: as text, which is how chat models bill pictures. */
  imageInput?: number;
  imageOutput?: number;
  /** Nano-USD of one. */
  perImage?: number;
  perAudioMinute?: number;
  perMillionCharacters?: number;
  perRequest?: number;
  /** What all of it is multiplied by when it is served so. */
  serviceTiers?: Partial<Record<ServiceTier, number>>;
  /** Tokens have no rate at all, and the token rates are without meaning: what is billed by the picture, the minute or the character alone. */
  tokenless?: true;
}

export interface ContextRates {
  abovePromptTokens: number;
  input: number;
  cachedInput: number;
  output: number;
  /** Absent: as much dearer than `cacheWrite` as `input` is than the price's. */
  cacheWrite?: number;
}

/** An operator's own price, from a moment on (Unix ms); absent: from the beginning. */
export interface PriceOverride extends Omit<Price, 'version'> {
  validFromMs?: number;
}

export type Outcome = 'ok' | 'error' | 'cancelled' | 'blocked' | 'orphaned';
export type CacheOutcome = 'HIT-EXACT' | 'HIT-SEMANTIC' | 'MISS' | 'BYPASS';

/** One upstream call. */
export interface AttemptRecord {
  id: string;
  /** 1 for the first call of its operation; 0 for one that stands beside them and is told of by itself (LateAttempt). */
  n: number;
  provider: string;
  deployment: string;
  /** Id of the credential, never its value; null where the provider needs none. */
  credential: string | null;
  /** The name sent upstream. */
  model: string;
  /** HTTP status of the provider, null when no answer came. */
  status: number | null;
  outcome: 'ok' | 'error' | 'cancelled';
  errorCode: string | null;
  hedge: boolean;
  shadow: boolean;
  usage: Usage | null;
  usageSource: UsageSource;
  /** The price at that moment; null when unknown, and then the cost is null, not 0. */
  price: Price | null;
  startedAtMs: number;
  firstByteMs: number | null;
  durationMs: number;
}

/** One client request, settled. This is the usage event: what the gateway hands to the usage-worker, and what the ledger keeps. */
export interface OperationRecord {
  kind: 'settled';
  id: string;
  tenant: string;
  key: string | null;
  user: string | null;
  tags: Record<string, string>;
  endpoint: string;
  requestedModel: string;
  /** The public name that served, null when none did. */
  model: string | null;
  provider: string | null;
  deployment: string | null;
  credential: string | null;
  status: number;
  outcome: Outcome;
  errorCode: string | null;
  cache: CacheOutcome | null;
  cacheReason: string | null;
  cacheEntry: string | null;
  cacheSimilarity: number | null;
  stream: boolean;
  /** What the client was told; on a hit the original numbers. */
  usage: Usage | null;
  usageSource: UsageSource;
  /** On a hit: the price of the call that was saved. */
  savedPrice: Price | null;
  /** On a hit: how much sooner it was answered than the call that it saved took, in ms; null or absent: unknown. */
  savedMs?: number | null;
  receivedAtMs: number;
  firstByteMs: number | null;
  durationMs: number;
  traceId: string | null;
  /** W3C traceparent of the operation, for the worker's span link. */
  traceparent: string | null;
  attempts: AttemptRecord[];
  /** Names of the content safety rules that the prompt or the answer met. */
  flags: string[];
}

/** An accepted operation that has not been settled yet; what an `orphaned` row is made of when its gateway dies. */
export interface OpenOperation {
  kind: 'open';
  id: string;
  tenant: string;
  key: string | null;
  user: string | null;
  tags: Record<string, string>;
  endpoint: string;
  requestedModel: string;
  stream: boolean;
  receivedAtMs: number;
  estimatedPromptTokens: number;
  /** What the prompt alone costs at the first candidate's price; null or absent: unknown. Integer nano-USD as text. */
  estimatedCostNanoUsd?: string | null;
  traceId: string | null;
}

/**
 * A shadow attempt by itself: it may end long after its operation was settled. It changes nothing of the operation's own
 * figures, and may be recorded before them. Only shadows come this way: any other call is part of what its operation cost.
 */
export interface LateAttempt {
  kind: 'late_attempt';
  /** Id of the operation, which names the partition. */
  operation: string;
  /** Whose request was copied, for readers of the event alone; the ledger knows it from the operation. */
  tenant: string;
  attempt: AttemptRecord;
}

/** What a gateway tells the usage-worker. */
export type UsageEvent = OperationRecord | LateAttempt;

/**
 * Data of one BullMQ job on `USAGE_QUEUE`: base64 of the zstd of UsageEvent[] as JSON. A worker sets an event whose `kind` it does not know aside and
 * records the rest, so a new kind is no new version. Gateways of earlier versions send `{ v: 1, events: UsageEvent[] }`.
 */
export interface UsageJobData {
  v: 2;
  z: string;
}
