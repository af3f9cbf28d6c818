/** A map that keeps the entries asked for last and forgets the others. */
export class RecentlyUsed<V> {
  private readonly entries = new Map<string, V>();
  private readonly size: number;

  /** @param size number of entries to keep */
  constructor(size: number) {
    this.size = size;
  }

  get(key: string): V | undefined {
    const value = this.entries.get(key);
    if (value !== undefined) this.set(key, value);
    return value;
  }

  set(key: string, value: V): void {
    this.entries.delete(key); // a Map hands out its keys in the order in which they were put in
    this.entries.set(key, value);
    if (this.entries.size <= this.size) return;
    const [oldest] = this.entries.keys();
    if (oldest !== undefined) this.entries.delete(oldest);
  }
}
