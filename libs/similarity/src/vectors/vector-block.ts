import { LARGEST_BLOCK } from './buddies.ts';
import type { Quantised } from './quantise.ts';
import type { Segment, VectorMemory } from './vector-memory.ts';

/** The search compares in f32: what it lets pass is this much lower, and the exact cosine decides. */
const SLACK = 1e-5;
/** After so many rows the search knows better how near the others must be; then after twice as many, and so on. */
const FIRST_STRIDE = 64;

/**
 * Vectors by row number, searched exactly. What a row means is the caller's, who keeps a list of his own in the same order. Rows stand one after
 * another in segments of LARGEST_BLOCK; the last segment grows by doubling, so that a block of one row takes the room of one.
 */
export class VectorBlock {
  private readonly memory: VectorMemory;
  private segments: readonly Segment[] = [];
  private count = 0;

  constructor(memory: VectorMemory) {
    this.memory = memory;
  }

  /** Rows. */
  get size(): number {
    return this.count;
  }

  /** Adds a row; returns its number, which is `size` of before. Throws a RangeError where the memory is full; nothing is added then. */
  add(vector: Quantised): number {
    const row = this.count;
    if (row === this.capacity) this.grow();
    this.memory.write(this.segmentOf(row), row % LARGEST_BLOCK, vector);
    this.count++;
    return row;
  }

  /** Removes a row. The last row takes its number: do the same with what the rows mean. */
  remove(row: number): void {
    if (!(row >= 0 && row < this.count)) throw new RangeError(`no row ${row} of ${this.count}`);
    const last = this.count - 1;
    if (row !== last) this.memory.copy(this.segmentOf(last), last % LARGEST_BLOCK, this.segmentOf(row), row % LARGEST_BLOCK, 1);
    this.count--;
    this.shrink();
  }

  /** Removes all rows and gives their room back. */
  clear(): void {
    for (const segment of this.segments) this.memory.giveBack(segment);
    this.segments = [];
    this.count = 0;
  }

  /**
   * Calls `visit` with each row whose cosine with the question is at least the floor, and with that cosine, in the order of rows. What it
   * returns is the floor from then on. The cosine is exact for the vectors in steps: equal ones have 1. `visit` changes no block.
   */
  search(question: Quantised, floor: number, visit: (row: number, cosine: number) => number): void {
    const { memory } = this;
    memory.ask(question);
    let atLeast = floor;
    let stride = FIRST_STRIDE;
    for (const [n, segment] of this.segments.entries()) {
      const before = n * LARGEST_BLOCK;
      const end = Math.min(this.count - before, segment.capacity);
      for (let first = 0, next = 0; first < end; first = next, stride *= 2) {
        next = Math.min(first + stride, end);
        const found = memory.search(segment, first, next - first, (atLeast - SLACK) * Math.sqrt(question.squares));
        for (let pair = 0; pair < found; pair++) {
          const row = first + memory.foundRow(pair);
          const cosine = memory.foundDot(pair) / Math.sqrt(question.squares * memory.squares(segment, row));
          if (cosine >= atLeast) atLeast = visit(before + row, cosine);
        }
      }
    }
  }

  private get capacity(): number {
    const last = this.segments.at(-1);
    return last === undefined ? 0 : (this.segments.length - 1) * LARGEST_BLOCK + last.capacity;
  }

  private segmentOf(row: number): Segment {
    const segment = this.segments[Math.floor(row / LARGEST_BLOCK)];
    if (segment === undefined) throw new RangeError(`no room for row ${row}`);
    return segment;
  }

  private grow(): void {
    const last = this.segments.at(-1);
    // Lists of exactly their length: `push` would take room for 17, and most blocks have one segment.
    if (last === undefined || last.capacity === LARGEST_BLOCK) this.segments = [...this.segments, this.memory.take(1)];
    else this.segments = this.segments.with(-1, this.memory.doubled(last));
  }

  /** Half of the last segment is given back when a quarter of it is in use: not at once, or a row that comes and goes would move all each time. */
  private shrink(): void {
    const last = this.segments.at(-1);
    if (last === undefined) return;
    const used = this.count - (this.segments.length - 1) * LARGEST_BLOCK;
    if (used === 0) {
      this.segments = this.segments.slice(0, -1);
      this.memory.giveBack(last);
    } else if (used * 4 <= last.capacity) this.segments = this.segments.with(-1, this.memory.halved(last));
  }
}
