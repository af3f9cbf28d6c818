import { AttemptFailure } from '../attempt/failure.ts';
import type { ChatStreamTranslator } from '../dialects/dialect.ts';
import { SSE_DONE, type SseEvent } from '../dialects/sse.ts';
import type { AnswerRules } from '../guard/answer-rules.ts';

/** One chunk of a streamed chat completion, parsed, and as the JSON text to be sent on. */
export interface SourcedChunk {
  chunk: unknown;
  text: string;
}

/** A provider's stream as chunks of a chat completion, whatever it speaks. */
export interface ChunkSource {
  push(event: SseEvent): SourcedChunk[];
  readonly ended: boolean;
  finish(): SourcedChunk[];
}

/** A provider that speaks OpenAI's language: its own text goes on, digit for digit. */
export class OpenAiChunks implements ChunkSource {
  ended = false;

  push({ data }: SseEvent): SourcedChunk[] {
    if (data === SSE_DONE) {
      this.ended = true;
      return [];
    }
    return [{ chunk: parsed(data), text: data }];
  }

  finish(): SourcedChunk[] {
    throw new AttemptFailure('network', { cause: new Error('the stream ended before its time') });
  }
}

/** A provider of another language, translated. */
export class TranslatedChunks implements ChunkSource {
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

type Delta = Record<string, unknown>;
interface GuardedChunk {
  choices?: { index?: number; delta?: Delta; finish_reason?: string | null }[];
}

/** Fields of a delta in which an answer speaks. */
const SPOKEN = ['content', 'refusal', 'reasoning_content'] as const;

/** The same chunks with the content rules applied to what they say. A sentence is held back until it is whole. */
export class GuardedChunks implements ChunkSource {
  private readonly texts = new Map<string, { push(piece: string): string; flush(): string }>();

  constructor(
    private readonly source: ChunkSource,
    private readonly rules: AnswerRules,
  ) {}

  get ended(): boolean {
    return this.source.ended;
  }

  push(event: SseEvent): SourcedChunk[] {
    return this.source.push(event).map((sourcedChunk) => this.treat(sourcedChunk));
  }

  finish(): SourcedChunk[] {
    return this.source.finish().map((sourcedChunk) => this.treat(sourcedChunk));
  }

  private treat(given: SourcedChunk): SourcedChunk {
    const chunk = given.chunk as GuardedChunk | null;
    if (!Array.isArray(chunk?.choices) || chunk.choices.length === 0) return given;
    const choices = chunk.choices.map((choice) => {
      const delta: Delta = { ...choice.delta };
      const index = choice.index ?? 0;
      for (const field of SPOKEN) {
        const piece = delta[field];
        const released = typeof piece === 'string' ? this.text(index, field).push(piece) : '';
        // The last chunk of a choice brings what was held back.
        const text = released + (typeof choice.finish_reason === 'string' ? this.flush(index, field) : '');
        if (typeof piece === 'string' || text !== '') delta[field] = text;
      }
      return { ...choice, delta };
    });
    return sourced({ ...chunk, choices });
  }

  private text(index: number, field: string): { push(piece: string): string; flush(): string } {
    const key = `${index} ${field}`;
    const text = this.texts.get(key) ?? this.rules.pieces();
    this.texts.set(key, text);
    return text;
  }

  private flush(index: number, field: string): string {
    return this.texts.get(`${index} ${field}`)?.flush() ?? '';
  }
}

const sourced = (chunk: unknown): SourcedChunk => ({ chunk, text: JSON.stringify(chunk) });

function parsed(data: string): unknown {
  try {
    return JSON.parse(data) as unknown;
  } catch (cause) {
    throw new AttemptFailure('malformed', { cause });
  }
}
