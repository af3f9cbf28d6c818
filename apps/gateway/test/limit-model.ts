import type { Budget, Limits } from '@deja/contracts';
import type { BudgetCeiling, Ceiling, Charge, Measure, Shard } from '../src/limits/ask.ts';
import { MEASURES } from '../src/limits/measures.ts';
import { budget, ceiling, LEASE_MS, START_MS, DAY_MS, unique } from './limit-stage.ts';

/** Limits of a tenant, one of its keys and a model within it, and of everybody; and a budget of each. */
export interface LimitWorld {
  ceilings: Ceiling[];
  budgets: BudgetCeiling[];
  /** What a request must fit into. */
  shards(withModel: boolean): Shard[];
  /** On the same shards, what lets everything through. */
  sweepers: Shard[];
  spent: Map<BudgetCeiling, bigint>;
}

interface BudgetSpec {
  limit: bigint;
  mode: Budget['mode'];
  spent: bigint;
}
export type LimitWorldSpec = Record<'tenant' | 'key' | 'model' | 'all', Limits> & Record<'tenantBudget' | 'allBudget', BudgetSpec>;

export function worldOf(spec: LimitWorldSpec): LimitWorld {
  const [tenant, all] = [unique('tenant'), unique('all')];
  const ofTenant = [ceiling(spec.tenant, { tenant, scope: 'tenant' }), ceiling(spec.key, { tenant })];
  const ofModel = ceiling(spec.model, { tenant, model: 'm' });
  const ofAll = ceiling(spec.all, { tenant: all });
  const [tenantBudget, allBudget] = [budget(spec.tenantBudget.limit, { tenant, mode: spec.tenantBudget.mode, toMs: null }), budget(spec.allBudget.limit, { tenant: all, mode: spec.allBudget.mode, toMs: START_MS + 400 * DAY_MS })];
  return {
    ceilings: [...ofTenant, ofModel, ofAll],
    budgets: [tenantBudget, allBudget],
    shards: (withModel) => [
      { name: tenant, ceilings: withModel ? [...ofTenant, ofModel] : ofTenant, budgets: [tenantBudget] },
      { name: all, ceilings: [ofAll], budgets: [allBudget] },
    ],
    sweepers: [tenant, all].map((name) => ({ name, ceilings: [ceiling({ concurrency: 9 }, { tenant: name })], budgets: [] })),
    spent: new Map([[tenantBudget, spec.tenantBudget.spent], [allBudget, spec.allBudget.spent]]),
  };
}

interface Entry {
  atMs: number;
  requests: number;
  tokens: number;
}

/** What one operation holds on one shard. */
interface Holding {
  charge: Charge;
  windows: { window: Entry[]; lengthS: number; first: Entry; entry: Entry; tokens: number; countsTokens: boolean }[];
  ceilings: Ceiling[];
  budgets: BudgetCeiling[];
  tokens: number;
  untilMs: number;
  state: 'held' | 'lapsed' | 'over';
  lapsedTokens: number;
}

export type Refusing = [name: string, measure: Measure | 'budget'];
export interface Decision {
  admitted: boolean;
  refusing: Refusing[];
}

const REMEMBERED_MS = 3_600_000;
const secondOf = (ms: number): number => Math.floor(ms / 1000);
const limited = ({ limits }: Ceiling): Measure[] => (Object.keys(MEASURES) as Measure[]).filter((measure) => limits[measure] !== undefined);

/** How limits should behave, in lists of everything that ever happened. */
export class LimitModel {
  private readonly windows = new Map<string, Entry[]>();
  private readonly flights = new Map<Ceiling, number>();
  private readonly held = new Map<BudgetCeiling, bigint>();
  private readonly spent: Map<BudgetCeiling, bigint>;
  /** By shard, then by operation. */
  private readonly holdings = new Map<string, Map<string, Holding>>();

  constructor(spent: Map<BudgetCeiling, bigint>) {
    this.spent = new Map(spent);
  }

