import { hash } from 'node:crypto';
import { VERDICT_KINDS, type VerdictKind } from '@deja/similarity';

/** Two questions, the second of which would have been given the answer to the first. */
export interface MergedPair {
  /** The question whose answer was kept. */
  a: string;
  /** The question that was asked. */
  b: string;
  kind: VerdictKind;
  /** Cosine. */
  similarity: number;
  /** For people: why they are taken for the same. */
  explanation: string;
  tenant: string;
  /** Lines of both. */
  lines: [a: number, b: number];
  /** Probability that the answer is wrong, at most. */
  wrong: number;
}

/** Riskiest first: by the bound, then by how sure the match is, then by how far the questions are apart. */
export const byRisk = (x: MergedPair, y: MergedPair): number =>
  y.wrong - x.wrong || VERDICT_KINDS.indexOf(y.kind) - VERDICT_KINDS.indexOf(x.kind) || x.similarity - y.similarity || x.lines[1] - y.lines[1];

/** The first `most` of what it was offered, by an order. */
export class FirstOf<T> {
  readonly #most: number;
  readonly #before: (x: T, y: T) => number;
  readonly items: T[] = [];

  constructor(most: number, before: (x: T, y: T) => number) {
    this.#most = most;
    this.#before = before;
  }

  offer(item: T): void {
    const last = this.items.at(-1);
    if (this.items.length >= this.#most && (last === undefined || this.#before(item, last) >= 0)) return;
    const at = this.items.findIndex((other) => this.#before(item, other) < 0);
    this.items.splice(at === -1 ? this.items.length : at, 0, item);
    if (this.items.length > this.#most) this.items.pop();
  }
}

const REMEMBERED = 100_000;

/** Tells a pair that was merged before from a new one, as long as not too many others came in between. */
export class SeenPairs {
  readonly #seen = new Set<string>();

  isNew({ tenant, a, b }: Pick<MergedPair, 'tenant' | 'a' | 'b'>): boolean {
    const key = hash('sha256', JSON.stringify([tenant, a, b]), 'base64');
    const known = this.#seen.delete(key);
    this.#seen.add(key);
    if (this.#seen.size > REMEMBERED) this.#seen.delete(this.#seen.values().next().value ?? '');
    return !known;
  }
}
