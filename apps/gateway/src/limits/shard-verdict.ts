import type { BudgetCeiling, BudgetState, Ceiling, CeilingState, Measure } from './ask.ts';
import type { HeldPart, HeldShard, HeldWindow } from './held.ts';
import type { AskedPart, AskedWindow, ShardAsk } from './shard-ask.ts';

export type ShardVerdict =
  | { kind: 'admitted'; held: HeldShard; ceilings: CeilingState[]; budgets: BudgetState[] }
  /** Nothing was charged. Another try may succeed in `waitMs`, which of a day's window may be too early; -1: it never fits. */
  | { kind: 'refused'; by: RefusedBy; waitMs: number; ceilings: CeilingState[]; /** Of those that Redis knows. */ budgets: BudgetState[] }
  /** Redis does not know what was spent of these: they are used for the first time, or it was lost. Nothing was charged. */
  | { kind: 'unseeded'; budgets: BudgetCeiling[] };

export type RefusedBy = { ceiling: Ceiling; measure: Measure } | { budget: BudgetState };

/** A reply of RESERVE, value after value. */
class Reply {
  private readonly values: unknown[];
  private next = 0;

  constructor(values: unknown[]) {
    this.values = values;
  }

  text(): string {
    return String(this.values[this.next++]);
  }

  number(): number {
    return Number(this.values[this.next++]);
  }
}

interface Stated {
  ceilings: CeilingState[];
  budgets: BudgetState[];
  unseeded: BudgetCeiling[];
  held: HeldPart[];
}

/** What RESERVE (reserve-lua.ts) answered. */
export function verdictOf(ask: ShardAsk, answer: unknown): ShardVerdict {
  if (!Array.isArray(answer)) throw new TypeError('Redis gave no answer about limits that can be read');
  const reply = new Reply(answer);
  const [status, nowMs, waitMs, kind, index] = [reply.number(), reply.number(), reply.number(), reply.text(), reply.number()];
  const { ceilings, budgets, unseeded, held } = stated(ask, reply, nowMs, status === 1);
  if (status === 1) return { kind: 'admitted', held: { parts: held }, ceilings, budgets };
  if (status === -1) return { kind: 'unseeded', budgets: unseeded };
  return { kind: 'refused', by: refusedBy(ask, kind, index, budgets), waitMs, ceilings, budgets };
}

function stated({ parts, charge }: ShardAsk, reply: Reply, nowMs: number, admitted: boolean): Stated {
  const states = new Map<Ceiling, CeilingState>();
  const stateOf = (ceiling: Ceiling): CeilingState => {
    const state = states.get(ceiling) ?? { ceiling, used: {}, resetMs: {} };
    states.set(ceiling, state);
    return state;
  };
  const held = parts.map((part): HeldPart => ({
    keys: part.keys, leased: part.leased, windows: part.windows.map((window) => windowState(window, stateOf(window.ceiling), reply, nowMs)),
    flights: part.counters.map(({ key }) => key), accounts: part.accounts.map(({ key, toMs }) => ({ key, toMs })),
  }));
  for (const { ceiling } of parts.flatMap(({ counters }) => counters)) stateOf(ceiling).used.concurrency = reply.number();
  const budgets: BudgetState[] = [];
  const unseeded: BudgetCeiling[] = [];
  for (const account of parts.flatMap(({ accounts }) => accounts)) {
    const [spent, heldBefore] = [reply.text(), reply.text()];
    const heldNanoUsd = BigInt(heldBefore) + (admitted ? charge.nanoUsd : 0n);
    if (spent === '') unseeded.push(...account.budgets);
    else for (const budget of account.budgets) budgets.push({ budget, spentNanoUsd: BigInt(spent), heldNanoUsd });
  }
  return { ceilings: [...states.values()], budgets, unseeded, held };
}

function windowState({ key, lengthS, requests, tokens }: AskedWindow, state: CeilingState, reply: Reply, nowMs: number): HeldWindow {
  const [usedRequests, usedTokens, second, entry] = [reply.number(), reply.number(), reply.number(), reply.number()];
  const resetMs = second === 0 ? 0 : Math.max(0, (second + lengthS + 1) * 1000 - nowMs);
  for (const [limited, used] of [[requests, usedRequests], [tokens, usedTokens]] as const) {
    if (limited === null) continue;
    state.used[limited.measure] = used;
    state.resetMs[limited.measure] = resetMs;
  }
  return { key, lengthS, second, entry, countsTokens: tokens !== null };
}

function refusedBy({ parts }: ShardAsk, kind: string, index: number, states: BudgetState[]): RefusedBy {
  if (kind === 'budget') {
    const budget = nth(parts, ({ accounts }) => accounts, index)?.tightest;
    const state = states.find((one) => one.budget === budget);
    if (state !== undefined) return { budget: state };
  } else if (kind === 'concurrency') {
    const counter = nth(parts, ({ counters }) => counters, index);
    if (counter !== undefined) return { ceiling: counter.ceiling, measure: 'concurrency' };
  } else {
    const window = nth(parts, ({ windows }) => windows, index);
    const limited = kind === 'tokens' ? window?.tokens : window?.requests;
    if (window && limited) return { ceiling: window.ceiling, measure: limited.measure };
  }
  throw new TypeError(`Redis refused by a ${kind} limit that was not asked for`);
}

/** Counted over all parts, as the script does. */
const nth = <Item>(parts: AskedPart[], itemsOf: (part: AskedPart) => Item[], index: number): Item | undefined => parts.flatMap(itemsOf)[index];
