/** Blocks have 1, 2, 4 … LARGEST_BLOCK units. */
const ORDERS = 11;
export const LARGEST_BLOCK = 2 ** (ORDERS - 1);
const NONE = -1;

/**
 * Hands out blocks of consecutive units, as powers of two, from an area that grows by LARGEST_BLOCK units at a time. A block that comes back
 * is joined with its free neighbour of the same size, again and again, so that room which many small blocks had serves a large one later.
 * Source: Knowlton, "A fast storage allocator", CACM 8(10), 1965 (the buddy system).
 */
export class Buddies {
  /** The first free block of each order; of the others, each names the next and the one before. */
  private readonly first = new Int32Array(ORDERS).fill(NONE);
  private next = new Int32Array(0);
  private before = new Int32Array(0);
  /** Of the free block that begins at a unit; NONE where none does. */
  private freeOrder = new Int8Array(0);
  private readonly extend: () => void;
  private units = 0;

  /** `extend` makes room for LARGEST_BLOCK more units, or throws. */
  constructor(extend: () => void) {
    this.extend = extend;
  }

  /** Units of the area, in use or free. */
  get size(): number {
    return this.units;
  }

  /** The first unit of a block of so many: a power of two, at most LARGEST_BLOCK. Throws what `extend` throws. */
  take(units: number): number {
    const order = Math.log2(units);
    let found = order;
    while (found < ORDERS && this.first[found] === NONE) found++;
    if (found === ORDERS) {
      this.grow();
      found--;
    }
    const at = this.first[found] as number;
    this.unlink(at, found);
    while (found > order) {
      found--;
      this.link(at + 2 ** found, found);
    }
    return at;
  }

  /** Takes back a block that `take` gave for so many units. */
  giveBack(at: number, units: number): void {
    let order = Math.log2(units);
    let start = at;
    for (; order < ORDERS - 1; order++) {
      const buddy = start ^ (2 ** order);
      if (this.freeOrder[buddy] !== order) break;
      this.unlink(buddy, order);
      start = Math.min(start, buddy);
    }
    this.link(start, order);
  }

  private grow(): void {
    this.extend();
    const at = this.units;
    this.units += LARGEST_BLOCK;
    if (this.units > this.next.length) {
      const room = Math.max(this.units, this.next.length * 2);
      this.next = resized(this.next, new Int32Array(room));
      this.before = resized(this.before, new Int32Array(room));
      this.freeOrder = resized(this.freeOrder, new Int8Array(room).fill(NONE));
    }
    this.link(at, ORDERS - 1);
  }

  private link(at: number, order: number): void {
    const after = this.first[order] as number;
    this.next[at] = after;
    this.before[at] = NONE;
    if (after !== NONE) this.before[after] = at;
    this.first[order] = at;
    this.freeOrder[at] = order;
  }

  private unlink(at: number, order: number): void {
    const after = this.next[at] as number;
    const before = this.before[at] as number;
    if (after !== NONE) this.before[after] = before;
    if (before === NONE) this.first[order] = after;
    else this.next[before] = after;
    this.freeOrder[at] = NONE;
  }
}

function resized<T extends Int32Array | Int8Array>(old: T, larger: T): T {
  larger.set(old);
  return larger;
}
