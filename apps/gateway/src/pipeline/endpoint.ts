import type { Candidate } from '@deja/contracts';
import type { Eligibility, Sharing } from '@deja/cache-key';
import type { PromptParts } from '@deja/tokens';
import type { Exchange } from '../attempt/exchange.ts';
import type { AnswerRules } from '../guard/answer-rules.ts';
import type { JsonBody } from '../validate/json-body.ts';

/** A validated request, as far as the pipeline needs to know it. */
export interface ApiRequest {
  body: JsonBody;
  model: string;
  stream: boolean;
  /** End user as the body names it (OpenAI's `safety_identifier`, else `user`). */
  user: string | null;
  /** What the prompt is made of, for counting its tokens. */
  parts: PromptParts;
  /** Elements of the list that `max_messages` bounds. */
  messages: number;
  /** What the client allows at most, null when it did not say; and the parameter that says it. */
  maxOutputTokens: number | null;
  outputParam: string | null;
  /** Answers asked for. */
  choices: number;
  /** The text that similar questions are found by; null where there is none. */
  lastUserText: string | null;
}

/** What an answer is read with. */
export interface ExchangeContext {
  candidate: Candidate;
  /** The model's own ceiling for output tokens; null when nobody knows it. */
  maxOutputTokens: number | null;
  /** Now, Unix seconds: for replies of providers that do not say when they were made. */
  createdS: number;
  /** The operation's id, for answers whose provider gives no id of the right kind. */
  operationId: string;
  promptTokens: number;
  /** Whether a moderation model watches over what a streamed answer says. */
  watched: boolean;
  /** Content rules for answers; null when none looks at them. */
  rules: AnswerRules | null;
}

/** One family of the API: what is its own about parsing, asking, reading and replaying. The way through the gateway is the pipeline's. */
export interface Endpoint<R extends ApiRequest = ApiRequest> {
  /** Below `/v1/`, as the ledger names it. */
  readonly path: string;
  /** OpenTelemetry's `gen_ai.operation.name`. */
  readonly genAiOperation: string;
  /** Model that is meant where the body names none; null where it must. */
  readonly defaultModel: string | null;
  /** Members in which people write, for the moderation model; content rules look at every member but settings (guard/prompt-texts.ts). Empty: the endpoint is not guarded. */
  readonly textMembers: readonly string[];
  /** Throws a DejaError that names the field. */
  parse(body: JsonBody): R;
  /** Why this candidate cannot serve the request, as the client would be told if nobody could; null when it can. */
  unsuited(request: R, candidate: Pick<Candidate, 'deployment' | 'upstreamModel'>): { param: string | null; message: string } | null;
  exchange(request: R, context: ExchangeContext): Exchange;
  /** Which caches may answer. */
  eligibility(request: R, sharing: Sharing): Eligibility;
  /** A kept reply as the stream a provider would have sent. */
  replay(kept: Buffer, request: R): Iterable<string>;
  /** What a kept reply says, for comparing two of them; null where it is none. Absent where no similar questions are answered. */
  said?(kept: Buffer): string | null;
}
