import { DejaError } from '@deja/contracts';
import { SseParser } from '../dialects/sse.ts';
import type { StreamReader } from './exchange.ts';
import { AttemptFailure } from './failure.ts';

/** What may come before the first content. */
const MAX_HEAD_CHARS = 4 * 1024 * 1024;

/**
 * A provider's stream on its way to the client. Nothing reaches the client before the first content: until then another
 * provider may still take over. Afterwards it is relayed event by event, and a stream that breaks off before the
 * provider's own end is a failure, however it looks.
 */
export class RelayedStream {
  private readonly parser = new SseParser();
  private readonly source: AsyncIterator<Uint8Array>;
  private done = false;

  constructor(
    body: AsyncIterable<Uint8Array>,
    readonly reader: StreamReader,
    /** What the provider was called with; where it repeats it in an error, nobody is told. null: nothing. */
    private readonly credential: string | null = null,
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
      if (content) return head;
      if (head.length > MAX_HEAD_CHARS) throw new AttemptFailure('malformed', { cause: new RangeError('a stream that never comes to its content') });
    }
    if (this.reader.kept() === null) throw new AttemptFailure('malformed', { cause: new Error('the stream ended without an answer') });
    return head;
  }

  /** The head and the rest, as text to be sent, one piece for what came in one read. Ends only after a clean end. */
  async *all(head: string): AsyncGenerator<string> {
    yield head;
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
    if (read.done) {
      this.done = true;
      return this.sound(() => this.reader.finish());
    }
    let text = '';
    let content = false;
    for (const event of this.sound(() => this.parser.push(read.value))) {
      const relayed = this.sound(() => this.reader.push(event));
      text += relayed.text;
      content ||= relayed.content;
      if (this.reader.ended) {
        this.done = true;
        break;
      }
    }
    return { text, content };
  }

  /** What a provider's bytes mean. Whatever our reading of them trips over is no answer, and told as that. */
  private sound<T>(read: () => T): T {
    try {
      return read();
    } catch (error) {
      if (error instanceof DejaError) throw error;
      if (!(error instanceof AttemptFailure)) throw new AttemptFailure('malformed', { cause: error });
      throw this.credential === null ? error : error.without(this.credential);
    }
  }
}
