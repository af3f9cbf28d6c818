/** A map of at most `limit` keys: the one that was written longest ago makes room. */
export class RecentMap<Value> {
  private readonly values = new Map<string, Value>();
  private readonly limit: number;

  constructor(limit: number) {
    this.limit = limit;
  }

  get size(): number {
    return this.values.size;
  }

  get(key: string): Value | undefined {
    return this.values.get(key);
  }

  /** The value of the key, made if absent; the key counts as written now. */
  renew(key: string, make: () => Value): Value {
    const value = this.values.get(key) ?? make();
    this.values.delete(key);
    this.values.set(key, value);
    if (this.values.size > this.limit) {
      for (const oldest of this.values.keys()) {
        this.values.delete(oldest);
        break;
      }
    }
    return value;
  }

  [Symbol.iterator](): Iterator<[string, Value]> {
    return this.values.entries();
  }
}
