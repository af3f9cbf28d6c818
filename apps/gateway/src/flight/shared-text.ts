/** One piece of a text and, once somebody has asked for it, the piece behind it. */
interface Piece {
  text: string;
  next: Promise<Piece | null> | null;
}

/**
 * One source of text read by several readers, each at its own pace and from the beginning. The source is read only when the reader that is
 * furthest asks for more; whoever is behind gets what was read already. Every reader meets the source's end, or its error, where it was.
 */
export class SharedText {
  private readonly source: AsyncIterator<string>;
  private readonly first: Piece = { text: '', next: null };
  private readonly over = Promise.withResolvers<'ended' | 'failed'>();

  constructor(source: AsyncIterable<string>) {
    this.source = source[Symbol.asyncIterator]();
  }

  /** How the source came to its end; waits until it does. */
  get outcome(): Promise<'ended' | 'failed'> {
    return this.over.promise;
  }

  /** All of it. Rejects with the source's error. */
  async *read(): AsyncGenerator<string> {
    let piece = this.first;
    for (;;) {
      piece.next ??= this.pull();
      const next = await piece.next;
      if (next === null) return;
      yield next.text;
      piece = next;
    }
  }

  private async pull(): Promise<Piece | null> {
    try {
      const { done, value } = await this.source.next();
      if (!done) return { text: value, next: null };
      this.over.resolve('ended');
      return null;
    } catch (error) {
      this.over.resolve('failed');
      throw error;
    }
  }
}
