import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { HedgeShare } from './hedge.ts';

test('over any time, second calls are at most the share of the requests', () => {
  const steps = fc.array(fc.record({ afterMs: fc.nat(30_000), wants: fc.boolean() }), { maxLength: 300 });
  fc.assert(fc.property(steps, fc.constantFrom(0.01, 0.05, 0.125, 0.5, 1), (requests, maxShare) => {
    const share = new HedgeShare();
    let [nowMs, hedges] = [0, 0];
    for (const [i, { afterMs, wants }] of requests.entries()) {
      nowMs += afterMs;
      share.request('m', nowMs);
      if (wants && share.take('m', maxShare, nowMs)) hedges += 1;
      expect(hedges).toBeLessThanOrEqual(maxShare * (i + 1) + 1e-9);
    }
  }));
});

test('however seldom requests come, one in every 1 / share may have a second call', () => {
  const share = new HedgeShare();
  let hedges = 0;
  for (let i = 1; i <= 40; i++) {
    share.request('m', i * 3_600_000);
    if (share.take('m', 0.05, i * 3_600_000)) hedges += 1;
  }
  expect(hedges).toBe(2);
});

test('models have a share each, and names that clients made up do not pile up', () => {
  const share = new HedgeShare();
  share.request('a', 0);
  expect(share.take('b', 1, 0)).toBe(false);
  for (let i = 0; i < 5000; i++) share.request(`m${i}`, i);
  expect((share as unknown as { models: Map<string, unknown> }).models.size).toBeLessThanOrEqual(1000);
});
