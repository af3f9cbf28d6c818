import type { Counter, Meter } from '@opentelemetry/api';
import { usdText } from '@deja/contracts';
import type { Logger } from '@deja/telemetry';
import type { BudgetCeiling, BudgetState } from '../limits/ask.ts';
import { SCOPES } from '../limits/limit-metrics.ts';

/** Shares of a budget, in percent, whose crossing is told. */
const MARKS = [80, 100] as const;
type Mark = (typeof MARKS)[number];

/** Bounds what is remembered of crossings and of models; beyond it something may be told twice. */
const MOST_REMEMBERED = 10_000;

/**
 * Tells of budgets that are being used up, one line in the log for each mark and account in this process, and of spending that
 * no budget can count because the price is unknown. Labels of metrics are bounded: no tenant, key, user or model.
 */
export class BudgetWatch {
  private readonly crossed: Counter;
  private readonly unpricedRequests: Counter;
  /** The highest mark that was told, by account, mode and amount: another amount begins anew. */
  private readonly told = new Map<string, Mark>();
  private readonly toldUnpriced = new Set<string>();

  constructor(
    meter: Meter,
    private readonly logger: Pick<Logger, 'warn'>,
  ) {
    this.crossed = meter.createCounter('deja.gateway.budgets.crossed', { description: 'Budgets of which 80 or 100 percent were seen to be spent, by scope, mode and percent' });
    for (const scope of SCOPES) for (const mode of ['hard', 'soft'] as const) for (const percent of MARKS) this.crossed.add(0, { scope, mode, percent });
    this.unpricedRequests = meter.createCounter('deja.gateway.budgets.unpriced_requests', { description: 'Requests under a budget that may be served at a price nobody knows: they count 0 there' });
    this.unpricedRequests.add(0);
  }

  /** How budgets stood at a decision, also one that refused: a hard budget may be used up by what was settled since the last that it admitted. What is only reserved is not spent yet. */
  saw(states: readonly BudgetState[]): void {
    for (const { budget, spentNanoUsd } of states) {
      const mark = MARKS.findLast((percent) => spentNanoUsd * 100n >= budget.limitNanoUsd * BigInt(percent));
      if (mark === undefined || spentNanoUsd === 0n) continue; // of a budget of nothing, nothing is news
      const name = `${budget.account.key} ${budget.budget.mode} ${budget.budget.usd}`;
      if (mark <= (this.told.get(name) ?? 0)) continue;
      if (this.told.size >= MOST_REMEMBERED) this.told.clear();
      this.told.set(name, mark);
      this.tell(budget, spentNanoUsd, mark);
    }
  }

  /** Deployments (`provider/model`) without a price that may serve a request which has budgets; none: nothing is told. */
  unpriced(deployments: readonly string[]): void {
    if (deployments.length === 0) return;
    this.unpricedRequests.add(1);
    for (const deployment of deployments) {
      if (this.toldUnpriced.has(deployment)) continue;
      if (this.toldUnpriced.size >= MOST_REMEMBERED) this.toldUnpriced.clear();
      this.toldUnpriced.add(deployment);
      this.logger.warn({ deployment }, 'the price of this model is unknown: budgets count what it serves as 0; give it one under prices in deja.yaml');
    }
  }

  private tell({ scope, model, budget, account }: BudgetCeiling, spentNanoUsd: bigint, percent: Mark): void {
    this.crossed.add(1, { scope, mode: budget.mode, percent });
    // Under the name `key` the log would mask the id.
    const { tenant, clientKey: of_key, user } = account;
    const figures = { scope, tenant, of_key, user, model, period: budget.period, mode: budget.mode, usd: budget.usd, spent_usd: usdText(spentNanoUsd) };
    this.logger.warn(figures, percent < 100 ? `${percent} % of a budget are spent` : `a ${budget.mode} budget is used up`);
  }
}