  /** Shards that are decided in one step; what ended there is found first. */
  decide(shards: Shard[], charge: Charge, nowMs: number): Decision {
    for (const { name, ceilings, budgets } of shards) {
      const leased = budgets.length > 0 || ceilings.some(({ limits }) => limits.concurrency !== undefined || limits.tokens_per_minute !== undefined || limits.tokens_per_day !== undefined);
      if (leased) this.sweep(name, nowMs);
    }
    const refusing = shards.flatMap(({ ceilings, budgets }): Refusing[] => [
      ...ceilings.flatMap((one) => limited(one).filter((measure) => !this.fits(one, measure, charge.tokens, nowMs)).map((measure): Refusing => [one.counter, measure])),
      ...budgets.filter((one) => !this.affords(one, charge.nanoUsd)).map((one): Refusing => [one.account.key, 'budget']),
    ]);
    return { admitted: refusing.length === 0, refusing };
  }

  fits(of: Ceiling, measure: Measure, tokens: number, nowMs: number): boolean {
    const need = MEASURES[measure].counts === 'tokens' ? tokens : 1;
    return this.usedOf(of, measure, nowMs) + need <= (of.limits[measure] ?? Infinity);
  }

  used(of: Ceiling, nowMs: number): Partial<Record<Measure, number>> {
    return Object.fromEntries(limited(of).map((measure) => [measure, this.usedOf(of, measure, nowMs)]));
  }

  money(of: BudgetCeiling): [spent: bigint, held: bigint] {
    return [this.spent.get(of) ?? 0n, this.held.get(of) ?? 0n];
  }

  /** The most that any 60 seconds (or any day) admitted of requests that were not released. */
  mostWithin(of: Ceiling, measure: 'requests_per_minute' | 'requests_per_day'): number {
    const lengthMs = (MEASURES[measure].windowS ?? 0) * 1000;
    const times = this.window(of, measure).filter(({ requests }) => requests > 0).map(({ atMs }) => atMs);
    return Math.max(0, ...times.map((fromMs) => times.filter((ms) => ms >= fromMs && ms < fromMs + lengthMs).length));
  }

  charge(shards: Shard[], charge: Charge, nowMs: number): void {
    for (const { name, ceilings, budgets } of shards) {
      const windows = ceilings.flatMap((one) => (['minute', 'day'] as const).flatMap((per) => {
        const countsTokens = one.limits[`tokens_per_${per}`] !== undefined;
        if (!countsTokens && one.limits[`requests_per_${per}`] === undefined) return [];
        const entry = { atMs: nowMs, requests: 1, tokens: countsTokens ? charge.tokens : 0 };
        const window = this.window(one, `requests_per_${per}`);
        window.push(entry);
        return [{ window, lengthS: per === 'day' ? 86_400 : 60, first: entry, entry, tokens: charge.tokens, countsTokens }];
      }));
      const holding: Holding = { charge, windows, ceilings: ceilings.filter(({ limits }) => limits.concurrency !== undefined), budgets, tokens: charge.tokens, untilMs: nowMs + LEASE_MS, state: 'held', lapsedTokens: 0 };
      this.take(holding, 1);
      const others = this.holdings.get(name) ?? new Map<string, Holding>();
      this.holdings.set(name, others.set(charge.operation, holding));
    }
  }

  settle(operation: string, tokens: number, nanoUsd: bigint, nowMs: number): void {
    for (const holding of this.allOf(operation)) {
      if (holding.state === 'over') continue;
      this.changeTokens(holding, tokens - holding.tokens, nowMs);
      this.end(holding);
      this.spend(holding, nanoUsd);
    }
  }

  release(operation: string, nowMs: number): void {
    for (const holding of this.allOf(operation)) {
      if (holding.state === 'over') continue;
      this.changeTokens(holding, -holding.tokens, nowMs);
      this.end(holding);
      for (const { first } of holding.windows) first.requests = 0;
    }
  }

  add(operation: string, tokens: number, nowMs: number): void {
    for (const holding of this.allOf(operation)) if (holding.state === 'held') this.changeTokens(holding, tokens, nowMs);
  }

