/** What stands in the set's table in place of a member, and is emptied when the member leaves. */
interface Place<T> {
  member: T | undefined;
}

/** A set of what comes and goes with every request, which lets go of what has left: see InFlightMap. */
export class InFlightSet<T> implements Iterable<T> {
  private readonly places = new Set<Place<T>>();

  /** Returns how it leaves; to call that again does nothing. */
  add(member: T): () => void {
    const place: Place<T> = { member };
    this.places.add(place);
    return () => {
      place.member = undefined;
      this.places.delete(place);
    };
  }

  /** In the order in which they came. */
  *[Symbol.iterator](): Generator<T> {
    for (const { member } of this.places) yield member as T;
  }
}
