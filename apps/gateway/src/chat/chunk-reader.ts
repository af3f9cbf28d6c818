import type { Usage } from '@deja/contracts';
import type { Said } from '../attempt/answer-tokens.ts';
import type { Transcript } from '../attempt/transcript.ts';
import type { ChatCall } from './chat-exchange.ts';
import type { ChunkSource } from './chunk-source.ts';
import { CompletionAssembler, type ChunkKind } from './completion-stream.ts';
import { endsInError, streamError } from './stream-error.ts';

/** What readers of chat chunks have in common, whatever they tell their client: the answer is counted and put together. */
export abstract class ChunkReader {
  protected readonly assembler = new CompletionAssembler();

  constructor(
    protected readonly source: ChunkSource,
    private readonly usageIn: ChatCall['usageIn'],
    protected readonly transcript: Transcript,
  ) {}

  get ended(): boolean {
    return this.source.ended;
  }

  get usage(): Usage | null {
    return this.usageIn(this.assembler.reported);
  }

  get producedChars(): number {
    return this.assembler.producedChars + this.source.withheldChars;
  }

  said(): Said {
    const { texts, otherChars } = this.assembler.said();
    return { texts, otherChars: otherChars + this.source.withheldChars };
  }

  takeText(): string {
    return this.transcript.take();
  }

  /** Says what a chunk is; throws an AttemptFailure for one that tells of an error. */
  protected take(chunk: unknown): Exclude<ChunkKind, 'error'> {
    const kind = this.assembler.add(chunk);
    if (kind === 'error' || endsInError(chunk)) throw streamError(chunk);
    return kind;
  }
}
