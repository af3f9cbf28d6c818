import fc from 'fast-check';
import { isCounted, verdictOf } from './verdict.ts';

const nothing = { seenMissing: 0, seenSurplus: 0 };
const facts = { accepted: 10, recorded: 10, onTheWay: 0, isCounted: true, before: nothing };

test('what was accepted and is in the ledger is no difference', () => {
  expect(verdictOf(facts)).toEqual({ onTheWay: 0, unsure: 0, seenMissing: 0, seenSurplus: 0, missing: 0, surplus: 0 });
});

test('what is on the way is not missing, and where nobody knows how much that is, nothing is', () => {
  expect(verdictOf({ ...facts, recorded: 6, onTheWay: 9 })).toMatchObject({ onTheWay: 4, seenMissing: 0 });
  expect(verdictOf({ ...facts, recorded: 6, onTheWay: null })).toMatchObject({ onTheWay: 4, seenMissing: 0 });
  expect(verdictOf({ ...facts, recorded: 6, onTheWay: 1 })).toMatchObject({ onTheWay: 1, seenMissing: 3, missing: 0 });
});

test('a difference counts when it was seen twice in a row', () => {
  const first = verdictOf({ ...facts, recorded: 7 });
  expect([first.missing, verdictOf({ ...facts, recorded: 7, before: first }).missing, verdictOf({ ...facts, recorded: 9, before: first }).missing]).toEqual([0, 3, 1]);
  const over = verdictOf({ ...facts, recorded: 12 });
  expect([over.surplus, verdictOf({ ...facts, recorded: 12, before: over }).surplus]).toEqual([0, 2]);
});

test('what a gateway recorded that does not count is no surplus', () => {
  expect(verdictOf({ ...facts, recorded: 15, isCounted: false, before: { seenMissing: 0, seenSurplus: 9 } })).toMatchObject({ unsure: 5, surplus: 0, seenSurplus: 0 });
  const quarter = { atMs: 1000, watchedFromMs: 1000, uncounted: false };
  expect([isCounted(quarter), isCounted({ ...quarter, uncounted: true }), isCounted({ ...quarter, watchedFromMs: null }), isCounted({ ...quarter, watchedFromMs: 200_000 })]).toEqual([true, false, false, false]);
});

test('everything accepted is recorded, on the way or missing, and everything recorded accepted, unsure or surplus', () => {
  const count = fc.nat(1000);
  fc.assert(fc.property(count, count, fc.option(count), fc.boolean(), count, (accepted, recorded, onTheWay, counted, was) => {
    const verdict = verdictOf({ accepted, recorded, onTheWay, isCounted: counted, before: { seenMissing: was, seenSurplus: was } });
    expect(accepted + verdict.unsure + verdict.seenSurplus).toBe(recorded + verdict.onTheWay + verdict.seenMissing);
    expect(Math.min(...Object.values(verdict))).toBeGreaterThanOrEqual(0);
    expect(verdict.missing).toBeLessThanOrEqual(Math.min(was, verdict.seenMissing));
  }));
});
