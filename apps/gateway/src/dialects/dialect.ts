import type { ChatBody } from '../chat/chat-request.ts';
import type { ReadFailure } from '../attempt/failure.ts';
import type { ChatCompletion, CompletionUsage } from '../chat/completion.ts';
import type { ParamTable } from './params.ts';
import type { SseEvent } from './sse.ts';

/** What a translation needs to know besides the request. */
export interface TranslationContext {
  /** The model's name at the provider. */
  upstreamModel: string;
  stream: boolean;
  /** The model's own ceiling for output tokens; null when nobody knows it. */
  maxOutputTokens: number | null;
  /** When the call is made, Unix seconds: the `created` of replies from providers that do not say. */
  createdS: number;
}

/** One request in a provider's own words. The attempt adds credential and trace headers. */
export interface ProviderCall {
  /** Below the provider's base URL, with its query, such as `/v1/messages`. */
  path: string;
  headers: Record<string, string>;
  /** JSON text. */
  body: string;
  /** Parameters the provider lacks and that were left out; `x-deja-dropped-params` lists them. */
  dropped: string[];
}

/** One event of a streamed chat completion, in OpenAI's words. The last one has no choices but `usage`, as if `include_usage` had been asked for. */
export interface ChatChunk {
  id: string;
  object: 'chat.completion.chunk';
  created: number;
  model: string;
  choices: { index: number; delta: Record<string, unknown>; finish_reason: string | null; logprobs?: unknown }[];
  usage?: CompletionUsage | null;
  [field: string]: unknown;
}

/** Turns one provider's stream into chunks of a chat completion. One object a stream. */
export interface ChatStreamTranslator {
  /**
   * What one event means; an empty list when the client need not know. Throws an AttemptFailure for an error event
   * (`overloaded`, `rate`, …) and `malformed` for what is no event of this provider.
   */
  push(event: SseEvent): ChatChunk[];
  /** Whether the provider has said by itself that its answer is complete. Nothing is read after that. */
  readonly ended: boolean;
  /**
   * The connection came to a clean end before `ended`. Returns what is still to be said where that is how this provider
   * ends; throws an AttemptFailure `network` when the answer is not complete.
   */
  finish(): ChatChunk[];
}

/** How a provider of another kind is asked for a chat completion. Pure: no clock, no I/O. */
export interface ChatDialect {
  /** What becomes of each parameter of a chat completion request. docs/parameters.md shows the same table. */
  readonly params: ParamTable;
  /** Headers that carry the credential. */
  credentialHeaders(credential: string): Record<string, string>;
  /** `chat/completions` → the provider's request. Never throws for a request that `refusedParam` lets pass. */
  request(body: ChatBody, context: TranslationContext): ProviderCall;
  /** The provider's whole reply → a chat completion; throws an AttemptFailure `malformed` when it is none. */
  reply(reply: unknown, body: ChatBody, context: TranslationContext): ChatCompletion;
  /** A translator for one stream. */
  stream(body: ChatBody, context: TranslationContext): ChatStreamTranslator;
  /** Classifies an answer that is no success, and puts the provider's own words for a caller's mistake into OpenAI's shape. */
  readonly failure: ReadFailure;
}
