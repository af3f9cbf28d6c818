import { nanoUsd, periodAt, type AlertLabels, type Budget, type BudgetAccount, type GivenBudgets, type Settings } from '@deja/contracts';
import { storable } from '../../ledger/json.ts';
import { tidyLabels } from '../labels.ts';

/** Whose spending counts, and when. A member that is null counts all. */
export type Spender = Omit<BudgetAccount, 'key'>;

/** One budget of one owner in its current period. */
export interface BudgetInForce {
  labels: AlertLabels;
  limitNanoUsd: bigint;
  period: Budget['period'];
  spender: Spender;
}

/** A budget that each end user of these tenants has, in its current period. */
export interface UserBudget {
  budget: Budget;
  tenants: string[];
  fromMs: number;
  toMs: number | null;
}

/** Budgets of deja.yaml, from the snapshot, and those that operators gave. One of its own takes the place of all the usual ones, as gateways have it. */
export function budgetsInForce(usual: Settings['budgets'], given: GivenBudgets, nowMs: number): BudgetInForce[] {
  const everybody = { tenant: null, clientKey: null, user: null };
  const own = new Map(given.tenants.map(({ tenant, budgets }) => [tenant, budgets]));
  const tenants = new Set([...own.keys(), ...given.keys.map(({ tenant }) => tenant)]);
  return [
    ...usual.global.map((budget) => inForce(everybody, budget, nowMs)),
    ...[...tenants].flatMap((tenant) => chosen(own.get(tenant) ?? [], usual.per_tenant).map((budget) => inForce({ ...everybody, tenant }, budget, nowMs))),
    ...given.keys.flatMap(({ key, tenant, budgets }) => chosen(budgets, usual.per_key).map((budget) => inForce({ ...everybody, tenant, clientKey: key }, budget, nowMs))),
  ];
}

/** Budgets of end users, each with the tenants that have a key for which it holds. */
export function userBudgets(usual: Settings['budgets'], given: GivenBudgets, nowMs: number): UserBudget[] {
  const found = new Map<string, { budget: Budget; tenants: Set<string> }>();
  for (const { tenant, perUser } of given.keys) {
    for (const budget of chosen(perUser, usual.per_user)) {
      const name = JSON.stringify([budget.usd, budget.period, budget.time_zone, budget.model ?? null]);
      const known = found.get(name);
      if (known === undefined) found.set(name, { budget, tenants: new Set([tenant]) });
      else known.tenants.add(tenant);
    }
  }
  return [...found.values()].map(({ budget, tenants }) => ({ budget, tenants: [...tenants], ...periodAt(budget.period, budget.time_zone, nowMs) }));
}

/** One user's. */
export const ofUser = ({ budget }: UserBudget, tenant: string, user: string, nowMs: number): BudgetInForce => inForce({ tenant, clientKey: null, user }, budget, nowMs);

const chosen = (own: readonly Budget[], usual: readonly Budget[]): readonly Budget[] => (own.length > 0 ? own : usual);

function inForce(owner: Pick<Spender, 'tenant' | 'clientKey' | 'user'>, budget: Budget, nowMs: number): BudgetInForce {
  const { fromMs, toMs } = periodAt(budget.period, budget.time_zone, nowMs);
  const model = budget.model === undefined ? null : storable(budget.model);
  return {
    labels: tidyLabels({ tenant: owner.tenant, key: owner.clientKey, user: owner.user, model, budget: nameOf(budget) }),
    limitNanoUsd: nanoUsd(budget.usd), period: budget.period, spender: { ...owner, model, fromMs, toMs },
  };
}

/** `50/month`, and the time zone where it is not UTC: what tells an owner's budgets apart. */
export const nameOf = ({ usd, period, time_zone: zone }: Budget): string => `${usd}/${period}${period === 'total' || zone === 'UTC' ? '' : ` ${zone}`}`;

/** Spent by limit. Of a budget of nothing, whatever is spent is all. */
export const usedShare = (spent: bigint, limitNanoUsd: bigint): number => (limitNanoUsd > 0n ? Number(spent) / Number(limitNanoUsd) : spent > 0n ? 1 : 0);
