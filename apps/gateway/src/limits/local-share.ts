import type { BudgetCeiling, BudgetState, Ceiling, Charge, Measure, Shard } from './ask.ts';
import { LocalWindow, type WindowEntry } from './local-window.ts';
import { MEASURE_NAMES, MEASURES } from './measures.ts';
import { CONCURRENCY_RETRY_MS } from './refusal.ts';
import type { RefusedBy } from './shard-verdict.ts';

export type LocalVerdict =
  | { kind: 'admitted' }
  /** It does not fit under this gateway's share; `waitMs` until it does, -1: it never fits, whoever decides. */
  | { kind: 'refused'; by: RefusedBy; waitMs: number }
  /** The budget has room, this gateway's share of it has not. */
  | { kind: 'share_used' };

/** What an operation has taken here. */
interface Taken {
  entries: { window: LocalWindow; entry: WindowEntry }[];
  accounts: string[];
  charge: Charge;
}

/** Windows of one ceiling by their length in seconds. */
type Windows = Map<number, LocalWindow>;

const UNSPENT = { spentNanoUsd: 0n, heldNanoUsd: 0n };

/** Ceilings and budgets that are remembered at most; the one that was used longest ago is forgotten first. */
const MOST_REMEMBERED = 20_000;

/**
 * This gateway's share of limits and budgets, for as long as Redis cannot be asked: a limit divided by the live gateways, at
 * least 1, in sliding windows of its own; of a budget, what was last seen to be left of it, divided likewise. What Redis admitted
 * is known to Redis alone, but for the operations that run here; what was admitted here counts in the next outage too, so that many
 * short ones admit no more than a long one.
 */
export class LocalShare {
  private readonly counters = new Map<string, Windows>();
  private readonly running = new Map<string, number>();
  private readonly seenBudgets = new Map<string, { spentNanoUsd: bigint; heldNanoUsd: bigint }>();
  private readonly spent = new Map<string, { shard: string; nanoUsd: bigint }>();
  private readonly taken = new Map<string, Taken>();

  /** All or nothing; only ceilings and budgets whose mode is `local_share` are to be handed over. */
  admit(shards: readonly Shard[], charge: Charge, nowMs: number, replicas: number): LocalVerdict {
    let refusal: Exclude<LocalVerdict, { kind: 'admitted' }> | null = null;
    for (const { ceilings, budgets } of shards) {
      for (const ceiling of ceilings) refusal = longer(refusal, this.refusedByCeiling(ceiling, charge, nowMs, replicas));
      for (const budget of budgets) refusal = longer(refusal, this.refusedByBudget(budget, charge, replicas));
    }
    if (refusal !== null) return refusal;
    const taken: Taken = { entries: [], accounts: [], charge };
    for (const { name, ceilings, budgets } of shards) {
      for (const ceiling of ceilings) {
        for (const window of this.windowsOf(ceiling)) taken.entries.push({ window, entry: window.add(nowMs, 1, charge.tokens) });
      }
      for (const key of new Set(budgets.map(({ account }) => account.key))) {
        this.spent.set(key, { shard: name, nanoUsd: (this.spent.get(key)?.nanoUsd ?? 0n) + charge.nanoUsd });
        taken.accounts.push(key);
      }
    }
    if (taken.entries.length > 0 || taken.accounts.length > 0) this.taken.set(charge.operation, taken);
    return { kind: 'admitted' };
  }

  /** What was used takes the place of what was charged. Of operations that took nothing here, nothing. */
  settled(operation: string, actual: { tokens: number; nanoUsd: bigint }): void {
    const taken = this.taken.get(operation);
    if (taken === undefined) return;
    this.taken.delete(operation);
    const { charge } = taken;
    for (const { window, entry } of taken.entries) window.change(entry, 0, actual.tokens - charge.tokens);
    for (const key of taken.accounts) {
      const spent = this.spent.get(key);
      if (spent !== undefined) spent.nanoUsd += actual.nanoUsd - charge.nanoUsd;
    }
  }

  /** As if it had never been. */
  released(operation: string): void {
    const taken = this.taken.get(operation);
    if (taken === undefined) return;
    for (const { window, entry } of taken.entries) window.change(entry, -1, 0);
    this.settled(operation, { tokens: 0, nanoUsd: 0n });
  }

  /** An operation runs here, whoever admitted it. */
  begun(ceilings: readonly Ceiling[]): void {
    for (const { counter } of limited(ceilings)) this.running.set(counter, (this.running.get(counter) ?? 0) + 1);
  }

  ended(ceilings: readonly Ceiling[]): void {
    for (const { counter } of limited(ceilings)) {
      const running = (this.running.get(counter) ?? 0) - 1;
      if (running > 0) this.running.set(counter, running);
      else this.running.delete(counter);
    }
  }

