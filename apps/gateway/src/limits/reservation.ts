import type { ScriptCall } from '@deja/redis';
import type { BudgetState, CeilingState, Charge, Shard } from './ask.ts';
import type { Growing } from './held.ts';
import type { Held, HeldShard, LimitShards, ShardAsk } from './shards.ts';
import { wholeCharge } from './whole-charge.ts';

/** What an operation really used. */
export interface Actual {
  tokens: number;
  nanoUsd: bigint;
}

/**
 * What one operation has reserved, from its decision to its settlement. Where the decision was made without Redis, what it would
 * hold there is assumed: a renewal puts that into force as soon as Redis is back, and whatever Redis has charged unheard is
 * settled by the operation's id. An answer that comes late takes the place of what was assumed.
 */
export class Reservation {
  readonly charge: Charge;
  /** For the reply's headers; empty where Redis was not asked. */
  readonly states: CeilingState[] = [];
  readonly budgets: BudgetState[] = [];
  private readonly told: HeldShard[] = [];
  private readonly assumed: HeldShard[] = [];
  private end: 'released' | Actual | null = null;
  /** It was refused at first, and let in a moment later: what was read of the cache until then is of before. */
  waited = false;

  constructor(
    charge: Charge,
    readonly shards: readonly Shard[],
    private readonly limits: LimitShards,
    readonly growing: Growing | null = null,
  ) {
    this.charge = wholeCharge(charge);
  }

  /** What is held for it, as far as that is known; null where that is nothing. */
  get held(): Held | null {
    const known = new Set(this.told.flatMap(({ parts }) => parts.map(({ keys }) => keys.leases)));
    const shards = [...this.told, ...this.assumed.filter(({ parts }) => !parts.some(({ keys }) => known.has(keys.leases)))];
    return shards.length === 0 ? null : { charge: this.charge, shards };
  }

  get isOver(): boolean {
    return this.end !== null;
  }

  /** Redis says what it has charged. What is to be written at once, where the operation is over already. */
  add(shard: HeldShard): ScriptCall[] {
    this.told.push(shard);
    return this.end === null ? [] : this.callsFor({ charge: this.charge, shards: [shard] }, this.end);
  }

  /** Nobody knows whether Redis has charged this, or will. */
  assume({ parts }: ShardAsk): void {
    const leased = parts.filter((part) => part.leased);
    if (leased.length === 0) return;
    this.assumed.push({
      parts: leased.map(({ keys, counters, accounts }) => ({
        keys, leased: true, windows: [], flights: counters.map(({ key }) => key), accounts: accounts.map(({ key, toMs }) => ({ key, toMs })),
      })),
    });
  }

  /** What was assumed will not be answered any more: what gives it back where the operation was refused. */
  unanswered(): ScriptCall[] {
    return this.end === 'released' && this.assumed.length > 0 ? this.limits.releaseCalls({ charge: this.charge, shards: this.assumed }) : [];
  }

  /** What settles it; the second time there is nothing. */
  settle(actual: Actual): ScriptCall[] {
    const { held } = this;
    if (this.end !== null) return [];
    this.end = actual;
    return held === null ? [] : this.callsFor(held, actual);
  }

  /** What undoes it, requests included; of what was assumed, when it is answered or will not be. */
  release(): ScriptCall[] {
    if (this.end !== null) return [];
    this.end = 'released';
    return this.told.length === 0 ? [] : this.callsFor({ charge: this.charge, shards: this.told }, 'released');
  }

  private callsFor(held: Held, end: 'released' | Actual): ScriptCall[] {
    return end === 'released' ? this.limits.releaseCalls(held) : this.limits.settleCalls(held, end);
  }
}
