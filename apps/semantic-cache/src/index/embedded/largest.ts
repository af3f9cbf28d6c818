/** Who has the most, at once, however many there are: those of one size stand together. */
export class Largest<T> {
  private readonly bySize = new Map<number, Set<T>>();
  private most = 0;

  /** One that has none is not in it. */
  resize(one: T, from: number, to: number): void {
    const before = this.bySize.get(from);
    before?.delete(one);
    if (before?.size === 0) this.bySize.delete(from);
    if (to > 0) {
      const after = this.bySize.get(to) ?? new Set<T>();
      this.bySize.set(to, after.add(one));
    }
    this.most = Math.max(this.most, to);
    while (this.most > 0 && !this.bySize.has(this.most)) this.most--;
  }

  /** Null where nobody has any; of equals, the one that came to this size first. */
  get one(): T | null {
    for (const one of this.bySize.get(this.most) ?? []) return one;
    return null;
  }
}
