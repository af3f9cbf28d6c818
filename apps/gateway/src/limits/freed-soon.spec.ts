import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { RedisProcess } from '@deja/testing';
import { charge, ceiling, LimitStage, unique, type Outcome } from '../../test/limit-stage.ts';
import type { Ceiling, Measure } from './ask.ts';
import { FreedSoon } from './freed-soon.ts';
import type { ShardVerdict } from './shard-verdict.ts';

type Refused = Extract<ShardVerdict, { kind: 'refused' }>;

const refused = (limit: Ceiling, measure: Measure = 'concurrency', waitMs = 1000): Refused => ({ kind: 'refused', by: { ceiling: limit, measure }, waitMs, ceilings: [], budgets: [] });
const ADMITTED: ShardVerdict = { kind: 'admitted', held: { parts: [] }, ceilings: [], budgets: [] };
const soon = (wait: (ms: number) => Promise<unknown> = async () => undefined, random = 0): FreedSoon => new FreedSoon({ random: () => random, wait });

/** What is answered to each further question; the last one again and again. */
function answers(...all: (ShardVerdict | null)[]): { ask: () => Promise<ShardVerdict | null>; asked: () => number } {
  let asked = 0;
  return { asked: () => asked, ask: async () => all[Math.min(asked++, all.length - 1)] ?? null };
}

describe('a request that concurrency refuses', () => {
  const full = ceiling({ concurrency: 1 });

  test('is asked for again, three times at most and within 84 ms, and is admitted as soon as a place is free', async () => {
    for (const refusals of [0, 1, 2]) {
      const { ask, asked } = answers(...Array<ShardVerdict>(refusals).fill(refused(full)), ADMITTED);
      expect([await soon().verdict(refused(full), ask), asked()]).toEqual([ADMITTED, refusals + 1]);
    }
    const waits: number[] = [];
    const { ask, asked } = answers(refused(full));
    expect(await soon(async (ms) => waits.push(ms), 0.999).verdict(refused(full), ask)).toEqual(refused(full));
    expect([asked(), waits.reduce((sum, ms) => sum + ms) < 84]).toEqual([3, true]);
  });

  test('is refused at once when anything else refuses, or it never fits', async () => {
    const { ask, asked } = answers(ADMITTED);
    for (const verdict of [refused(full, 'requests_per_minute'), refused(full, 'tokens_per_day'), refused(ceiling({ concurrency: 0 }), 'concurrency', -1)]) expect(await soon().verdict(verdict, ask)).toBe(verdict);
    expect(asked()).toBe(0);
    const minute = refused(full, 'requests_per_minute', 30_000);
    expect(await soon().verdict(refused(full), answers(minute).ask)).toBe(minute);
  });

  test('stays refused when Redis falls silent meanwhile', async () => {
    const first = refused(full);
    expect(await soon().verdict(first, answers(null).ask)).toBe(first);
  });

  test('waits with no more of its limit than the limit has places, and with no more than 256; whoever left makes room', () => fc.assert(fc.asyncProperty(fc.array(fc.integer({ min: 1, max: 100 }), { minLength: 1, maxLength: 8 }), fc.integer({ min: 1, max: 150 }), async (limits, each) => {
    const over = Promise.withResolvers<void>();
    const freed = soon(() => over.promise);
    const ceilings = limits.map((concurrency) => ceiling({ concurrency }));
    const waits = ceilings.map((limit) => Array.from({ length: each }, () => {
      const { ask, asked } = answers(ADMITTED);
      return freed.verdict(refused(limit), ask).then(() => asked());
    }));
    over.resolve();
    const asked = await Promise.all(waits.map(async (all) => (await Promise.all(all)).reduce((sum, count) => sum + count, 0)));
    let room = 256;
    const expected = limits.map((limit) => {
      const waiting = Math.min(limit, 64, each, room);
      room -= waiting;
      return waiting;
    });
    expect(asked).toEqual(expected);
    expect(await freed.verdict(refused(ceilings[0]!), answers(ADMITTED).ask)).toBe(ADMITTED);
  })));
});

describe('in Redis', () => {
  let server: RedisProcess;
  beforeAll(async () => {
    server = await RedisProcess.start();
  });
  afterAll(() => server.stop());

  test.each([true, false])('a client whose last place is settled after its next request came is admitted, and each of its requests counts once (one Redis: %s)', async (merged) => {
    const at = new LimitStage(server, merged);
    const tenant = unique('t');
    const limits = [ceiling({ concurrency: 1, requests_per_minute: 100, tokens_per_minute: 1000 }, { tenant })];
    let last = await at.admitted(limits, { tokens: 10 });
    for (let i = 2; i <= 20; i++) {
      const charged = charge({ tokens: 10 });
      const reserve = (): Promise<Outcome> => at.reserve([{ name: tenant, ceilings: limits, budgets: [] }], charged);
      const { verdict: first } = await reserve();
      let next: Outcome | null = null;
      const verdict = await soon(() => at.settle(last, 10)).verdict(first as Refused, async () => (next = await reserve()).verdict);
      expect([first.kind, verdict]).toEqual(['refused', expect.objectContaining({ kind: 'admitted', ceilings: [expect.objectContaining({ used: { concurrency: 1, requests_per_minute: i, tokens_per_minute: 10 * i } })] })]);
      last = next!.held!;
    }
  });
});
