import { AttemptFailure } from '../attempt/failure.ts';
import type { ChatStreamTranslator } from '../dialects/dialect.ts';
import { StreamedCalls } from '../dialects/openai/tool-calls.ts';
import { SSE_DONE, type SseEvent } from '../dialects/sse.ts';
import { isChoice } from './completion.ts';
import { boundedJson } from '../dialects/bounded-json.ts';

/** One chunk of a streamed chat completion, parsed, and as the JSON text to be sent on. */
export interface SourcedChunk {
  chunk: unknown;
  text: string;
}

/** A provider's stream as chunks of a chat completion, whatever it speaks. */
export interface ChunkSource {
  push(event: SseEvent): SourcedChunk[];
  readonly ended: boolean;
  /** Characters that the provider produced and the chunks so far do not hold: content rules keep them back. */
  readonly withheldChars: number;
  finish(): SourcedChunk[];
}

/** A provider that speaks OpenAI's language: its own text goes on, digit for digit. */
export class OpenAiChunks implements ChunkSource {
  readonly withheldChars = 0;
  ended = false;
  /** For servers whose tool calls lack fields. */
  private readonly calls = new StreamedCalls();

  push({ data }: SseEvent): SourcedChunk[] {
    if (data === SSE_DONE) {
      this.ended = true;
      return [];
    }
    const chunk = parsed(data);
    return [{ chunk, text: this.calls.complete(chunk, data) }];
  }

  finish(): SourcedChunk[] {
    throw new AttemptFailure('network', { cause: new Error('the stream ended before its time') });
  }
}

/** A provider of another language, translated. */
export class TranslatedChunks implements ChunkSource {
  readonly withheldChars = 0;

  constructor(private readonly translator: ChatStreamTranslator) {}

  get ended(): boolean {
    return this.translator.ended;
  }

  push(event: SseEvent): SourcedChunk[] {
    return this.translator.push(event).map(sourced);
  }

  finish(): SourcedChunk[] {
    return this.translator.finish().map(sourced);
  }
}

/** A chunk that was made here. */
export const sourced = (chunk: unknown): SourcedChunk => ({ chunk, text: JSON.stringify(chunk) });

function parsed(data: string): unknown {
  let chunk: unknown;
  try {
    chunk = boundedJson(data);
  } catch (cause) {
    throw new AttemptFailure('malformed', { cause });
  }
  const choices = (chunk as { choices?: unknown } | null)?.choices;
  if (Array.isArray(choices) && !choices.every((choice) => isChoice(choice, 'delta'))) throw new AttemptFailure('malformed');
  return chunk;
}
