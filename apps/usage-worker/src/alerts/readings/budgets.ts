import { budgetsInForce, ofUser, usedShare, userBudgets, type BudgetInForce } from './budgets-in-force.ts';
import { comparisonOf, forecast } from './forecast.ts';
import type { Reader, ReadingContext } from './reading-context.ts';
import { isInScope } from './scope.ts';

type Known = Pick<ReadingContext, 'nowMs' | 'settings' | 'snapshot' | 'spending' | 'once'>;

interface Spent extends BudgetInForce {
  /** null: not read yet. */
  spent: bigint | null;
}

/** Share of each budget that is spent in its current period. */
export const budgetUsedShare: Reader = async ({ scope }, context) =>
  (await spentOfBudgets(context)).filter(({ labels }) => isInScope(labels, scope)).map(({ labels, spent, limitNanoUsd }) => ({ labels, value: spent === null ? null : usedShare(spent, limitNanoUsd) }));

/** Share of each budget that will have been spent when its period ends: see forecast.ts. Nothing is said early in a period, and of one without an end. */
export const budgetForecastShare: Reader = async ({ scope }, context) => {
  const forecasts = await context.once('budget forecasts', () => forecastsOf(context));
  return forecasts.filter(({ labels }) => isInScope(labels, scope));
};

async function forecastsOf(context: Known): Promise<{ labels: BudgetInForce['labels']; value: number | null }[]> {
  const { nowMs, spending } = context;
  const budgets = (await spentOfBudgets(context)).map((budget) => ({ ...budget, comparison: comparisonOf(budget.spender, budget.period, nowMs) }));
  const before = await spending.spent(budgets.flatMap(({ comparison }) => (comparison === null ? [] : [comparison.elapsed, comparison.whole])), nowMs);
  let next = 0;
  return budgets.map(({ labels, spent, limitNanoUsd, spender: { fromMs, toMs }, comparison }) => {
    const [elapsed, whole] = comparison === null ? [] : [before[next++], before[next++]];
    // Too early is not the same as too much: what fired for the last period is over.
    if (comparison === null) return { labels, value: spent === null ? null : usedShare(spent, limitNanoUsd) };
    if (spent === null || elapsed === undefined || elapsed === null || whole === undefined || whole === null) return { labels, value: null };
    const elapsedShare = (nowMs - fromMs) / ((toMs ?? nowMs) - fromMs);
    return { labels, value: usedShare(forecast({ spent, elapsedShare, before: { elapsed, whole } }), limitNanoUsd) };
  });
}

/** Read once for all rules about budgets. */
function spentOfBudgets(context: Known): Promise<Spent[]> {
  return context.once('budgets', async () => {
    const { nowMs, settings, spending } = context;
    const usual = context.snapshot()?.settings.budgets;
    if (usual === undefined) throw new Error('no routing snapshot was published yet');
    const share = leastShare(settings);
    const ofUsers = await Promise.all(userBudgets(usual, settings.budgets, nowMs).map(async (budget) => (await spending.usersOf(budget, share, nowMs)).map(({ tenant, user }) => ofUser(budget, tenant, user, nowMs))));
    const all = [...budgetsInForce(usual, settings.budgets, nowMs), ...ofUsers.flat()];
    const sums = await spending.spent(all.map(({ spender }) => spender), nowMs);
    return all.map((budget, i) => ({ ...budget, spent: sums[i] ?? null }));
  });
}

/** Of all rules about budgets: users who spent less of theirs are nobody's alert. Forecasts look at half of that too. */
function leastShare({ rules }: Known['settings']): number {
  const shares = rules.filter(({ enabled, when }) => enabled && when.metric.startsWith('budget_')).map(({ when }) => (when.above ?? 0.8) / (when.metric === 'budget_forecast_share' ? 2 : 1));
  return Math.max(0, Math.min(1, ...shares));
}
