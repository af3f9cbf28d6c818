import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { BALANCED, curve, evenThresholds, figures, figuresByKind, isReached, STRICT, wordsThenLogit, type ScoredPair } from './evaluation.ts';

const pair = (change: Partial<ScoredPair>): ScoredPair => ({ a: 'a', b: 'b', same: true, kind: null, verdict: { decision: 'different', explanation: '' }, similarity: 0.9, logit: null, paraphrase: false, eligible: true, ...change });
const same = { decision: 'same', kind: 'surface', explanation: '' } as const;
const open = { decision: 'open', explanation: '' } as const;

// 4 the same, 2 different.
const SET = [
  pair({ verdict: same, kind: 'typo' }),
  pair({ verdict: same, kind: 'typo', eligible: false }),
  pair({ verdict: open, paraphrase: true, logit: 4 }),
  pair({ verdict: open, logit: 1, kind: 'synonym', similarity: 0.4 }),
  pair({ same: false, verdict: same, kind: 'number', similarity: 0.99 }),
  pair({ same: false, verdict: open, logit: 2, similarity: null }),
];

test('precision is of the served, recall of the same, the wrong rate of the different pairs', () => {
  expect(figures(SET, STRICT)).toEqual({ same: 4, different: 2, served_same: 2, served_different: 1, precision: 2 / 3, recall: 1 / 2, wrong_rate: 1 / 2 });
  expect(figures(SET, BALANCED)).toEqual({ same: 4, different: 2, served_same: 3, served_different: 1, precision: 3 / 4, recall: 3 / 4, wrong_rate: 1 / 2 });
  expect(figures(SET, (one) => isReached(one) && STRICT(one))).toMatchObject({ served_same: 1, served_different: 1 });
});

test('a share of nothing is unknown, and not 0', () => {
  expect(figures([], STRICT)).toEqual({ same: 0, different: 0, served_same: 0, served_different: 0, precision: null, recall: null, wrong_rate: null });
  expect(figures([pair({})], STRICT)).toMatchObject({ precision: null, recall: 0, wrong_rate: null });
});

test('kinds are counted apart, and what has none is in none', () => {
  expect(figuresByKind(SET, STRICT).map(({ kind, served_same, served_different }) => [kind, served_same, served_different])).toEqual([['number', 0, 1], ['synonym', 0, 0], ['typo', 2, 0]]);
});

test('what is not reached is what is ineligible, has no vector, or is too far away', () => {
  expect([pair({}), pair({ eligible: false }), pair({ similarity: null }), pair({ similarity: 0.49 }), pair({ similarity: 0.5 })].map(isReached)).toEqual([true, false, false, false, true]);
});

test('a threshold on the logit never takes away what words say', () => {
  expect(curve(SET, wordsThenLogit, [1, 3, 5]).map(({ recall, wrong_rate: wrong }) => [recall, wrong])).toEqual([[1, 1], [3 / 4, 1 / 2], [1 / 2, 1 / 2]]);
});

test('a higher threshold serves no more of the same pairs, and no more of the different ones', () => {
  const scored = fc.record({ same: fc.boolean(), kind: fc.constant(null), score: fc.option(fc.double({ min: -1, max: 1, noNaN: true })) });
  fc.assert(fc.property(fc.array(scored), fc.array(fc.double({ min: -1, max: 1, noNaN: true })), (pairs, thresholds) => {
    const points = curve(pairs, ({ score }) => score, thresholds.toSorted((x, y) => x - y));
    for (const [n, { recall, wrong_rate: wrong }] of points.entries()) {
      expect(recall ?? 0).toBeLessThanOrEqual(points[n - 1]?.recall ?? 1);
      expect(wrong ?? 0).toBeLessThanOrEqual(points[n - 1]?.wrong_rate ?? 1);
    }
  }));
});

test('thresholds ascend, are at most so many, and lie within the values', () => {
  fc.assert(fc.property(fc.array(fc.double({ min: -9, max: 9, noNaN: true })), fc.integer({ min: 1, max: 12 }), (values, most) => {
    const thresholds = evenThresholds(values, most);
    expect(thresholds.length).toBeLessThanOrEqual(most);
    expect(thresholds.every((one, n) => n === 0 || one > (thresholds[n - 1] ?? Infinity))).toBe(true);
    for (const one of thresholds) expect([one >= Math.min(...values) - 0.006, one <= Math.max(...values) + 0.006]).toEqual([true, true]);
  }));
});
