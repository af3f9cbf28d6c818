import { isDeepStrictEqual } from 'node:util';
import type { RedisClient } from '@deja/redis';
import fc from 'fast-check';
import type { Charge, Shard } from '../src/limits/ask.ts';
import { MEASURES } from '../src/limits/measures.ts';
import type { Held, ShardVerdict } from '../src/limits/shards.ts';
import { LimitModel, type Decision, type LimitWorld, type Refusing } from './limit-model.ts';
import { charge, LEASE_MS, LimitStage, unique } from './limit-stage.ts';

/** Windows and leases have their edges at whole seconds. */
const edge = fc.constantFrom(0, 750, 1000, 15_000, 30_000, 59_000, 60_000, 61_000);
const afterMs = fc.oneof(
  { weight: 10, arbitrary: fc.integer({ min: 0, max: 3000 }) }, { weight: 4, arbitrary: edge },
  { weight: 2, arbitrary: fc.integer({ min: 0, max: 90_000 }) }, { weight: 1, arbitrary: fc.integer({ min: 0, max: 20 * 3_600_000 }) },
);
const which = fc.nat();
const replica = fc.nat(1);
const arrival = fc.record({ kind: fc.constant('arrival' as const), replica, withModel: fc.boolean(), tokens: fc.nat(40), kept: fc.nat(40), nanoUsd: fc.bigInt({ min: 0n, max: 300n }), keptShare: fc.nat(100) });
const end = fc.record({ kind: fc.constant('end' as const), which, tokens: fc.nat(60), nanoUsd: fc.bigInt({ min: 0n, max: 400n }), twice: fc.boolean() });
const abort = fc.record({ kind: fc.constant('abort' as const), which });
const growth = fc.record({ kind: fc.constant('growth' as const), which, tokens: fc.nat(30) });
const heartbeat = fc.record({ kind: fc.constant('heartbeat' as const), replica });
const crash = fc.record({ kind: fc.constant('crash' as const), replica });
/** Whoever was refused waits as long as it was told, or a millisecond less. */
const patience = fc.record({ kind: fc.constant('patience' as const), early: fc.boolean() });

/** How long after the step before, ms, and what happens then. */
export const step = fc.tuple(afterMs, fc.oneof(
  { weight: 10, arbitrary: arrival }, { weight: 5, arbitrary: end }, { weight: 2, arbitrary: abort }, { weight: 2, arbitrary: growth },
  { weight: 5, arbitrary: heartbeat }, { weight: 1, arbitrary: crash }, { weight: 4, arbitrary: patience },
));
export type Step = typeof step extends fc.Arbitrary<infer One> ? One : never;
type Action<Kind> = Extract<Step[1], { kind: Kind }>;

interface Running {
  held: Held;
  replica: number;
}

/** Plays one history of two replicas in Redis and in the model, and gathers in what they differ. */
export class LimitHistory {
  /** What should be empty. */
  readonly differences: { what: string; is: unknown; should: unknown }[] = [];
  readonly at: LimitStage;
  private readonly model: LimitModel;
  private running: Running[] = [];
  /** When it was last told that something would fit. */
  private fitsAtMs = 0;

  constructor(
    private readonly world: LimitWorld,
    server: { client: RedisClient },
    merged: boolean,
  ) {
    this.at = new LimitStage(server, merged);
    this.model = new LimitModel(world.spent);
  }

  async play([ms, action]: Step): Promise<void> {
    this.at.ms += ms;
    if (action.kind === 'arrival') return this.arrive(action);
    if (action.kind === 'heartbeat') return this.renew(action.replica);
    if (action.kind === 'patience') this.at.ms = Math.max(this.at.ms, this.fitsAtMs - (action.early ? 1 : 0));
    else if (action.kind === 'crash') this.running = this.running.filter((one) => one.replica !== action.replica);
    else {
      const running = this.running[action.which % this.running.length];
      if (running !== undefined) await this.goOn(running, action);
    }
  }

  private async goOn(running: Running, action: Action<'growth' | 'abort' | 'end'>): Promise<void> {
    const { held } = running;
    const { operation } = held.charge;
    if (action.kind === 'growth') {
      this.model.add(operation, action.tokens, this.at.ms);
      return this.at.add(held, action.tokens);
    }
    this.running = this.running.filter((one) => one !== running);
    if (action.kind === 'abort') {
      this.model.release(operation, this.at.ms);
      return this.at.release(held);
    }
    this.model.settle(operation, action.tokens, action.nanoUsd, this.at.ms);
    await this.at.settle(held, action.tokens, action.nanoUsd);
    if (action.twice) await this.at.settle(held, action.tokens, action.nanoUsd);
  }