  /** How Redis last said that budgets stand. */
  saw(budgets: readonly BudgetState[]): void {
    for (const { budget: { account }, spentNanoUsd, heldNanoUsd } of budgets) {
      this.seenBudgets.delete(account.key);
      remember(this.seenBudgets, account.key, { spentNanoUsd, heldNanoUsd });
    }
  }

  /** Redis decides again. Windows run out by themselves; what was spent is taken to be gone until Redis says how the budget stands. `shard` null: everywhere. */
  redisDecides(shard: string | null): void {
    for (const [key, { shard: of, nanoUsd }] of this.spent) {
      if (shard !== null && shard !== of) continue;
      this.spent.delete(key);
      const { spentNanoUsd, heldNanoUsd } = this.seenBudgets.get(key) ?? UNSPENT;
      this.seenBudgets.delete(key);
      remember(this.seenBudgets, key, { spentNanoUsd: spentNanoUsd + nanoUsd, heldNanoUsd });
    }
  }

  private refusedByCeiling(ceiling: Ceiling, charge: Charge, nowMs: number, replicas: number): Refused | null {
    let longest: Refused | null = null;
    for (const measure of MEASURE_NAMES) {
      const limit = ceiling.limits[measure];
      const waitMs = limit === undefined ? 0 : this.waitMs(ceiling, measure, limit, charge, nowMs, replicas);
      if (waitMs !== 0) longest = longer(longest, { kind: 'refused', by: { ceiling, measure }, waitMs });
    }
    return longest;
  }

  /** 0: it fits. */
  private waitMs(ceiling: Ceiling, measure: Measure, limit: number, charge: Charge, nowMs: number, replicas: number): number {
    const { counts, windowS } = MEASURES[measure];
    const needed = counts === 'tokens' ? charge.tokens : 1;
    if (needed > limit) return -1;
    const share = Math.max(1, Math.floor(limit / Math.max(1, replicas)));
    if (counts === 'concurrency') return (this.running.get(ceiling.counter) ?? 0) < share ? 0 : CONCURRENCY_RETRY_MS;
    const window = windowS === null ? undefined : this.counters.get(ceiling.counter)?.get(windowS);
    if (window === undefined) return needed <= share ? 0 : TOO_LARGE_FOR_SHARE_MS;
    if (window.used(counts, nowMs) + needed <= share) return 0;
    return needed > share ? TOO_LARGE_FOR_SHARE_MS : window.roomAfterMs(counts, needed, share, nowMs);
  }

  private refusedByBudget(budget: BudgetCeiling, charge: Charge, replicas: number): Exclude<LocalVerdict, { kind: 'admitted' }> | null {
    if (budget.budget.mode !== 'hard') return null;
    const { spentNanoUsd, heldNanoUsd } = this.seenBudgets.get(budget.account.key) ?? UNSPENT;
    const left = budget.limitNanoUsd - spentNanoUsd - heldNanoUsd;
    if (left <= 0n || charge.nanoUsd > left) return { kind: 'refused', by: { budget: { budget, spentNanoUsd, heldNanoUsd } }, waitMs: -1 };
    const share = left / BigInt(Math.max(1, replicas));
    const used = this.spent.get(budget.account.key)?.nanoUsd ?? 0n;
    return used >= share || used + charge.nanoUsd > share ? { kind: 'share_used' } : null;
  }

  private windowsOf(ceiling: Ceiling): Iterable<LocalWindow> {
    const windows: Windows = this.counters.get(ceiling.counter) ?? new Map<number, LocalWindow>();
    this.counters.delete(ceiling.counter);
    remember(this.counters, ceiling.counter, windows);
    for (const measure of MEASURE_NAMES) {
      const { windowS } = MEASURES[measure];
      if (windowS !== null && ceiling.limits[measure] !== undefined && !windows.has(windowS)) windows.set(windowS, new LocalWindow(windowS));
    }
    return windows.values();
  }
}

type Refused = Extract<LocalVerdict, { kind: 'refused' }>;

/** It fits under the limit, but not under this gateway's share of it: Redis may be back soon. */
const TOO_LARGE_FOR_SHARE_MS = 1000;

const limited = (ceilings: readonly Ceiling[]): Ceiling[] => ceilings.filter(({ limits }) => limits.concurrency !== undefined);

/** Of two refusals the one that lasts longer: whoever comes back when it is over is not refused by the other. */
function longer<R extends Exclude<LocalVerdict, { kind: 'admitted' }>>(one: R | null, other: R | null): R | null {
  if (one === null || other === null) return one ?? other;
  const lasts = (refusal: R): number => (refusal.kind === 'share_used' ? 0 : refusal.waitMs < 0 ? Infinity : refusal.waitMs);
  return lasts(other) > lasts(one) ? other : one;
}

function remember<V>(map: Map<string, V>, key: string, value: V): void {
  map.set(key, value);
  if (map.size <= MOST_REMEMBERED) return;
  for (const oldest of map.keys()) {
    map.delete(oldest);
    return;
  }
}
