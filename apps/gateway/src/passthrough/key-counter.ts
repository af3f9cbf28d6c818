/** Counts how often a JSON key comes by in bytes that come in pieces. Inside of a JSON text its quotes would be escaped, so it is never a value's. */
export class KeyCounter {
  count = 0;
  private rest: Buffer = Buffer.alloc(0);
  private readonly key: Buffer;

  /** With its quotes. */
  constructor(key: string) {
    this.key = Buffer.from(key);
  }

  add(chunk: Uint8Array): void {
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    // What began in the piece before may end in this one.
    const seam = Buffer.concat([this.rest, bytes.subarray(0, this.key.length - 1)]);
    this.count += this.in(seam) + this.in(bytes);
    const last = bytes.length >= this.key.length - 1 ? bytes : Buffer.concat([this.rest, bytes]);
    this.rest = Buffer.from(last.subarray(Math.max(0, last.length - (this.key.length - 1))));
  }

  private in(bytes: Buffer): number {
    let found = 0;
    for (let at = bytes.indexOf(this.key); at >= 0; at = bytes.indexOf(this.key, at + this.key.length)) found++;
    return found;
  }
}