  private async arrive(action: Action<'arrival'>): Promise<void> {
    const { tokens, nanoUsd } = action;
    const shards = this.world.shards(action.withModel);
    const asked = charge({ operation: unique('op'), tokens, keptTokens: Math.min(tokens, action.kept), nanoUsd, keptNanoUsd: (nanoUsd * BigInt(action.keptShare)) / 100n });
    const { admitted, refusing } = this.decide(shards, asked);
    const { verdict, held } = await this.at.reserve(shards, asked);
    this.compare(`the verdict, where these refuse: ${refusing.join(' ')}`, verdict.kind, admitted ? 'admitted' : 'refused');
    if (verdict.kind === 'refused') this.compareRefusal(verdict, refusing, asked);
    if (held !== null) {
      this.model.charge(shards, asked, this.at.ms);
      this.running.push({ held, replica: action.replica });
    }
    if (verdict.kind === 'unseeded') return;
    for (const { ceiling, used } of verdict.ceilings) this.compare(`used of ${ceiling.counter}`, used, this.model.used(ceiling, this.at.ms));
    for (const { budget, spentNanoUsd, heldNanoUsd } of verdict.budgets) this.compare(budget.account.key, [spentNanoUsd, heldNanoUsd], this.model.money(budget));
  }

  /** Step by step, as Redis is asked. */
  private decide(shards: Shard[], asked: Charge): Decision {
    for (const together of this.at.merged ? [shards] : shards.map((shard) => [shard])) {
      const decision = this.model.decide(together, asked, this.at.ms);
      if (!decision.admitted) return decision;
    }
    return { admitted: true, refusing: [] };
  }

  /** It is by one that refuses; and if nothing else comes, it fits at the time that was told, and not a millisecond before. */
  private compareRefusal({ by, waitMs }: Extract<ShardVerdict, { kind: 'refused' }>, refusing: Refusing[], asked: Charge): void {
    const told: Refusing = 'budget' in by ? [by.budget.budget.account.key, 'budget'] : [by.ceiling.counter, by.measure];
    this.compare('whether what is told refuses', refusing.some((one) => isDeepStrictEqual(one, told)), true);
    if ('budget' in by || by.measure === 'concurrency') return;
    const need = MEASURES[by.measure].counts === 'tokens' ? asked.tokens : 1;
    this.compare('whether it ever fits', waitMs !== -1, need <= (by.ceiling.limits[by.measure] ?? Infinity));
    if (waitMs === -1) return;
    const fitsIn = (ms: number): boolean => this.model.fits(by.ceiling, by.measure, asked.tokens, this.at.ms + ms);
    this.compare(`whether it fits just before and after ${waitMs} ms`, [fitsIn(waitMs - 1), fitsIn(waitMs)], [false, true]);
    this.fitsAtMs = this.at.ms + waitMs;
  }

  private async renew(of: number): Promise<void> {
    const own = this.running.filter((one) => one.replica === of).map(({ held }) => held);
    for (const { charge: { operation } } of own) this.model.renew(operation, this.at.ms);
    await this.at.renew(...own);
  }

  /** However long they were, no minute and no day has let in more requests than its limit. */
  compareWindows(): void {
    for (const one of this.world.ceilings) {
      for (const measure of ['requests_per_minute', 'requests_per_day'] as const) this.compare(`too many in ${measure}`, this.model.mostWithin(one, measure) > (one.limits[measure] ?? Infinity), false);
    }
  }

  /** All replicas die, and all leases end: nothing is held by anyone. */
  async compareLeftovers(): Promise<void> {
    this.at.ms += LEASE_MS;
    await this.sweep();
    for (const one of this.world.ceilings) this.compare(`calls under way of ${one.counter}`, await this.at.flights(one), null);
    for (const one of this.world.budgets) {
      const [spent, held] = await this.at.money(one);
      this.compare(`${one.account.key} in the end`, [spent, held ?? '0'], [String(this.model.money(one)[0]), '0']);
    }
    this.at.ms += 2 * 3_600_000;
    await this.sweep();
    for (const { name } of this.world.sweepers) this.compare(`leases of ${name}`, await this.at.redis.exists(`deja:limits:{${name}}:leases`, `deja:limits:{${name}}:held`), 0);
  }

  /** Whoever asks finds what has ended. */
  private async sweep(): Promise<void> {
    this.model.decide(this.world.sweepers, charge(), this.at.ms);
    const { held } = await this.at.reserve(this.world.sweepers, charge());
    if (held !== null) await this.at.release(held);
  }

  private compare(what: string, is: unknown, should: unknown): void {
    if (!isDeepStrictEqual(is, should)) this.differences.push({ what, is, should });
  }
}
