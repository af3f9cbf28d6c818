import type { SseEvent } from '../dialects/sse.ts';
import type { AnswerRules } from '../guard/answer-rules.ts';
import { sourced, type ChunkSource, type SourcedChunk } from './chunk-source.ts';
import { SPOKEN, TOOL_INPUTS } from './guarded-completion.ts';

type Fields = Record<string, unknown>;
interface GuardedChunk {
  choices?: { index?: number; delta?: Fields; finish_reason?: string | null }[];
}
interface HeldText {
  push(piece: string): string;
  flush(): string;
}

/** The same chunks with the content rules applied to what they say, and to what they hand to tools. A sentence is held back until it is whole. */
export class GuardedChunks implements ChunkSource {
  /** By choice, then by where in its delta the text stands. */
  private readonly texts = new Map<number, Map<string, HeldText>>();
  private withheld = 0;

  constructor(
    private readonly source: ChunkSource,
    private readonly rules: AnswerRules,
  ) {}

  get ended(): boolean {
    return this.source.ended;
  }

  get withheldChars(): number {
    return Math.max(0, this.withheld);
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
      const index = choice.index ?? 0;
      const delta: Fields = { ...choice.delta };
      for (const field of SPOKEN) if (typeof delta[field] === 'string') delta[field] = this.take(index, field, delta[field]);
      if (Array.isArray(delta['tool_calls'])) delta['tool_calls'] = delta['tool_calls'].map((call: unknown) => this.treatCall(index, call));
      // The last chunk of a choice brings what was held back.
      if (typeof choice.finish_reason === 'string') this.flush(index, delta);
      return { ...choice, delta };
    });
    return sourced({ ...chunk, choices });
  }

  private treatCall(choice: number, given: unknown): unknown {
    const call = (given ?? {}) as Fields;
    const treated = { ...call };
    for (const [member, field] of TOOL_INPUTS) {
      const tool = call[member] as Fields | null | undefined;
      const piece = tool?.[field];
      if (typeof piece === 'string') treated[member] = { ...tool, [field]: this.take(choice, `${Number(call['index'] ?? 0)} ${member} ${field}`, piece) };
    }
    return treated;
  }

  private take(choice: number, place: string, piece: string): string {
    const texts = this.texts.get(choice) ?? new Map<string, HeldText>();
    this.texts.set(choice, texts);
    const text = texts.get(place) ?? this.rules.pieces();
    texts.set(place, text);
    this.withheld += piece.length; // before the rules see it: what they block was produced all the same
    return this.given(text.push(piece));
  }

  private flush(choice: number, delta: Fields): void {
    for (const [place, held] of this.texts.get(choice) ?? []) {
      const text = this.given(held.flush());
      if (text === '') continue;
      const [index, member, field] = place.split(' ');
      if (member === undefined || field === undefined) delta[place] = typeof delta[place] === 'string' ? delta[place] + text : text;
      else delta['tool_calls'] = [...((delta['tool_calls'] as unknown[] | undefined) ?? []), { index: Number(index), [member]: { [field]: text } }];
    }
  }

  private given(text: string): string {
    this.withheld -= text.length;
    return text;
  }
}
