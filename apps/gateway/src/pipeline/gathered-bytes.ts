/**
 * Bytes that come in pieces, in one buffer that grows. A list of the pieces would weigh some two hundred times what is in them when a peer sends chunks of one byte (docs/decisions/0051):
 * each is an object, with a slice of memory of its own.
 */
export class GatheredBytes {
  /** How many there are. */
  length = 0;
  private buffer: Buffer | null = null;
  /** Whether the buffer is this object's, or the first piece's. */
  private isOwn = false;

  /** `expected`: how many there are to be, where that is known and believed. */
  constructor(private readonly expected = 0) {}

  add(piece: Uint8Array): void {
    const length = this.length + piece.length;
    if (this.buffer === null) {
      // Most bodies come in one piece, which is kept as it is; one that is to grow is copied then.
      this.buffer = Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength);
      this.length = length;
      this.isOwn = false;
      return;
    }
    if (!this.isOwn || length > this.buffer.length) this.grow(length);
    this.buffer.set(piece, this.length);
    this.length = length;
  }

  /** All of them: a view, or the one piece that there was. To be taken once; what is added after that may change it. */
  bytes(): Buffer {
    return this.buffer === null ? Buffer.alloc(0) : this.buffer.subarray(0, this.length);
  }

  private grow(length: number): void {
    const larger = Buffer.allocUnsafeSlow(Math.max(length, this.expected, 2 * this.length, FIRST_BYTES));
    if (this.buffer !== null) larger.set(this.buffer.subarray(0, this.length));
    this.buffer = larger;
    this.isOwn = true;
  }
}

const FIRST_BYTES = 4096;
