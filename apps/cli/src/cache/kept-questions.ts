import { VectorBlock, type Quantised, type VectorMemory } from '@deja/similarity';
import type { Worth } from './logged-answer.ts';

/** A question whose answer is kept, in one or more of the caches that are compared. */
export interface KeptQuestion {
  text: string;
  /** Number of its line. */
  line: number;
  worth: Worth;
  /** In which caches: bit n for the n-th TTL. */
  caches: number;
}

interface Placed extends KeptQuestion {
  row: number;
}

/** The kept questions of one partition, searched by vector. All caches share them: a search costs by the question, not by the cache. */
export class KeptQuestions {
  readonly #block: VectorBlock;
  readonly #rows: Placed[] = [];
  readonly #byText = new Map<string, readonly Placed[]>();

  constructor(memory: VectorMemory) {
    this.#block = new VectorBlock(memory);
  }

  get size(): number {
    return this.#rows.length;
  }

  /** The same words asked again take the place of the older ones, in the caches of the new question. */
  add(question: KeptQuestion, vector: Quantised): KeptQuestion {
    for (const before of this.#byText.get(question.text) ?? []) this.drop(before, question.caches);
    const placed = { ...question, row: this.#block.add(vector) };
    this.#rows.push(placed);
    this.#byText.set(placed.text, [...(this.#byText.get(placed.text) ?? []), placed]);
    return placed;
  }

  /** Takes a question out of caches (bits); out of the last one, and it is gone. */
  drop(question: KeptQuestion, caches: number): void {
    const placed = question as Placed;
    if (placed.caches === 0) return;
    placed.caches &= ~caches;
    if (placed.caches !== 0) return;
    this.#block.remove(placed.row);
    const last = this.#rows.pop();
    if (last !== undefined && last !== placed) {
      last.row = placed.row;
      this.#rows[last.row] = last;
    }
    const others = this.#byText.get(placed.text)?.filter((other) => other !== placed) ?? [];
    if (others.length === 0) this.#byText.delete(placed.text);
    else this.#byText.set(placed.text, others);
  }

  /** Calls `visit` with each question whose cosine is at least the floor; what it returns is the floor from then on. */
  search(asked: Quantised, floor: number, visit: (question: KeptQuestion, cosine: number) => number): void {
    this.#block.search(asked, floor, (row, cosine) => {
      const question = this.#rows[row];
      return question === undefined ? floor : visit(question, cosine);
    });
  }
}
