import { analyse, compare, type Analysis, type CrossEncoder, type Lexicon, type Opinion, type Verdict } from '@deja/similarity';

/** Analyses that are remembered: texts of entries are compared often, and come to the same each time. */
const MOST_ANALYSES = 20_000;
/** Nobody waits for an answer here, so the verifier may take its time. */
const OPINION_MS = 60_000;

/** Whether two questions ask the same, as the semantic-cache decides it: by words, and by a neural verifier where these leave it open. */
export class Verdicts {
  readonly #lexicon: Lexicon;
  readonly #crossEncoder: Pick<CrossEncoder, 'opinions'> | null;
  readonly #analyses = new Map<string, Analysis>();

  constructor(lexicon: Lexicon, crossEncoder: Pick<CrossEncoder, 'opinions'> | null) {
    this.#lexicon = lexicon;
    this.#crossEncoder = crossEncoder;
  }

  get hasVerifier(): boolean {
    return this.#crossEncoder !== null;
  }

  byWords(a: string, b: string): Verdict {
    return compare(this.#analysisOf(a), this.#analysisOf(b), this.#lexicon);
  }

  /** One for each pair, at most 64; null where there is no verifier, or it has none on this pair. */
  async opinions(pairs: readonly (readonly [string, string])[]): Promise<(Opinion | null)[]> {
    if (this.#crossEncoder === null || pairs.length === 0) return pairs.map(() => null);
    return this.#crossEncoder.opinions(pairs, OPINION_MS);
  }

  #analysisOf(text: string): Analysis {
    const known = this.#analyses.get(text);
    if (known !== undefined) return known;
    const analysis = analyse(text, this.#lexicon);
    // All at once: to find the oldest, again and again, takes a map longer than to read some texts anew.
    if (this.#analyses.size >= MOST_ANALYSES) this.#analyses.clear();
    this.#analyses.set(text, analysis);
    return analysis;
  }
}
