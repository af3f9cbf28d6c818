/** Something on its way to its place: smaller first, by the rank, then the measure, then the key. */
export interface Ranked<T> {
  item: T;
  rank: number;
  /** By what a strategy orders; where nothing but the draw decides, the key again: were it 0 there, an integer, V8 would have two shapes of this, and take twice as long. */
  measure: number;
  /** Of the draw. */
  key: number;
  weight: number;
  /** Calls of this gateway. */
  inFlight: number;
}

/** Ranks. */
export const FIRST = -1;
export const ORDINARY = 0;
/** Weight 0. */
export const LAST = 1;
/** A value that is being replaced. */
export const RETIRING = 2;

/**
 * Items that come out in their order, and are sorted only as far as they are taken: most plans need a few of many. A binary heap in
 * the given array, which it takes over.
 */
export class LazyOrder<T> {
  private readonly heap: Ranked<T>[];
  private left: number;

  constructor(items: Ranked<T>[]) {
    this.heap = items;
    this.left = items.length;
    for (let place = (this.left >> 1) - 1; place >= 0; place--) this.sink(place);
  }

  take(): T | undefined {
    if (this.left === 0) return undefined;
    const first = this.heap[0];
    const last = this.heap[--this.left];
    if (this.left > 0 && last !== undefined) {
      this.heap[0] = last;
      this.sink(0);
    }
    return first?.item;
  }

  private sink(from: number): void {
    const { heap, left } = this;
    const item = heap[from];
    if (item === undefined) return;
    let place = from;
    for (;;) {
      let child = 2 * place + 1;
      let least = child < left ? heap[child] : undefined;
      if (least === undefined) break;
      const right = child + 1 < left ? heap[child + 1] : undefined;
      if (right !== undefined && precedes(right, least)) {
        least = right;
        child++;
      }
      if (!precedes(least, item)) break;
      heap[place] = least;
      place = child;
    }
    heap[place] = item;
  }
}

export function precedes(a: Ranked<unknown>, b: Ranked<unknown>): boolean {
  if (a.rank !== b.rank) return a.rank < b.rank;
  if (a.measure < b.measure) return true;
  return a.measure > b.measure ? false : a.key < b.key;
}
