import { Buddies, LARGEST_BLOCK } from './buddies.ts';
import { MOST_PAGES, openKernel, PAGE_BYTES, type LinearMemory, type Near } from './kernel.ts';
import { headLength, quantised, rowLength, type Quantised } from './quantise.ts';

const SQUARE_BYTES = 4;
const LENGTH_BYTES = 4;
const PAIR_BYTES = 8;

/** Room for consecutive rows: first all rows, then their squared lengths, then the lengths of their tails. */
export interface Segment {
  /** Of the first row, counted from the start of the memory. */
  unit: number;
  /** A power of two, at most LARGEST_BLOCK. */
  capacity: number;
}

/**
 * The rows of many VectorBlocks in one WebAssembly memory, where the search finds them without a copy. Room that a block gives back serves the
 * next. The memory itself never shrinks: to get it back, let go of all blocks and of this.
 */
export class VectorMemory {
  readonly dimensions: number;
  private readonly row: number;
  private readonly head: number;
  private readonly memory: LinearMemory;
  private readonly near: Near;
  private readonly room: Buddies;
  /** Before the rows: the question, then the pairs that the search finds. */
  private readonly pairsAt: number;
  private readonly rowsAt: number;
  // Views of the memory, made anew when it grows.
  private steps: Int8Array;
  private questions: Int16Array;
  private words: Int32Array;
  private lengths: Float32Array;
  /** Of the question behind its head. */
  private tail = 0;

  constructor(dimensions: number) {
    this.dimensions = dimensions;
    this.row = rowLength(dimensions);
    this.head = headLength(this.row);
    this.pairsAt = this.row * Int16Array.BYTES_PER_ELEMENT;
    this.rowsAt = this.pairsAt + LARGEST_BLOCK * PAIR_BYTES;
    ({ memory: this.memory, near: this.near } = openKernel(this.rowsAt));
    this.steps = new Int8Array(this.memory.buffer);
    this.questions = new Int16Array(this.memory.buffer);
    this.words = new Int32Array(this.memory.buffer);
    this.lengths = new Float32Array(this.memory.buffer);
    this.room = new Buddies(() => this.extend());
  }

  /** What it holds of the machine's memory, used or free. */
  get bytes(): number {
    return this.memory.buffer.byteLength;
  }

  /** How many rows fit at most. Blocks of other sizes may leave gaps: count on half of it. */
  get mostRows(): number {
    const segments = Math.floor((MOST_PAGES * PAGE_BYTES - this.rowsAt) / (LARGEST_BLOCK * this.unitBytes));
    return segments * LARGEST_BLOCK;
  }

  /** As it is kept and searched for; null where the vector has no direction (all zero, or not all finite). */
  quantised(vector: Float32Array): Quantised | null {
    return quantised(vector, this.dimensions);
  }

  /** Throws a RangeError where the memory is full. */
  take(capacity: number): Segment {
    return { unit: this.room.take(capacity), capacity };
  }

  giveBack({ unit, capacity }: Segment): void {
    this.room.giveBack(unit, capacity);
  }

  /** The same rows with room for as many again. Throws a RangeError where the memory is full; the segment is as it was then. */
  doubled(segment: Segment): Segment {
    const larger = this.take(segment.capacity * 2);
    this.copy(segment, 0, larger, 0, segment.capacity);
    this.giveBack(segment);
    return larger;
  }

  /** The first half of the rows where they are; the room of the others is given back. */
  halved(segment: Segment): Segment {
    const smaller = { unit: segment.unit, capacity: segment.capacity / 2 };
    this.copyBytes(this.squaresOf(segment), this.squaresOf(smaller), smaller.capacity * SQUARE_BYTES);
    this.copyBytes(this.tailsOf(segment), this.tailsOf(smaller), smaller.capacity * LENGTH_BYTES);
    this.giveBack({ unit: segment.unit + smaller.capacity, capacity: smaller.capacity });
    return smaller;
  }

  write(segment: Segment, row: number, { steps, squares, tailSquares }: Quantised): void {
    this.steps.set(steps, this.addressOf(segment) + row * this.row);
    this.words[this.squaresOf(segment) / SQUARE_BYTES + row] = squares;
    this.lengths[this.tailsOf(segment) / LENGTH_BYTES + row] = Math.sqrt(tailSquares);
  }

  /** Copies `count` rows. */
  copy(from: Segment, fromRow: number, to: Segment, toRow: number, count: number): void {
    this.copyBytes(this.addressOf(from) + fromRow * this.row, this.addressOf(to) + toRow * this.row, count * this.row);
    this.copyBytes(this.squaresOf(from) + fromRow * SQUARE_BYTES, this.squaresOf(to) + toRow * SQUARE_BYTES, count * SQUARE_BYTES);
    this.copyBytes(this.tailsOf(from) + fromRow * LENGTH_BYTES, this.tailsOf(to) + toRow * LENGTH_BYTES, count * LENGTH_BYTES);
  }

  /** Makes this the question of the searches that follow. */
  ask({ steps, tailSquares }: Quantised): void {
    this.questions.set(steps);
    this.tail = Math.sqrt(tailSquares);
  }

  /**
   * Of `count` rows from `first` on, those whose dot product with the question is at least `reach` × their length (to f32's precision): so many
   * pairs of row, counted from `first`, and dot product stand in `found` until the next search.
   */
  search(segment: Segment, first: number, count: number, reach: number): number {
    const rows = this.addressOf(segment) + first * this.row;
    const squares = this.squaresOf(segment) + first * SQUARE_BYTES;
    const tails = this.tailsOf(segment) + first * LENGTH_BYTES;
    return this.near(0, rows, squares, tails, count, this.row, this.head, reach, this.tail, this.pairsAt);
  }

  foundRow(pair: number): number {
    return this.words[this.pairsAt / SQUARE_BYTES + pair * 2] as number;
  }

  foundDot(pair: number): number {
    return this.words[this.pairsAt / SQUARE_BYTES + pair * 2 + 1] as number;
  }

  squares(segment: Segment, row: number): number {
    return this.words[this.squaresOf(segment) / SQUARE_BYTES + row] as number;
  }

  private get unitBytes(): number {
    return this.row + SQUARE_BYTES + LENGTH_BYTES;
  }

  private addressOf({ unit }: Segment): number {
    return this.rowsAt + unit * this.unitBytes;
  }

  private squaresOf(segment: Segment): number {
    return this.addressOf(segment) + segment.capacity * this.row;
  }

  private tailsOf(segment: Segment): number {
    return this.squaresOf(segment) + segment.capacity * SQUARE_BYTES;
  }

  /** They may overlap. */
  private copyBytes(from: number, to: number, count: number): void {
    this.steps.copyWithin(to, from, from + count);
  }

  private extend(): void {
    const needed = this.rowsAt + (this.room.size + LARGEST_BLOCK) * this.unitBytes;
    const pages = Math.ceil((needed - this.bytes) / PAGE_BYTES);
    if (pages <= 0) return;
    this.memory.grow(pages);
    this.steps = new Int8Array(this.memory.buffer);
    this.questions = new Int16Array(this.memory.buffer);
    this.words = new Int32Array(this.memory.buffer);
    this.lengths = new Float32Array(this.memory.buffer);
  }
}
