import type { BudgetAccount } from '@deja/contracts';
import type { ScriptCall } from '@deja/redis';
import type { Charge, Shard } from './ask.ts';
import { recordOf, type Held, type HeldPart, type HeldShard } from './held.ts';
import { RESERVE } from './reserve-lua.ts';
import { ADD, RELEASE, RENEW, SEED, SETTLE } from './settle-lua.ts';
import { askOf, distinct, type AskedPart, type ShardAsk } from './shard-ask.ts';
import { verdictOf, type ShardVerdict } from './shard-verdict.ts';
import { notNegative, wholeTokens } from './whole-charge.ts';

export type { Held, HeldShard } from './held.ts';
export type { ShardAsk } from './shard-ask.ts';
export type { RefusedBy, ShardVerdict } from './shard-verdict.ts';

export interface LimitShardsOptions {
  /** How long what an operation holds stays held without being renewed. */
  leaseMs: number;
  /** All shards are on one Redis and are decided in one step; else each by itself, as Redis Cluster requires. */
  merged: boolean;
  /** Unix ms, of tests; Redis's own clock by default. */
  now?: () => number;
}

const RENEWED_AT_ONCE = 100;

/**
 * Limits and budgets as they stand in Redis, for all gateways together. Makes the calls of scripts and reads what they answer; who sends
 * them, and what happens when nobody answers, is for others to say.
 */
export class LimitShards {
  private readonly options: LimitShardsOptions;

  constructor(options: LimitShardsOptions) {
    this.options = options;
  }

  /** What to ask, one after another, each only if all before it admitted. Empty shards are left out; merged there is at most one. */
  asks(shards: Shard[], charge: Charge): ShardAsk[] {
    const counted = distinct(shards);
    if (counted.length === 0) return [];
    return this.options.merged ? [askOf(counted, charge)] : counted.map((shard) => askOf([shard], charge));
  }

  /** Decides and charges, everywhere or nowhere. An operation that asks again replaces what it holds. */
  reserveCall({ parts, charge }: ShardAsk): ScriptCall {
    const { operation, tokens, keptTokens, nanoUsd, keptNanoUsd } = charge;
    const { keys, limits } = told(parts);
    return { script: RESERVE, keys, args: [this.now(), operation, this.options.leaseMs, tokens, keptTokens, String(nanoUsd), String(keptNanoUsd), limits] };
  }

  /** Throws where the reply is none of `reserveCall`'s. */
  read(ask: ShardAsk, reply: unknown): ShardVerdict {
    return verdictOf(ask, reply);
  }

  /** Says what was spent, as the ledger knows it, where Redis does not know it yet. */
  seedCalls(budgets: { account: BudgetAccount; spentNanoUsd: string }[]): ScriptCall[] {
    return budgets.map(({ account: { key, toMs }, spentNanoUsd }) => ({ script: SEED, keys: [key], args: [this.now(), spentNanoUsd, toMs ?? 0] }));
  }

  /** What was used takes the place of what was reserved. The second time nothing changes. */
  settleCalls({ charge, shards }: Held, actual: { tokens: number; nanoUsd: bigint }): ScriptCall[] {
    return this.leaseCalls(shards, (keys) => ({ script: SETTLE, keys, args: [this.now(), charge.operation, wholeTokens(actual.tokens), String(notNegative(actual.nanoUsd))] }));
  }

  /** As if the operation had never been: the request does not count either. Run once. */
  releaseCalls({ charge, shards }: Held): ScriptCall[] {
    return shards.map(({ parts }) => ({
      script: RELEASE,
      keys: parts.flatMap(({ keys: { leases, held }, windows }) => [leases, held, ...keysOf(windows)]),
      args: [this.now(), charge.operation, ...parts.flatMap(({ leased, windows }) => [leased ? 1 : 0, windows.length, ...windows.flatMap(({ second, entry }) => [second, entry])])],
    }));
  }

