import type { Charge } from './ask.ts';
import { wholeCharge } from './whole-charge.ts';

/** An operation that may use more than it reserved, while it runs. */
export interface Growing {
  /** Prompt and answer as far as it has come. */
  tokensSoFar: () => number;
}

/** What one operation was charged, and must be settled, released or renewed for. Plain data. */
export interface Held {
  charge: Charge;
  /** In the order in which they were asked. */
  shards: HeldShard[];
}

/** What one step charged: on one shard, or where shards are merged, on all. */
export interface HeldShard {
  parts: HeldPart[];
}

/** What is charged on one shard. */
export interface HeldPart {
  keys: LeaseKeys;
  /** Whether there is something that settlement corrects: only then Redis has a lease and a record of it. */
  leased: boolean;
  windows: HeldWindow[];
  /** Keys of the counters of calls under way. */
  flights: string[];
  accounts: HeldAccount[];
}

export interface LeaseKeys {
  leases: string;
  held: string;
}

/** An entry of a sliding window. */
export interface HeldWindow {
  key: string;
  lengthS: number;
  /** Unix seconds. */
  second: number;
  /** Its number among all that were ever made. */
  entry: number;
  countsTokens: boolean;
}

export interface HeldAccount {
  key: string;
  /** Unix ms, exclusive; null: without end. */
  toMs: number | null;
}

/** A lease's record as the scripts have it (lease-lua.ts), JSON, for a Redis that has lost it, and with it what had been charged in windows. */
export function recordOf(part: HeldPart, charge: Charge): string {
  const { tokens, keptTokens, nanoUsd, keptNanoUsd } = wholeCharge(charge);
  const windows = part.windows.filter(({ countsTokens }) => countsTokens);
  const { flights, accounts } = part;
  return JSON.stringify([
    tokens, keptTokens, String(nanoUsd), String(keptNanoUsd), false, windows.length, flights.length, accounts.length,
    ...windows.map(({ key }) => key), ...flights, ...accounts.map(({ key }) => key),
    ...accounts.map(({ toMs }) => toMs ?? 0), ...windows.flatMap(({ lengthS, second, entry }) => [lengthS, second, entry, 0]),
  ]);
}
