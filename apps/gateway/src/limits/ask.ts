import type { Budget, BudgetAccount, DegradedMode, Limits } from '@deja/contracts';

export type Scope = 'global' | 'tenant' | 'key' | 'user';
/** What a ceiling counts; `concurrency` has no window. */
export type Measure = keyof Limits;

/** Ceilings of one thing, and where they are counted. */
export interface Ceiling {
  scope: Scope;
  /** The public model that is counted alone; null: all. */
  model: string | null;
  /** Beginning of its Redis keys. */
  counter: string;
  limits: Limits;
  degraded: DegradedMode;
}

/** A budget within its current period. */
export interface BudgetCeiling {
  scope: Scope;
  model: string | null;
  budget: Budget;
  limitNanoUsd: bigint;
  account: BudgetAccount;
  degraded: DegradedMode;
}

/** What one Redis shard decides in one step. */
export interface Shard {
  /** Hash tag of its keys: a tenant's id, or `global`. */
  name: string;
  ceilings: Ceiling[];
  budgets: BudgetCeiling[];
}

/** What one operation takes from every limit: reserved before it runs, corrected when it is settled. */
export interface Charge {
  /** Id of the operation, and of its lease. */
  operation: string;
  /** Estimated prompt plus what the answer may take. */
  tokens: number;
  /** What stays charged when this process dies and the lease runs out: the prompt. */
  keptTokens: number;
  /** The worst case; 0n where nothing is spent or the price is unknown. */
  nanoUsd: bigint;
  /** As `keptTokens`. Must not be more than the ledger's row of an orphan will say. */
  keptNanoUsd: bigint;
}

/** How a ceiling stands after a decision: used (the charge included, where it was admitted), by measure; only those it limits. */
export interface CeilingState {
  ceiling: Ceiling;
  used: Partial<Record<Measure, number>>;
  /** Until the window is as empty as it gets, ms; only of windows. */
  resetMs: Partial<Record<Measure, number>>;
}

export interface BudgetState {
  budget: BudgetCeiling;
  spentNanoUsd: bigint;
  heldNanoUsd: bigint;
}
