/** Stands for every value beyond the bound. */
export const OTHER = 'other';

/** What is longer is no name; it would fill every scrape. */
const MAX_CHARS = 128;

/**
 * One label whose values come from outside, so that their number has no end. The first `max` distinct values of a process keep their name for
 * as long as it runs; every other one is `other`. Sums over the label stay right.
 */
export class BoundedLabel {
  private readonly known = new Set<string>();
  private readonly max: number;

  constructor(max: number) {
    this.max = max;
  }

  /** The value itself while fewer than `max` others were seen, else `other`; always the same for one value from then on. */
  of(value: string): string {
    if (this.known.has(value)) return value;
    if (this.known.size >= this.max || value.length > MAX_CHARS) return OTHER;
    this.known.add(value);
    return value;
  }

  /** The value if it has been seen, else `other`: for what must not take a place, such as a name that a client made up. */
  ifKnown(value: string): string {
    return this.known.has(value) ? value : OTHER;
  }
}
