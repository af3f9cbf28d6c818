import type { AlertSettings, RoutingSnapshot, WrongRate } from '@deja/contracts';
import type { Pool } from '@deja/postgres';
import type { ConditionInForce } from '../metric-defaults.ts';
import type { BudgetSpending } from './budget-spending.ts';
import type { Measured } from './reading.ts';
import type { UsualHours } from './usual-hours.ts';

/** What the ledger does not say itself. */
export interface OtherSources {
  /** The last routing snapshot; null before there was one. */
  snapshot: () => RoutingSnapshot | null;
  /** Age of the oldest event that waits on the usage queue, seconds; null while Redis is away. */
  queueLagS: (nowMs: number) => Promise<number | null>;
  /** What the last reconciliation found: operations that are missing or too many, and sums that are not those of their rows. null: there was none yet. */
  drift: () => { missing: number; surplus: number; sumsDiffer: number } | null;
  /** Of all tenants. Rejects while no semantic-cache answers. */
  wrongRates: () => Promise<WrongRate[]>;
}

/** What one evaluation reads from. */
export interface ReadingContext extends OtherSources {
  /** Unix ms. */
  nowMs: number;
  pool: Pool;
  settings: AlertSettings;
  spending: BudgetSpending;
  usualHours: UsualHours;
  /** Does work of this name once an evaluation, however many rules need it. */
  once: <T>(name: string, work: () => Promise<T>) => Promise<T>;
}

/** All there is of a metric in the scope of a condition. Rejects where it cannot be read: nothing changes then. */
export type Reader = (condition: ConditionInForce, context: ReadingContext) => Promise<Measured[]>;

/** Work that is done once: equal questions of several rules are one. */
export function onceEach(): ReadingContext['once'] {
  const done = new Map<string, Promise<unknown>>();
  return <T>(name: string, work: () => Promise<T>): Promise<T> => {
    const known = done.get(name);
    if (known !== undefined) return known as Promise<T>;
    const doing = work();
    done.set(name, doing);
    return doing;
  };
}
