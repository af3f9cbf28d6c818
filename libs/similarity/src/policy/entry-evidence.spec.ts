import fc from 'fast-check';
import { EntryEvidence } from './entry-evidence.ts';

const KIND = { wrong: 0.006, mean: 0.001 };
const DAY_MS = 86_400_000;
const outcome = fc.record({ similarity: fc.integer({ min: 500, max: 1000 }).map((n) => n / 1000), wrong: fc.integer({ min: 0, max: 9 }).map((n) => n === 0), atMs: fc.nat(1000) });
const outcomes = fc.array(outcome, { maxLength: 40 });

function evidence(...all: { similarity: number; wrong: boolean; atMs?: number }[]): EntryEvidence {
  const entry = new EntryEvidence(30);
  for (const { similarity, wrong, atMs = 0 } of all) entry.add({ similarity, wrong, atMs });
  return entry;
}

const right = (times: number, similarity: number): { similarity: number; wrong: boolean }[] => Array.from({ length: times }, () => ({ similarity, wrong: false }));

test('one wrong answer takes an entry out for questions that are as near or farther', () => {
  fc.assert(fc.property(fc.double({ min: 0.5, max: 1, noNaN: true }), fc.double({ min: 0, max: 1, noNaN: true }), (similarity, nearness) => {
    expect(evidence({ similarity, wrong: true }).risk(similarity * nearness, KIND, 0).wrong).toBeGreaterThan(0.5);
  }));
});

test('a few right answers do not make it good again, forgetting does', () => {
  const entry = evidence({ similarity: 0.9, wrong: true }, ...right(10, 0.9));
  expect(entry.risk(0.9, KIND, 0).wrong).toBeGreaterThan(0.2);
  expect(entry.risk(0.9, KIND, 121 * DAY_MS)).toEqual(KIND);
});

test('an entry is believed more than its kind only after plenty of right answers, and never below the lowest similarity that was right', () => {
  const risky = { wrong: 0.3, mean: 0.1 };
  expect(evidence(...right(19, 0.9)).risk(0.95, risky, 0)).toEqual(risky);
  const sure = evidence(...right(60, 0.9));
  expect(sure.risk(0.95, risky, 0).wrong).toBeLessThan(0.04);
  expect(sure.risk(0.85, risky, 0)).toEqual(risky);
});

test('what was wrong far below is less of a danger far above, where much was right', () => {
  const entry = evidence({ similarity: 0.6, wrong: true }, ...right(60, 0.95));
  expect(entry.risk(0.99, KIND, 0).wrong).toBeLessThan(0.2);
  expect(entry.risk(0.8, KIND, 0).wrong).toBe(1);
});

test('one more wrong outcome never lowers the risk, wherever it is', () => {
  fc.assert(fc.property(outcomes, outcome, fc.double({ min: 0.5, max: 1, noNaN: true }), (all, extra, similarity) => {
    const entry = evidence(...all);
    const before = entry.risk(similarity, KIND, 1000);
    entry.add({ ...extra, wrong: true });
    const after = entry.risk(similarity, KIND, 1000);
    expect(after.wrong).toBeGreaterThanOrEqual(before.wrong);
    expect(after.mean).toBeGreaterThanOrEqual(before.mean);
  }));
});

test('the order in which outcomes come does not matter, and no more than 64 are kept', () => {
  fc.assert(fc.property(fc.array(outcome, { minLength: 50, maxLength: 100 }).chain((all) => fc.tuple(fc.constant(all), fc.shuffledSubarray(all, { minLength: all.length }))), ([all, shuffled]) => {
    const [first, second] = [evidence(...all), evidence(...shuffled)];
    expect(first.risk(0.9, KIND, 1000).wrong).toBeCloseTo(second.risk(0.9, KIND, 1000).wrong, 9);
    expect(first.size).toBeLessThanOrEqual(64);
  }), { numRuns: 30 });
});
