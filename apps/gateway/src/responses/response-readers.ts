import type { Usage } from '@deja/contracts';
import type { Said } from '../attempt/answer-tokens.ts';
import { NOTHING_STORED, type KeptReply, type Relayed, type StoredIds, type StreamReader } from '../attempt/exchange.ts';
import { AttemptFailure } from '../attempt/failure.ts';
import type { Transcript } from '../attempt/transcript.ts';
import type { ChatCall } from '../chat/chat-exchange.ts';
import { ChunkReader } from '../chat/chunk-reader.ts';
import type { ChunkSource, SourcedChunk } from '../chat/chunk-source.ts';
import type { ChatChunk } from '../dialects/dialect.ts';
import { SSE_DONE, sseEvent, type SseEvent } from '../dialects/sse.ts';
import { bounded, MOST_ANSWER_CHARS, MOST_ID_CHARS, MOST_ITEMS } from '../dialects/stream-bounds.ts';
import type { AnswerRules } from '../guard/answer-rules.ts';
import type { ResponseEventWriter } from './chat-stream-to-response-events.ts';
import { guardedResponse } from './guarded-response.ts';
import { responseSse } from './response-events.ts';
import { itemIds, type OutputItem, type ResponseObject } from './response-object.ts';
import { responseEvents } from './response-replay.ts';
import { isCompleteResponse, isStorableResponse, ResponseReader } from './response-stream.ts';
import { boundedJson } from '../dialects/bounded-json.ts';

const NOTHING: Relayed = { text: '', content: false };

const keptResponse = (response: ResponseObject): KeptReply => ({ body: Buffer.from(JSON.stringify(response)), storable: isStorableResponse(response), complete: isCompleteResponse(response) });

/**
 * A provider's own stream of a response: its events go on as they came. Where content rules look at answers, the whole
 * answer is held back instead and told anew: its text stands in many events, and all of them have to agree.
 */
export class NativeResponseReader implements StreamReader {
  readonly closing = '';
  ended = false;
  private responseId: string | null = null;
  private readonly itemIds = new Set<string>();
  private idChars = 0;
  private readonly reader = new ResponseReader();
  private final: ResponseObject | null = null;

  constructor(
    /** Whether the provider keeps the response and its items under their ids. */
    private readonly stored: boolean,
    private readonly rules: AnswerRules | null,
    private readonly transcript: Transcript,
    /** Of a stream that is told anew, the events after this number. */
    private readonly startingAfter = -1,
  ) {}

  get usage(): Usage | null {
    return this.reader.usage;
  }

  get producedChars(): number {
    return this.reader.producedChars;
  }

  said(): Said {
    return this.reader.said();
  }

  get storedIds(): StoredIds {
    return { response: this.responseId, parts: [...this.itemIds].map((id) => ({ kind: 'item', id })) };
  }

  push({ event, data }: SseEvent): Relayed {
    if (data === SSE_DONE) return NOTHING; // some servers close with it, as chat completions do
    const parsed = parsedEvent(data);
    const { kind } = this.reader.push(parsed, data.length);
    if (kind === 'error') throw this.reader.failure ?? new AttemptFailure('malformed');
    this.note(parsed);
    if (kind === 'end') return this.end(event, data);
    return this.rules ? NOTHING : { text: named(event, data), content: kind === 'content' };
  }

  finish(): Relayed {
    throw new AttemptFailure('network', { cause: new Error('the stream ended before its time') });
  }

  takeText(): string {
    return this.transcript.take();
  }

  kept(): KeptReply | null {
    return this.final && keptResponse(this.final);
  }

  private end(event: string | null, data: string): Relayed {
    this.ended = true;
    const { response } = this.reader;
    if (response === null) throw new AttemptFailure('malformed');
    this.final = this.rules ? guardedResponse(response, this.rules) : response;
    const text = this.rules ? [...responseEvents(this.final)].filter((event) => event.sequence_number > this.startingAfter).map(responseSse).join('') : named(event, data);
    return { text, content: true };
  }

  private noteId(id: string): void {
    if (this.itemIds.has(id)) return;
    this.itemIds.add(id);
    this.idChars += id.length;
    bounded(this.itemIds.size, MOST_ITEMS, 'items');
    bounded(this.idChars, MOST_ID_CHARS, 'characters of ids');
  }

  private note(parsed: unknown): void {
    const { type, delta, item, response } = parsed as { type?: unknown; delta?: unknown; item?: OutputItem; response?: Partial<ResponseObject> | null };
    if (this.stored && typeof response?.id === 'string') this.responseId ??= response.id;
    if (this.stored) for (const { id } of itemIds(item ? [item] : response?.output)) this.noteId(id);
    if ((type === 'response.output_text.delta' || type === 'response.refusal.delta') && typeof delta === 'string') this.transcript.add(delta);
  }
}

/** A chat stream for a client of responses. */
export class TranslatedResponseReader extends ChunkReader implements StreamReader {
  readonly closing = '';
  readonly storedIds = NOTHING_STORED;

  constructor(
    source: ChunkSource,
    private readonly writer: ResponseEventWriter,
    usageIn: ChatCall['usageIn'],
    transcript: Transcript,
  ) {
    super(source, usageIn, transcript);
  }

  push(event: SseEvent): Relayed {
    const relayed = this.relay(this.source.push(event));
    return this.source.ended ? { ...relayed, text: relayed.text + this.closingEvents() } : relayed;
  }

  finish(): Relayed {
    const relayed = this.relay(this.source.finish());
    return { ...relayed, text: relayed.text + this.closingEvents() };
  }

  kept(): KeptReply | null {
    const { response } = this.writer;
    return response === null || this.assembler.completion().choices.length === 0 ? null : keptResponse(response);
  }

  private relay(chunks: SourcedChunk[]): Relayed {
    let text = '';
    let content = false;
    for (const { chunk } of chunks) {
      content = this.take(chunk) === 'content' || content;
      bounded(this.assembler.producedChars, MOST_ANSWER_CHARS, 'characters');
      for (const event of this.writer.push(chunk as ChatChunk)) {
        if (event.type === 'response.output_text.delta' && typeof event['delta'] === 'string') this.transcript.add(event['delta']);
        text += responseSse(event);
      }
    }
    return { text, content };
  }

  private closingEvents(): string {
    return this.writer.end().map(responseSse).join('');
  }
}

const named = (event: string | null, data: string): string => (event === null ? '' : `event: ${event}\n`) + sseEvent(data);

function parsedEvent(data: string): unknown {
  try {
    return boundedJson(data);
  } catch (cause) {
    throw new AttemptFailure('malformed', { cause });
  }
}
