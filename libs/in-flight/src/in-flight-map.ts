/** What stands in the map's table in place of a value, and is emptied when the value leaves. */
interface Place<V> {
  value: V | undefined;
}

/**
 * A map of what comes and goes with every request. It does what `Map` does, and lets go of a value when it is deleted. A `Map` does not, for the
 * garbage collector's young generation: when its table is rebuilt, every 16 entries or so, the old table keeps what was in it and points to the new one, so that
 * one table of long ago holds all that passed since, until the next full collection (decision 0050).
 */
export class InFlightMap<K, V> implements Iterable<[K, V]> {
  private readonly places = new Map<K, Place<V>>();

  get size(): number {
    return this.places.size;
  }

  has(key: K): boolean {
    return this.places.has(key);
  }

  get(key: K): V | undefined {
    return this.places.get(key)?.value;
  }

  set(key: K, value: V): this {
    const place = this.places.get(key);
    if (place === undefined) this.places.set(key, { value });
    else place.value = value;
    return this;
  }

  /** Whether it was there. */
  delete(key: K): boolean {
    const place = this.places.get(key);
    if (place === undefined) return false;
    place.value = undefined;
    return this.places.delete(key);
  }

  keys(): MapIterator<K> {
    return this.places.keys();
  }

  /** In the order in which they came; what is deleted meanwhile is passed over, what is added comes too. */
  *values(): Generator<V> {
    for (const place of this.places.values()) yield place.value as V;
  }

  *[Symbol.iterator](): Generator<[K, V]> {
    for (const [key, place] of this.places) yield [key, place.value as V];
  }
}
