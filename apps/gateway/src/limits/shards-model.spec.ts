import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Budget } from '@deja/contracts';
import { RedisProcess } from '@deja/testing';
import fc from 'fast-check';
import type { Charge, Shard } from './ask.ts';
import { MEASURES } from './measures.ts';
import type { Held, ShardVerdict } from './shards.ts';
import { charge, LEASE_MS, LimitStage, unique } from '../../test/limit-stage.ts';
import { LimitModel, worldOf, type Decision, type LimitWorld, type Refusing } from '../../test/limit-model.ts';

let server: RedisProcess;

beforeAll(async () => {
  server = await RedisProcess.start();
});
afterAll(() => server.stop());

const limitOf = (max: number): fc.Arbitrary<number | undefined> => fc.option(fc.integer({ min: Math.ceil(max / 4), max }), { nil: undefined, freq: 3 });
const limits = fc.record({ requests_per_minute: limitOf(6), tokens_per_minute: limitOf(150), requests_per_day: limitOf(20), tokens_per_day: limitOf(600), concurrency: limitOf(6) });
const money = fc.record({ limit: fc.oneof({ weight: 1, arbitrary: fc.bigInt({ min: 300n, max: 4000n }) }, { weight: 3, arbitrary: fc.constant(10n ** 9n) }), mode: fc.constantFrom<Budget['mode'][]>('hard', 'soft'), spent: fc.bigInt({ min: 0n, max: 500n }) });
const world = fc.record({ tenant: limits, key: limits, model: limits, all: limits, tenantBudget: money, allBudget: money });

/** Windows and leases have their edges at whole seconds. */
const edge = fc.constantFrom(0, 750, 1000, 15_000, 30_000, 59_000, 60_000, 61_000);
const afterMs = fc.oneof({ weight: 10, arbitrary: fc.integer({ min: 0, max: 3000 }) }, { weight: 4, arbitrary: edge }, { weight: 2, arbitrary: fc.integer({ min: 0, max: 90_000 }) }, { weight: 1, arbitrary: fc.integer({ min: 0, max: 20 * 3_600_000 }) });
const which = fc.nat();
const arrival = fc.record({ kind: fc.constant('arrival' as const), replica: fc.nat(1), withModel: fc.boolean(), tokens: fc.nat(40), kept: fc.nat(40), nanoUsd: fc.bigInt({ min: 0n, max: 300n }), keptShare: fc.nat(100) });
const end = fc.record({ kind: fc.constant('end' as const), which, tokens: fc.nat(60), nanoUsd: fc.bigInt({ min: 0n, max: 400n }), twice: fc.boolean() });
const abort = fc.record({ kind: fc.constant('abort' as const), which });
const growth = fc.record({ kind: fc.constant('growth' as const), which, tokens: fc.nat(30) });
const heartbeat = fc.record({ kind: fc.constant('heartbeat' as const), replica: fc.nat(1) });
const crash = fc.record({ kind: fc.constant('crash' as const), replica: fc.nat(1) });
/** Whoever was refused waits as long as it was told, or a millisecond less. */
const patience = fc.record({ kind: fc.constant('patience' as const), early: fc.boolean() });
const step = fc.tuple(afterMs, fc.oneof(
  { weight: 10, arbitrary: arrival }, { weight: 5, arbitrary: end }, { weight: 2, arbitrary: abort }, { weight: 2, arbitrary: growth }, { weight: 5, arbitrary: heartbeat }, { weight: 1, arbitrary: crash }, { weight: 4, arbitrary: patience },
));
type Step = typeof step extends fc.Arbitrary<[number, infer Action]> ? Action : never;

interface Running {
  held: Held;
  replica: number;
}

/** Plays one history in Redis and in the model, and compares every decision. */
class History {
  readonly at: LimitStage;
  private readonly model: LimitModel;
  private running: Running[] = [];
  /** When it was last told that something would fit. */
  private fitsAtMs = 0;

  constructor(
    private readonly world: LimitWorld,
    merged: boolean,
  ) {
    this.at = new LimitStage(server, merged);
    this.model = new LimitModel(world.spent);
  }

  async play([ms, action]: [number, Step]): Promise<void> {
    this.at.ms += ms;
    if (action.kind === 'arrival') return this.arrive(action);
    if (action.kind === 'patience') {
      this.at.ms = Math.max(this.at.ms, this.fitsAtMs - (action.early ? 1 : 0));
      return;
    }
    if (action.kind === 'crash') {
      this.running = this.running.filter(({ replica }) => replica !== action.replica);
      return;
    }
    if (action.kind === 'heartbeat') return this.renew(action.replica);
    const running = this.running[action.which % this.running.length];
    if (running === undefined) return;
    const { operation } = running.held.charge;
    if (action.kind === 'growth') {
      this.model.add(operation, action.tokens, this.at.ms);
      return this.at.add(running.held, action.tokens);
    }
    this.running = this.running.filter((one) => one !== running);
    if (action.kind === 'abort') {
      this.model.release(operation, this.at.ms);
      return this.at.release(running.held);
    }
    this.model.settle(operation, action.tokens, action.nanoUsd, this.at.ms);
    await this.at.settle(running.held, action.tokens, action.nanoUsd);
    if (action.twice) await this.at.settle(running.held, action.tokens, action.nanoUsd);
  }