  renew(operation: string, nowMs: number): void {
    for (const holding of this.allOf(operation)) {
      if (holding.state !== 'held') {
        this.take(holding, 1);
        if (holding.state === 'lapsed') {
          this.spend(holding, -holding.charge.keptNanoUsd);
          this.changeTokens(holding, holding.lapsedTokens, nowMs);
        } else {
          // It was forgotten: what it has left in windows stays there.
          for (const of of holding.windows) Object.assign(of, { entry: of.first, tokens: 0 });
          holding.tokens = holding.charge.tokens;
        }
      }
      Object.assign(holding, { state: 'held', untilMs: nowMs + LEASE_MS });
    }
  }

  private sweep(shard: string, nowMs: number): void {
    for (const holding of this.holdings.get(shard)?.values() ?? []) {
      if (holding.state === 'over' || holding.untilMs > nowMs) continue;
      if (holding.state === 'lapsed') {
        holding.state = 'over';
        continue;
      }
      this.end(holding);
      this.spend(holding, holding.charge.keptNanoUsd);
      const lapsedTokens = Math.max(0, holding.tokens - holding.charge.keptTokens);
      this.changeTokens(holding, -lapsedTokens, nowMs);
      Object.assign(holding, { state: 'lapsed', lapsedTokens, untilMs: nowMs + REMEMBERED_MS });
    }
  }

  private affords(of: BudgetCeiling, nanoUsd: bigint): boolean {
    const [spent, held] = this.money(of);
    return of.budget.mode === 'soft' || (spent + held < of.limitNanoUsd && spent + held + nanoUsd <= of.limitNanoUsd);
  }

  private usedOf(of: Ceiling, measure: Measure, nowMs: number): number {
    const { counts, windowS } = MEASURES[measure];
    if (counts === 'concurrency' || windowS === null) return this.flights.get(of) ?? 0;
    const counted = this.window(of, measure).filter(({ atMs }) => secondOf(atMs) >= secondOf(nowMs) - windowS);
    return counted.reduce((sum, entry) => sum + entry[counts], 0);
  }

  private window(of: Ceiling, measure: Measure): Entry[] {
    const name = `${of.counter} ${String(MEASURES[measure].per)}`;
    const window = this.windows.get(name) ?? [];
    this.windows.set(name, window);
    return window;
  }

  private changeTokens(holding: Holding, by: number, nowMs: number): void {
    if (by === 0) return;
    for (const of of holding.windows.filter(({ countsTokens }) => countsTokens)) {
      if (by < 0) {
        const less = Math.min(of.tokens, -by);
        of.entry.tokens -= less;
        of.tokens -= less;
      } else if (secondOf(of.entry.atMs) >= secondOf(nowMs) - of.lengthS) {
        of.entry.tokens += by;
        of.tokens += by;
      } else {
        of.entry = { atMs: nowMs, requests: 0, tokens: by };
        of.tokens = by;
        of.window.push(of.entry);
      }
    }
    holding.tokens += by;
  }

  private take({ ceilings, budgets, charge }: Holding, sign: 1 | -1): void {
    for (const one of ceilings) this.flights.set(one, (this.flights.get(one) ?? 0) + sign);
    for (const one of budgets) this.held.set(one, (this.held.get(one) ?? 0n) + BigInt(sign) * charge.nanoUsd);
  }

  /** As if it had never been, but for its tokens and what it is about to cost. */
  private end(holding: Holding): void {
    if (holding.state === 'held') this.take(holding, -1);
    else this.spend(holding, -holding.charge.keptNanoUsd);
    holding.state = 'over';
  }

  private spend({ budgets }: Holding, nanoUsd: bigint): void {
    for (const one of budgets) this.spent.set(one, (this.spent.get(one) ?? 0n) + nanoUsd);
  }

  private allOf(operation: string): Holding[] {
    return [...this.holdings.values()].flatMap((shard) => shard.get(operation) ?? []);
  }
}
