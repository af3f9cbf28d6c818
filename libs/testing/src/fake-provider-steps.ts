import type { IncomingHttpHeaders } from 'node:http';

/** A file in a multipart body. */
export interface FormFile {
  filename: string;
  contentType: string;
  size: number;
  sha256: string;
}

/** A field of a multipart body. */
export type FormValue = string | FormFile;

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
  /** The fields of a multipart body, those that came more than once as an array; undefined when it is none. */
  form: Record<string, FormValue | FormValue[]> | undefined;
  /** What Authorization, api-key, x-api-key, x-goog-api-key or the query's `key` carried. */
  credential: string | null;
  receivedAtMs: number;
  /** When the client went away before it had the whole answer, Unix milliseconds. */
  abortedAtMs: number | null;
  /** When the whole answer was handed to the system, Unix milliseconds. */
  finishedAtMs: number | null;
  /** Bytes of the answer's body that the system took so far: it takes no more while nobody reads. */
  sentBytes: number;
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
  /** false: a stream ends without its last event: `[DONE]`, `response.completed` or `message_stop`. */
  done?: boolean;
  /** Answers with these bytes, whatever was asked. */
  raw?: RawReply;
}

/** A reply that is played back byte for byte. */
export interface RawReply {
  /** 200 by default. */
  status?: number;
  headers?: Record<string, string>;
  contentType: string;
  /** One piece goes out whole, with its length; several one by one, each as a write of its own. */
  body: string | Buffer | Iterable<string | Buffer>;
  /** Before every piece. */
  chunkDelayMs?: number;
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

/** Exactly these bytes, on any path: `raw({ contentType: 'text/event-stream', body: recordedSse(…) })`. */
export const raw = (reply: RawReply, more: Step = {}): Step => ({ ...more, raw: reply, ...(reply.chunkDelayMs !== undefined && { chunkDelayMs: reply.chunkDelayMs }) });

/**
 * A stream of `bytes` bytes of content (Infinity: without end) in pieces of `chunkBytes`, none of which is written before the system took the last.
 * A chat completion gets them as the text of well-formed chunks; any other path as bytes of `contentType`.
 */
export function bigStream(o: { bytes: number; chunkBytes: number; contentType?: string }): ScriptStep {
  return (request) => {
    if (!/\/chat\/completions(\?|$)/.test(request.path)) return raw({ contentType: o.contentType ?? 'application/octet-stream', body: pieces(o, (piece) => piece) });
    const common = { id: `chatcmpl-fake-${request.n}`, object: 'chat.completion.chunk', created: 1_700_000_000, model: 'fake-model' };
    const event = (delta: object, finish: string | null): string => `data: ${JSON.stringify({ ...common, choices: [{ index: 0, delta, logprobs: null, finish_reason: finish }] })}\n\n`;
    const body = pieces(o, (content) => event({ content }, null), event({ role: 'assistant', content: '' }, null), `${event({}, 'stop')}data: [DONE]\n\n`);
    return raw({ contentType: 'text/event-stream; charset=utf-8', body });
  };
}

function* pieces(o: { bytes: number; chunkBytes: number }, render: (piece: string) => string, first?: string, last?: string): Generator<string> {
  if (first !== undefined) yield first;
  for (let left = o.bytes; left > 0; left -= o.chunkBytes) yield render('x'.repeat(Math.min(left, o.chunkBytes)));
  if (last !== undefined) yield last;
}

/** Never answers, or stops answering after `afterChunks` while the socket stays open. */
export const hang = (afterChunks = 0, step: Step = answer('This answer never ends.')): Step => ({ ...step, hangAfter: afterChunks });

/** The connection breaks, at once or after `afterChunks`. */
export const cut = (afterChunks = 0, step: Step = answer('This answer breaks off.')): Step => ({ ...step, cutAfter: afterChunks });

/** A reply that is no valid JSON, whole or (with `sse`) in one event of a stream. */
export const malformed = (what: 'json' | 'sse' = 'json', step: Step = answer('This answer is broken.')): Step => ({ ...step, malformed: what });

/** A stream that ends in good order but without `[DONE]`. */
export const unfinished = (step: Step = answer('This answer has no end.')): Step => ({ ...step, done: false });