  private async arrive({ replica, withModel, tokens, kept, nanoUsd, keptShare }: Extract<Step, { kind: 'arrival' }>): Promise<void> {
    const shards = this.world.shards(withModel);
    const asked = charge({ operation: unique('op'), tokens, keptTokens: Math.min(tokens, kept), nanoUsd, keptNanoUsd: (nanoUsd * BigInt(keptShare)) / 100n });
    const { admitted, refusing } = this.decide(shards, asked);
    const { verdict, held } = await this.at.reserve(shards, asked);
    expect([verdict.kind, refusing]).toEqual([admitted ? 'admitted' : 'refused', refusing]);
    if (verdict.kind === 'refused') {
      const by: Refusing = 'budget' in verdict.by ? [verdict.by.budget.budget.account.key, 'budget'] : [verdict.by.ceiling.counter, verdict.by.measure];
      expect(refusing).toContainEqual(by);
      this.expectHonestWait(verdict, asked);
    }
    if (held !== null) {
      this.model.charge(shards, asked, this.at.ms);
      this.running.push({ held, replica });
    }
    if (verdict.kind === 'unseeded') return;
    for (const { ceiling, used } of verdict.ceilings) expect([ceiling.counter, used]).toEqual([ceiling.counter, this.model.used(ceiling, this.at.ms)]);
    for (const { budget, spentNanoUsd, heldNanoUsd } of verdict.budgets) expect([spentNanoUsd, heldNanoUsd]).toEqual(this.model.money(budget));
  }

  /** Step by step, as Redis is asked. */
  private decide(shards: Shard[], asked: Charge): Decision {
    for (const step of this.at.merged ? [shards] : shards.map((shard) => [shard])) {
      const decision = this.model.decide(step, asked, this.at.ms);
      if (!decision.admitted) return decision;
    }
    return { admitted: true, refusing: [] };
  }

  /** Nothing else comes: then it fits at the time that was told, and not a millisecond before. */
  private expectHonestWait({ by, waitMs }: Extract<ShardVerdict, { kind: 'refused' }>, asked: Charge): void {
    if ('budget' in by || by.measure === 'concurrency') return;
    const need = MEASURES[by.measure].counts === 'tokens' ? asked.tokens : 1;
    if (waitMs === -1) return expect(need).toBeGreaterThan(by.ceiling.limits[by.measure] ?? Infinity);
    const fitsIn = (ms: number): boolean => this.model.fits(by.ceiling, by.measure, asked.tokens, this.at.ms + ms);
    expect([fitsIn(waitMs - 1), fitsIn(waitMs)]).toEqual([false, true]);
    this.fitsAtMs = this.at.ms + waitMs;
  }

  private async renew(replica: number): Promise<void> {
    const own = this.running.filter((one) => one.replica === replica).map(({ held }) => held);
    for (const { charge: { operation } } of own) this.model.renew(operation, this.at.ms);
    await this.at.renew(...own);
  }

  /** However long they were, no minute and no day has let in more requests than its limit. */
  expectWindowsKept(): void {
    for (const one of this.world.ceilings) {
      for (const measure of ['requests_per_minute', 'requests_per_day'] as const) expect(this.model.mostWithin(one, measure)).toBeLessThanOrEqual(one.limits[measure] ?? Infinity);
    }
  }

  /** All replicas have died, and all leases have ended. */
  async expectNothingLeaked(): Promise<void> {
    const { client } = server;
    this.at.ms += LEASE_MS;
    await this.sweep();
    for (const one of this.world.ceilings) expect(await this.at.flights(one)).toBeNull();
    for (const one of this.world.budgets) {
      const [spent, held] = await this.at.money(one);
      expect([BigInt(spent!), BigInt(held ?? 0)]).toEqual([this.model.money(one)[0], 0n]);
    }
    this.at.ms += 2 * 3_600_000;
    await this.sweep();
    for (const { name } of this.world.sweepers) expect(await client.exists(`deja:limit:{${name}}:leases`, `deja:limit:{${name}}:held`)).toBe(0);
  }

  /** Whoever asks finds what has ended. */
  private async sweep(): Promise<void> {
    this.model.decide(this.world.sweepers, charge(), this.at.ms);
    const { held } = await this.at.reserve(this.world.sweepers, charge());
    await this.at.release(held!);
  }
}

test.each([true, false])(
  'whatever comes, ends, is broken off, grows or dies, everything is decided as if all of it were written down and counted (merged: %s)',
  async (merged) => {
    await fc.assert(
      fc.asyncProperty(world, fc.array(step, { minLength: 1, maxLength: 60, size: 'max' }), async (spec, steps) => {
        const limits = worldOf(spec);
        const history = new History(limits, merged);
        for (const [of, spent] of limits.spent) await history.at.seed(of, spent);
        for (const one of steps) await history.play(one);
        history.expectWindowsKept();
        await history.expectNothingLeaked();
      }),
      { numRuns: 3000 },
    );
  },
  400_000,
);
