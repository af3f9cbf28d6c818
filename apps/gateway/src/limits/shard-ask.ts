import type { BudgetCeiling, Ceiling, Charge, Measure, Shard } from './ask.ts';
import type { LeaseKeys } from './held.ts';
import { MEASURES } from './measures.ts';
import { wholeCharge } from './whole-charge.ts';

/** What is asked of Redis in one step, and in which order the script is told of it. */
export interface ShardAsk {
  shards: Shard[];
  charge: Charge;
  parts: AskedPart[];
}

/** What is counted on one shard. */
export interface AskedPart {
  keys: LeaseKeys;
  /** Whether something is charged that settlement corrects. */
  leased: boolean;
  windows: AskedWindow[];
  counters: AskedCounter[];
  accounts: AskedAccount[];
}

export interface AskedWindow {
  ceiling: Ceiling;
  key: string;
  lengthS: number;
  requests: Limited | null;
  tokens: Limited | null;
}

export interface Limited {
  measure: Measure;
  limit: number;
}

export interface AskedCounter {
  ceiling: Ceiling;
  key: string;
  limit: number;
}

/** Budgets that count the same share one account. */
export interface AskedAccount {
  key: string;
  toMs: number | null;
  budgets: BudgetCeiling[];
  /** The one that refuses first; null where none does. */
  tightest: BudgetCeiling | null;
}

/** Of shards that requests share, the same each time. */
const parts = new WeakMap<Shard[], AskedPart[]>();

/** @param shards not to be changed after this */
export function askOf(shards: Shard[], charge: Charge): ShardAsk {
  let asked = parts.get(shards);
  if (asked === undefined) parts.set(shards, (asked = shards.map(partOf)));
  return { shards, charge: wholeCharge(charge), parts: asked };
}

/** Two shards of one name, as that of a tenant `global` and everybody's, are one: their leases share keys. */
export function distinct(shards: Shard[]): Shard[] {
  const isDistinct = shards.every(({ name, ceilings, budgets }, i) => ceilings.length + budgets.length > 0 && shards.findIndex((other) => other.name === name) === i);
  if (isDistinct) return shards;
  const byName = new Map<string, Shard>();
  for (const shard of shards) {
    if (shard.ceilings.length + shard.budgets.length === 0) continue;
    const same = byName.get(shard.name);
    byName.set(shard.name, same === undefined ? shard : { name: shard.name, ceilings: [...same.ceilings, ...shard.ceilings], budgets: [...same.budgets, ...shard.budgets] });
  }
  return [...byName.values()];
}

function partOf({ name, ceilings, budgets }: Shard): AskedPart {
  const windows: AskedWindow[] = [];
  const counters: AskedCounter[] = [];
  for (const ceiling of ceilings) {
    const { counter, limits } = ceiling;
    addWindow(windows, ceiling, `${counter}:minute`, 'requests_per_minute', 'tokens_per_minute');
    addWindow(windows, ceiling, `${counter}:day`, 'requests_per_day', 'tokens_per_day');
    if (limits.concurrency !== undefined) counters.push({ ceiling, key: `${counter}:flights`, limit: limits.concurrency });
  }
  const accounts = accountsOf(budgets);
  const leased = counters.length > 0 || accounts.length > 0 || windows.some(({ tokens }) => tokens !== null);
  return { keys: { leases: `deja:limits:{${name}}:leases`, held: `deja:limits:{${name}}:held` }, leased, windows, counters, accounts };
}

function addWindow(windows: AskedWindow[], ceiling: Ceiling, key: string, requestsMeasure: Measure, tokensMeasure: Measure): void {
  const requests = limitedBy(ceiling, requestsMeasure);
  const tokens = limitedBy(ceiling, tokensMeasure);
  const { windowS } = MEASURES[requestsMeasure];
  if (windowS !== null && (requests !== null || tokens !== null)) windows.push({ ceiling, key, lengthS: windowS, requests, tokens });
}

function limitedBy({ limits }: Ceiling, measure: Measure): Limited | null {
  const limit = limits[measure];
  return limit === undefined ? null : { measure, limit };
}

function accountsOf(budgets: BudgetCeiling[]): AskedAccount[] {
  const accounts: AskedAccount[] = [];
  for (const budget of budgets) {
    const { key, toMs } = budget.account;
    let account = accounts.find((other) => other.key === key);
    if (account === undefined) accounts.push((account = { key, toMs, budgets: [], tightest: null }));
    account.budgets.push(budget);
    const isHard = budget.budget.mode === 'hard';
    if (isHard && (account.tightest === null || budget.limitNanoUsd < account.tightest.limitNanoUsd)) account.tightest = budget;
  }
  return accounts;
}
