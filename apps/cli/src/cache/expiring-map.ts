/** What is kept for a fixed time, oldest first. Reading does not extend it. Times in Unix ms; they never go back. */
export class ExpiringMap<K, V> {
  readonly #ttlMs: number;
  readonly #kept = new Map<K, { value: V; expiresAtMs: number }>();

  constructor(ttlMs: number) {
    this.#ttlMs = ttlMs;
  }

  get size(): number {
    return this.#kept.size;
  }

  get(key: K, nowMs: number): V | undefined {
    const kept = this.#kept.get(key);
    return kept !== undefined && kept.expiresAtMs > nowMs ? kept.value : undefined;
  }

  set(key: K, value: V, nowMs: number): void {
    this.#kept.delete(key); // it moves to the end: the order is that of expiry
    this.#kept.set(key, { value, expiresAtMs: nowMs + this.#ttlMs });
  }

  /** Removes what has expired, and then the oldest until at most `most` are left; tells each one. */
  trim(nowMs: number, most: number, removed: (key: K, value: V) => void): void {
    for (const [key, { value, expiresAtMs }] of this.#kept) {
      if (expiresAtMs > nowMs && this.#kept.size <= most) return;
      this.#kept.delete(key);
      removed(key, value);
    }
  }
}
