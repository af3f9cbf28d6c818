export interface Near<T> {
  item: T;
  /** −1 … 1. */
  cosine: number;
}

/** The nearest of what it was offered: at most `limit`, none below `floor`. */
export class Nearest<T> {
  private readonly limit: number;
  private readonly sorted: Near<T>[] = [];
  private lowest: number;

  constructor({ limit, floor }: { limit: number; floor: number }) {
    this.limit = limit;
    this.lowest = limit > 0 ? floor : Infinity;
  }

  /** What is below it is not taken: the floor, and once `limit` are there, the farthest of them. */
  get floor(): number {
    return this.lowest;
  }

  /** Best first; of equals the one that was offered first. */
  get found(): readonly Near<T>[] {
    return this.sorted;
  }

  offer(item: T, cosine: number): void {
    if (!(cosine >= this.lowest)) return;
    let at = this.sorted.length;
    while (at > 0 && (this.sorted[at - 1]?.cosine ?? Infinity) < cosine) at--;
    if (at === this.limit) return;
    this.sorted.splice(at, 0, { item, cosine });
    if (this.sorted.length > this.limit) this.sorted.pop();
    if (this.sorted.length === this.limit) this.lowest = this.sorted.at(-1)?.cosine ?? this.lowest;
  }
}
