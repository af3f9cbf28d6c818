import type { IncomingHttpHeaders } from 'node:http';

/** One request as the fake provider received it. */
export interface ProviderRequest {
  /** 1 for the first request since the last reset. */
  n: number;
  method: string;
  path: string;
  headers: IncomingHttpHeaders;
  /** The body's bytes, exactly as they came. */
  rawBody: Buffer;
  /** The body parsed as JSON; undefined when it is none. */
  body: unknown;
  /** What Authorization, api-key or x-api-key carried. */
  credential: string | null;
  receivedAtMs: number;
  /** When the client went away before it had the whole answer, Unix milliseconds. */
  abortedAtMs: number | null;
  /** When the whole answer was handed to the system, Unix milliseconds. */
  finishedAtMs: number | null;
}

export interface ToolCall {
  name: string;
  /** JSON text, as models write it. */
  arguments: string;
  id?: string;
}

/** Numbers of the answer's usage; what is left out is counted from the texts. */
export interface StepUsage {
  promptTokens?: number;
  cachedTokens?: number;
  completionTokens?: number;
  reasoningTokens?: number;
}

/** How one call is answered. Everything may be combined: `{ ...chunks(['a', 'b']), chunkDelayMs: 5, done: false }`. */
export interface Step {
  /** Pieces of the answer's text: one chunk each in a stream, joined in a whole reply. */
  deltas?: string[];
  toolCalls?: ToolCall[];
  /** By default `stop`, or `tool_calls` when there are some. */
  finishReason?: string;
  refusal?: string;
  /** null: no usage, asked for or not. */
  usage?: StepUsage | null;
  /** What the reply calls its model; by default what was asked for. */
  model?: string;
  /** Anything but 200 answers with `error` instead. */
  status?: number;
  headers?: Record<string, string>;
  /** Body of an error: text goes out as it is, anything else as JSON. */
  error?: unknown;
  beforeFirstByteMs?: number;
  /** Before every chunk. */
  chunkDelayMs?: number;
  /** Awaited before chunk `i` (0 is the first): lets a test hold a stream exactly where it wants. */
  gate?: (chunk: number) => Promise<void> | void;
  /** The socket is destroyed after so many content chunks; 0 is before the status line. */
  cutAfter?: number;
  /** Nothing more comes after so many content chunks, but the socket stays open; 0 is before the status line. */
  hangAfter?: number;
  /** `json`: the body breaks off in the middle. `sse`: an event whose data is no JSON, after the first content chunk. */
  malformed?: 'json' | 'sse';
  /** false: a stream ends without its `[DONE]`. */
  done?: boolean;
}

/** A step, or what decides about it when the request is there. */
export type ScriptStep = Step | ((request: ProviderRequest) => Step | Promise<Step>);

/** A good answer; in a stream one chunk a word. */
export const answer = (text: string, more: Step = {}): Step => ({ deltas: text.match(/\S+\s*|\s+/g) ?? [], ...more });

/** A good answer in exactly these chunks. */
export const chunks = (deltas: string[], more: Step = {}): Step => ({ deltas, ...more });

/** An answer that calls tools. */
export const toolCalls = (calls: ToolCall[], more: Step = {}): Step => ({ deltas: [], toolCalls: calls, ...more });

/** An error of the provider, with an OpenAI-shaped body unless one is given. */
export const status = (code: number, headers: Record<string, string> = {}, error?: unknown): Step => ({
  status: code,
  headers,
  error: error ?? { error: { message: `fake provider says ${code}`, type: code === 429 ? 'requests' : 'api_error', param: null, code: null } },
});

/** Never answers, or stops answering after `afterChunks` while the socket stays open. */
export const hang = (afterChunks = 0, step: Step = answer('This answer never ends.')): Step => ({ ...step, hangAfter: afterChunks });

/** The connection breaks, at once or after `afterChunks`. */
export const cut = (afterChunks = 0, step: Step = answer('This answer breaks off.')): Step => ({ ...step, cutAfter: afterChunks });

/** A reply that is no valid JSON, whole or (with `sse`) in one event of a stream. */
export const malformed = (what: 'json' | 'sse' = 'json', step: Step = answer('This answer is broken.')): Step => ({ ...step, malformed: what });

/** A stream that ends in good order but without `[DONE]`. */
export const unfinished = (step: Step = answer('This answer has no end.')): Step => ({ ...step, done: false });
