import type { Worth } from './logged-answer.ts';

/** What can become of one request in one cache. */
export type Outcome =
  | { outcome: 'exact'; worth: Worth }
  /** `mean` and `upper`: probability that the answer is wrong, expected and at most. */
  | { outcome: 'semantic'; worth: Worth; mean: number; upper: number }
  | { outcome: 'miss'; reason: string };

/** Sums over the requests that went by one cache. */
export class Tally {
  requests = 0;
  /** For semantic caching. */
  eligible = 0;
  exactHits = 0;
  semanticHits = 0;
  savedTokens = 0;
  savedNanoUsd = 0n;
  savedMs = 0;
  /** Hits of which nobody knows what they save, in tokens, money, time. */
  uncounted = 0;
  unpriced = 0;
  untimed = 0;
  /** Of all requests whose cost is known. */
  costNanoUsd = 0n;
  /** Semantic hits that are expected to be wrong, and at most. */
  expectedWrong = 0;
  mostWrong = 0;
  readonly reasons = new Map<string, number>();

  take(eligible: boolean, costNanoUsd: bigint | null, outcome: Outcome): void {
    this.requests++;
    if (eligible) this.eligible++;
    this.costNanoUsd += costNanoUsd ?? 0n;
    if (outcome.outcome === 'miss') this.reasons.set(outcome.reason, (this.reasons.get(outcome.reason) ?? 0) + 1);
    else this.#save(outcome.worth);
    if (outcome.outcome === 'exact') this.exactHits++;
    if (outcome.outcome !== 'semantic') return;
    this.semanticHits++;
    this.expectedWrong += outcome.mean;
    this.mostWrong += outcome.upper;
  }

  /** The sums of all of these. */
  static of(parts: Iterable<Tally>): Tally {
    const all = new Tally();
    for (const part of parts) {
      for (const name of ['requests', 'eligible', 'exactHits', 'semanticHits', 'savedTokens', 'savedMs', 'uncounted', 'unpriced', 'untimed', 'expectedWrong', 'mostWrong'] as const) all[name] += part[name];
      all.savedNanoUsd += part.savedNanoUsd;
      all.costNanoUsd += part.costNanoUsd;
      for (const [reason, count] of part.reasons) all.reasons.set(reason, (all.reasons.get(reason) ?? 0) + count);
    }
    return all;
  }

  #save({ tokens, costNanoUsd, durationMs }: Worth): void {
    if (tokens === null) this.uncounted++;
    if (costNanoUsd === null) this.unpriced++;
    if (durationMs === null) this.untimed++;
    this.savedTokens += tokens ?? 0;
    this.savedNanoUsd += costNanoUsd ?? 0n;
    this.savedMs += durationMs ?? 0;
  }
}
