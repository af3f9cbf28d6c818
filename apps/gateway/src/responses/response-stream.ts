import type { ErrorBody, Usage } from '@deja/contracts';
import { FAILURES, refusalKind } from '../attempt/failure-table.ts';
import { AttemptFailure, type FailureKind } from '../attempt/failure.ts';
import type { Said } from '../attempt/answer-tokens.ts';
import { atTier, usageOf } from '../chat/completion.ts';
import { bounded, MOST_ITEM_CHARS, MOST_ITEMS } from '../dialects/stream-bounds.ts';
import type { OutputItem, ResponseObject, ResponseUsage } from './response-object.ts';
import { OpenItems, saidInOutput } from './said.ts';

/** What one event of a streamed response means for the one who relays it. */
export type ResponseEventKind = 'preamble' | 'content' | 'end' | 'error';

/** Events that say only that an answer, or a part of it, begins: until something else comes, another provider may still take over. */
const BEGINNINGS = new Set(['response.created', 'response.queued', 'response.in_progress', 'response.content_part.added', 'response.reasoning_summary_part.added', 'keepalive']);
/** Items that are followed by their content. Any other one is work that the provider has begun by itself. */
const SPOKEN_ITEMS = new Set(['message', 'reasoning', 'function_call', 'custom_tool_call']);

/** Reads a provider's own stream of a response, event by event. */
export class ResponseReader {
  private readonly items: OutputItem[] = [];
  private last: ResponseObject | null = null;
  private complaint: ErrorBody['error'] | null = null;
  private readonly open = new OpenItems();
  private itemChars = 0;
  /** Characters put out so far. */
  producedChars = 0;

  /** The whole response, once its last event has come (completed, incomplete or failed). */
  get response(): ResponseObject | null {
    return this.last;
  }

  get usage(): Usage | null {
    return this.last === null ? null : usageOfResponse(this.last);
  }

  /** What was said so far. */
  said(): Said {
    if (this.last !== null && this.last.output.length > 0) return { texts: saidInOutput(this.last.output), otherChars: 0 };
    return { texts: [...saidInOutput(this.items), ...this.open.texts], otherChars: this.open.otherChars };
  }

  /** Why the provider gave up; null while it did not. */
  get failure(): AttemptFailure | null {
    if (this.complaint === null) return null;
    const kind = failureKind(this.complaint.code);
    return new AttemptFailure(kind, { providerError: this.complaint, ...(FAILURES[kind].hopeless === 'request' && { status: 400 }) });
  }

  /** Takes the data of one event (parsed JSON, and how long it is) and says what it is; `error` also for anything that is no event. Throws an AttemptFailure for more items than an answer has. */
  push(event: unknown, chars = 0): { kind: ResponseEventKind } {
    if (typeof event !== 'object' || event === null) return this.broken({});
    const { type, delta, item, response } = event as { type?: unknown; delta?: unknown; item?: OutputItem; response?: unknown };
    if (typeof type !== 'string' || type === 'error') return this.broken('error' in event ? event.error : event);
    if (typeof delta === 'string') this.producedChars += delta.length;
    this.open.add(event);
    if (type === 'response.failed') {
      this.last = asResponse(response);
      return this.broken(this.last?.error);
    }
    if (type === 'response.completed' || type === 'response.incomplete') {
      this.last = this.whole(asResponse(response));
      return this.last ? { kind: 'end' } : this.broken({});
    }
    if (type === 'response.output_item.done' && item) this.keep(item, chars);
    const begins = BEGINNINGS.has(type) || (type === 'response.output_item.added' && SPOKEN_ITEMS.has(item?.type ?? ''));
    return { kind: begins ? 'preamble' : 'content' };
  }

  private keep(item: OutputItem, chars: number): void {
    this.items.push(item);
    this.itemChars += chars;
    bounded(this.items.length, MOST_ITEMS, 'items');
    bounded(this.itemChars, MOST_ITEM_CHARS, 'characters of items');
  }

  /** Some servers leave the output out of the last event; it has been told item by item. */
  private whole(response: ResponseObject | null): ResponseObject | null {
    return response && response.output.length === 0 && this.items.length > 0 ? { ...response, output: this.items } : response;
  }

  private broken(error: unknown): { kind: 'error' } {
    const { message, type, param, code } = (error ?? {}) as Record<string, unknown>;
    const text = (value: unknown): string => (typeof value === 'string' ? value : '');
    // An event `error` is followed by `response.failed`, which knows less.
    this.complaint ??= { message: text(message), type: type === 'error' ? '' : text(type), param: typeof param === 'string' ? param : null, code: text(code) };
    return { kind: 'error' };
  }
}

/** Codes of a failed response (OpenAI's ResponseErrorCode, and those of its HTTP errors) as what is to be done about them. */
function failureKind(code: string): FailureKind {
  if (code === 'insufficient_quota') return 'quota';
  if (code === 'rate_limit_exceeded') return 'rate';
  return CALLERS.test(code) ? refusalKind(code) : 'overloaded';
}

const CALLERS = /^(invalid_|image_|empty_image_file|unsupported_image|failed_to_download_image|bio_policy|context_length_exceeded|content_policy|content_filter)/;

/** OpenAI's `usage` of a response as deja counts it; null when there is none worth believing. */
export function responseUsage(usage: ResponseUsage | null | undefined): Usage | null {
  if (!usage) return null;
  const counted = usageOf({
    prompt_tokens: usage.input_tokens,
    completion_tokens: usage.output_tokens,
    prompt_tokens_details: { cached_tokens: usage.input_tokens_details?.cached_tokens ?? 0 },
    completion_tokens_details: { reasoning_tokens: usage.output_tokens_details?.reasoning_tokens ?? 0 },
  });
  const written = usage.input_tokens_details?.cache_write_tokens;
  if (!counted || typeof written !== 'number' || !(written > 0)) return counted;
  return { ...counted, cacheWriteTokens: Math.min(Math.round(written), counted.promptTokens - counted.cachedTokens) };
}

/** What a response used, and how it was served; null when it says nothing worth believing. */
export const usageOfResponse = (response: ResponseObject): Usage | null => atTier(responseUsage(response.usage), response['service_tier']);

/** Whether a response was only begun: it runs in the background, and what it uses is known when it has ended. */
export const isUnderWay = ({ status }: ResponseObject): boolean => status === 'queued' || status === 'in_progress';

/** A whole reply that looks like a response; null for anything else. */
export function asResponse(value: unknown): ResponseObject | null {
  if (typeof value !== 'object' || value === null) return null;
  const { id, object, output } = value as Partial<ResponseObject>;
  if (typeof id !== 'string' || object !== 'response' || !Array.isArray(output)) return null;
  const sound = output.every((item: unknown) => typeof item === 'object' && item !== null && typeof (item as OutputItem).type === 'string');
  return sound ? (value as ResponseObject) : null;
}

const refuses = (item: OutputItem): boolean => Array.isArray(item['content']) && item['content'].some((part: { type?: unknown }) => part?.type === 'refusal');

/** Whether a response may be kept for the next one who asks: ended, not filtered, not refused, no error. One cut by length may, for the same question. */
export function isStorableResponse(response: ResponseObject): boolean {
  const cutByLength = response.status === 'incomplete' && response.incomplete_details?.reason === 'max_output_tokens';
  return (response.status === 'completed' || cutByLength) && !response.error && !response.output.some(refuses);
}

/** Whether the response ended by itself and asks for nothing: a tool call is an answer to the same question only. */
export const isCompleteResponse = (response: ResponseObject): boolean => response.status === 'completed' && response.output.every(({ type }) => type === 'message' || type === 'reasoning');