  /** An operation under way has taken so many tokens more than were charged until now. */
  addCalls({ charge, shards }: Held, tokens: number): ScriptCall[] {
    if (wholeTokens(tokens) === 0) return [];
    return this.leaseCalls(shards, (keys) => ({ script: ADD, keys, args: [this.now(), charge.operation, wholeTokens(tokens)] }), ({ windows }) => windows.some(({ countsTokens }) => countsTokens));
  }

  /** Renews the leases of operations under way; what Redis has lost of them is held again. Some calls for each shard, however many operations. */
  renewCalls(held: Held[]): ScriptCall[] {
    const byShard = new Map<string, { part: HeldPart; charge: Charge }[]>();
    for (const { charge, shards } of held) {
      for (const part of shards.flatMap(({ parts }) => parts)) {
        const { leases } = part.keys;
        if (!part.leased) continue;
        const others = byShard.get(leases);
        if (others === undefined) byShard.set(leases, [{ part, charge }]);
        else others.push({ part, charge });
      }
    }
    return [...byShard.values()].flatMap((leases) => chunks(leases, RENEWED_AT_ONCE)).map((some) => this.renewCall(some));
  }

  private renewCall(some: { part: HeldPart; charge: Charge }[]): ScriptCall {
    const keys = some.slice(0, 1).flatMap(({ part: { keys: { leases, held } } }) => [leases, held]);
    return { script: RENEW, keys, args: [this.now(), this.options.leaseMs, ...some.flatMap(({ part, charge }) => [charge.operation, recordOf(part, charge)])] };
  }

  /** One call a step that left something to correct. */
  private leaseCalls(shards: HeldShard[], callOf: (keys: string[]) => ScriptCall, concerns: (part: HeldPart) => boolean = () => true): ScriptCall[] {
    return shards.flatMap(({ parts }) => {
      const keys = parts.filter((part) => part.leased && concerns(part)).flatMap(({ keys: { leases, held } }) => [leases, held]);
      return keys.length === 0 ? [] : [callOf(keys)];
    });
  }

  private now(): number | '' {
    return this.options.now?.() ?? '';
  }
}

/** What the script is told of limits, whatever is charged. */
interface Told {
  keys: string[];
  /** JSON, because to read one text costs the script less than to read many. */
  limits: string;
}

const tellings = new WeakMap<AskedPart[], Told>();

/** Of parts that requests share, the same each time. */
function told(parts: AskedPart[]): Told {
  let telling = tellings.get(parts);
  if (telling === undefined) {
    telling = { keys: askedKeys(parts), limits: JSON.stringify(askedLimits(parts)) };
    tellings.set(parts, telling);
  }
  return telling;
}

const keysOf = (items: { key: string }[]): string[] => items.map(({ key }) => key);

/** In the order of the script (reserve-lua.ts). */
function askedKeys(parts: AskedPart[]): string[] {
  return [
    ...parts.flatMap(({ windows }) => keysOf(windows)), ...parts.flatMap(({ counters }) => keysOf(counters)), ...parts.flatMap(({ accounts }) => keysOf(accounts)),
    ...parts.flatMap(({ keys: { leases, held } }) => [leases, held]),
  ];
}

/** In the order of the script; -1: no limit. */
function askedLimits(parts: AskedPart[]): number[] {
  const windows = parts.flatMap((part) => part.windows);
  const counters = parts.flatMap((part) => part.counters);
  const accounts = parts.flatMap((part) => part.accounts);
  return [
    windows.length, counters.length, accounts.length, parts.length,
    ...windows.flatMap(({ lengthS, requests, tokens }) => [lengthS, requests?.limit ?? -1, tokens?.limit ?? -1]),
    ...counters.map(({ limit }) => limit),
    ...accounts.flatMap(({ tightest, toMs }) => [tightest === null ? -1 : Number(tightest.limitNanoUsd), toMs ?? 0]),
    ...parts.flatMap((part) => [part.leased ? 1 : 0, part.windows.length, part.counters.length, part.accounts.length]),
  ];
}

const chunks = <Item>(items: Item[], size: number): Item[][] => Array.from({ length: Math.ceil(items.length / size) }, (_, i) => items.slice(i * size, (i + 1) * size));
