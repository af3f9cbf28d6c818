import type { SseEvent } from '../dialects/sse.ts';
import { bounded, MOST_CHOICES } from '../dialects/stream-bounds.ts';
import type { AnswerRules } from '../guard/answer-rules.ts';
import { sourced, type ChunkSource, type SourcedChunk } from './chunk-source.ts';
import { GuardedDelta } from './guarded-delta.ts';

type Fields = Record<string, unknown>;
interface GuardedChunk {
  choices?: { index?: number | null; delta?: unknown; finish_reason?: string | null; [field: string]: unknown }[];
  [field: string]: unknown;
}

/** The same chunks with the content rules applied to every text in them. A sentence is held back until it is whole, and its end until the choice has ended, or the stream. */
export class GuardedChunks implements ChunkSource {
  private readonly deltas = new Map<number, GuardedDelta>();
  /** Of the last chunk, what is not its choices: a chunk made here has the same. */
  private head: Fields = {};
  private withheld = 0;
  private flushed = false;

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
    const chunks = this.source.push(event).map((given) => this.treat(given));
    return this.source.ended ? [...chunks, ...this.rest()] : chunks;
  }

  finish(): SourcedChunk[] {
    return [...this.source.finish().map((given) => this.treat(given)), ...this.rest()];
  }

  private treat(given: SourcedChunk): SourcedChunk {
    const chunk = given.chunk as GuardedChunk | null;
    if (!Array.isArray(chunk?.choices)) return given;
    const { choices: said, ...fields } = chunk;
    const head = this.rules.withoutTokens(this.rules.all<Fields>(fields));
    const { usage: _usage, ...lasting } = head;
    this.head = { ...lasting, ...('usage' in head && { usage: null }) };
    if (said.length === 0) return head === fields ? given : sourced({ ...head, choices: said });
    return sourced({ ...head, choices: said.map((choice) => this.choice(choice)) });
  }

  private choice({ delta: said, ...choice }: NonNullable<GuardedChunk['choices']>[number]): Fields {
    const held = this.held(choice.index ?? 0);
    const delta = held.push(said);
    // The last chunk of a choice brings what was held back.
    if (typeof choice.finish_reason === 'string') held.flush(delta);
    return { ...this.rules.withoutTokens(this.rules.all<Fields>(choice)), delta };
  }

  private held(index: number): GuardedDelta {
    const held = this.deltas.get(index) ?? new GuardedDelta(this.rules, (chars) => (this.withheld += chars));
    this.deltas.set(index, held);
    bounded(this.deltas.size, MOST_CHOICES, 'choices');
    return held;
  }

  /** What is still held at the end of the stream: of choices that never said why they ended, or that went on afterwards. */
  private rest(): SourcedChunk[] {
    if (this.flushed) return [];
    this.flushed = true;
    const chunks: SourcedChunk[] = [];
    for (const [index, held] of this.deltas) {
      const delta: Fields = {};
      if (held.flush(delta)) chunks.push(sourced({ ...this.head, choices: [{ index, delta, finish_reason: null }] }));
    }
    return chunks;
  }
}
