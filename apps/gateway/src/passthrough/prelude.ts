import type { BodyShare } from '../pipeline/body-memory.ts';
import { GatheredBytes } from '../pipeline/gathered-bytes.ts';
import type { MultipartScanner } from './multipart.ts';

/** A body that is read ahead only as far as it has to be understood, and then sent on whole: what was read first, the rest after it. */
export class Prelude {
  private readonly source: AsyncIterator<Uint8Array>;
  private head = new GatheredBytes();
  private exhausted = false;
  private isTaken = false;

  /** @param share room for what is read ahead, until it was sent on for the last time */
  constructor(source: AsyncIterable<Uint8Array>, private readonly share: Pick<BodyShare, 'take' | 'give'> | null = null) {
    this.source = source[Symbol.asyncIterator]();
  }

  /**
   * Reads until the scanner knows `field`, the form has ended, or `maxBytes` were read (the last chunk may go beyond). `head` is what was read, byte for
   * byte and not as the scanner would send it on: where the form goes decides what is rewritten, so it passes a second scanner on its way out.
   * `exhausted`: nothing more comes, so the form may be sent more than once. Throws what the scanner throws.
   */
  async readAhead(scanner: MultipartScanner, maxBytes: number, field = 'model'): Promise<{ head: Buffer; exhausted: boolean }> {
    for (let bytes = 0; bytes < maxBytes && !this.exhausted && !scanner.fields.has(field); ) {
      const { done, value } = await this.source.next();
      if (done === true) {
        scanner.end();
        this.exhausted = true;
        break;
      }
      this.share?.take(value.length);
      this.head.add(value);
      bytes += value.length;
      scanner.push(value);
    }
    return { head: this.head.bytes(), exhausted: this.exhausted };
  }

  /** The whole body through a new scanner; again only when it was exhausted. `before` is waited for with each chunk that was not read ahead. Ends with the scanner's error when the form does not end well. */
  async *through(scanner: MultipartScanner, before: (chunk: Uint8Array) => Promise<void> = () => Promise.resolve()): AsyncGenerator<Uint8Array> {
    if (this.isTaken && !this.exhausted) throw new Error('a body that was not read to its end can be sent once');
    this.isTaken = true;
    if (this.head.length > 0) yield* scanner.push(this.head.bytes());
    if (!this.exhausted) this.forgetHead();
    while (!this.exhausted) {
      const { done, value } = await this.source.next();
      if (done === true) break;
      await before(value);
      yield* scanner.push(value);
    }
    yield* scanner.end();
  }

  private forgetHead(): void {
    this.share?.give(this.head.length);
    this.head = new GatheredBytes();
  }

  /** Lets the source go when the rest is not wanted. */
  async close(): Promise<void> {
    await this.source.return?.();
  }
}
