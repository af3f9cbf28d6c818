import type { ErrorBody } from '@deja/contracts';
import { AttemptFailure } from '../attempt/failure.ts';
import { SSE_DONE, SseParser, sseEvent } from '../dialects/sse.ts';
import { CompletionAssembler } from './completion-stream.ts';

/**
 * A provider's chat stream on its way to the client. Nothing reaches the client before the first content: until then
 * another provider may still take over. Afterwards it is relayed event by event, and a stream that ends without the
 * provider's own `[DONE]` is a failure, however it looks.
 */
export class ChatStream {
  readonly assembler = new CompletionAssembler();
  private readonly parser = new SseParser();
  private readonly source: AsyncIterator<Uint8Array>;
  private done = false;

  constructor(
    body: AsyncIterable<Uint8Array>,
    /** Whether the client asked for the usage chunk; upstream always is. */
    private readonly includeUsage: boolean,
  ) {
    this.source = body[Symbol.asyncIterator]();
  }

  /** Reads up to the first content and returns everything to be sent so far; `firstByte` is called when anything has come. Throws an AttemptFailure when the content never does. */
  async start(firstByte: () => void): Promise<string> {
    let head = '';
    while (!this.done) {
      const { text, content } = await this.next();
      firstByte();
      head += text;
      if (content) break;
    }
    if (this.assembler.completion().choices.length === 0) throw new AttemptFailure('malformed', { cause: new Error('the stream ended without a choice') });
    return head;
  }

  /** The rest, as text to be sent, one piece for what came in one read. Ends only after a clean end. */
  async *rest(): AsyncGenerator<string> {
    while (!this.done) {
      const { text } = await this.next();
      if (text !== '') yield text;
    }
  }

  /** Lets go of the provider's connection. */
  async cancel(): Promise<void> {
    await this.source.return?.();
  }

  private async next(): Promise<{ text: string; content: boolean }> {
    const read = await this.source.next();
    if (read.done) throw new AttemptFailure('network', { cause: new Error('the stream ended before its time') });
    let text = '';
    let content = false;
    for (const { data } of this.parse(read.value)) {
      if (data === SSE_DONE) {
        this.done = true;
        break;
      }
      const kind = this.assembler.add(parseChunk(data));
      if (kind === 'error') throw new AttemptFailure('overloaded', { providerError: errorIn(data) });
      if (kind === 'usage' && !this.includeUsage) continue;
      content ||= kind === 'content';
      text += sseEvent(data);
    }
    return { text, content };
  }

  private parse(bytes: Uint8Array): { data: string }[] {
    try {
      return this.parser.push(bytes);
    } catch (cause) {
      throw new AttemptFailure('malformed', { cause });
    }
  }
}

function parseChunk(data: string): unknown {
  try {
    return JSON.parse(data) as unknown;
  } catch (cause) {
    throw new AttemptFailure('malformed', { cause });
  }
}

function errorIn(data: string): ErrorBody['error'] | null {
  const { error } = JSON.parse(data) as { error?: { message?: unknown } };
  return typeof error?.message === 'string' ? { message: error.message, type: 'api_error', param: null, code: '' } : null;
}
