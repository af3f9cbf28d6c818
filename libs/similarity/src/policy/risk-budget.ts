import { FadingSums } from './fading.ts';

/** How much riskier than the operator's bound a single answer may be. See docs/decisions/0030. */
const MAX_SINGLE_FACTOR = 3;
/** What is more likely wrong than right is never served, whatever the bound. */
const MAX_SINGLE = 0.5;

/** The highest risk that one hit may have. */
export const singleHitCap = (maxWrongRate: number): number => Math.min(MAX_SINGLE, MAX_SINGLE_FACTOR * maxWrongRate);

/**
 * Of what one replica served for one (tenant, model): the sum of the upper bounds of being wrong stays at or below the bound times the number
 * served. Both sums forget at the same pace, which keeps the inequality. Parts that each keep it keep it together, so replicas need not talk.
 */
export class RiskBudget {
  private readonly served: FadingSums<'answers' | 'risk'>;
  private readonly maxWrongRate: number;

  constructor(maxWrongRate: number, halfLifeDays: number) {
    this.maxWrongRate = maxWrongRate;
    this.served = new FadingSums(['answers', 'risk'], halfLifeDays);
  }

  /** `wrong`: upper bound of this answer's risk. */
  allows(wrong: number, nowMs: number): boolean {
    if (wrong > singleHitCap(this.maxWrongRate)) return false;
    const { answers, risk } = this.served.at(nowMs);
    return risk + wrong <= this.maxWrongRate * (answers + 1);
  }

  spend(wrong: number, nowMs: number): void {
    this.served.add({ answers: 1, risk: wrong }, nowMs);
  }

  /** Faded sums: answers served, and their upper bounds. */
  at(nowMs: number): { answers: number; risk: number } {
    return this.served.at(nowMs);
  }
}
