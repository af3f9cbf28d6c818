import fc from 'fast-check';
import { correctionOf, keptOf, type Patience, type Sample } from './correction.ts';

const patience: Patience = { recordedMs: 20_000, windowMs: 120_000 };
const ROUND_MS = 30_000;
const sample = (atMs: number, ledger: number, redis: number): Sample => ({ atMs, ledger: BigInt(ledger), redis: BigInt(redis) });

/** One round after the other, as the reconciler goes on. */
function reconcile(samples: Sample[], next: Sample): { samples: Sample[]; correction: bigint } {
  const all = [...samples, next];
  const correction = correctionOf(all, patience);
  return { correction, samples: correction === 0n ? keptOf(all, patience) : [] };
}

test('less than the ledger has is raised at once', () => {
  expect(correctionOf([sample(0, 50, 20)], patience)).toBe(30n);
  expect(correctionOf([sample(0, 50, 60), sample(30_000, 70, 60)], patience)).toBe(10n);
});

test('as much as the ledger has is right, and so is more for a while', () => {
  expect(correctionOf([], patience)).toBe(0n);
  expect(correctionOf([sample(0, 50, 50)], patience)).toBe(0n);
  expect(correctionOf([0, 1, 2, 3].map((i) => sample(i * ROUND_MS, 50, 60)), patience)).toBe(0n);
});

test('an excess that stays is taken off after two minutes, whole', () => {
  expect(correctionOf([0, 1, 2, 3, 4].map((i) => sample(i * ROUND_MS, 50, 60)), patience)).toBe(-10n);
});

test('what a dead gateway had settled waits for its record and is not taken off', () => {
  // 10 were settled at 0 and come into the ledger at 95 s.
  expect(correctionOf([0, 1, 2, 3, 4, 5].map((i) => sample(i * ROUND_MS, i * ROUND_MS < 95_000 ? 50 : 60, 60)), patience)).toBe(0n);
});

test('what is always on its way is no excess', () => {
  // 5 each round, of which the last 2 are not recorded yet.
  expect(correctionOf([0, 1, 2, 3, 4, 5].map((i) => sample(i * ROUND_MS, 5 * i, 5 * i + 2)), patience)).toBe(0n);
});

test('rounds in quick succession take nothing for recorded that cannot be', () => {
  const flurry = [0, 1, 2, 3, 4].map((i) => sample(i * ROUND_MS, 50, 60)).concat(sample(120_001, 50, 90), sample(120_002, 50, 90));
  expect(correctionOf(flurry, patience)).toBe(-10n);
});

test('no more is kept than the window needs', () => {
  const samples = Array.from({ length: 20 }, (_, i) => sample(i * ROUND_MS, 0, 0));
  expect(keptOf(samples, patience).map(({ atMs }) => atMs)).toEqual([450_000, 480_000, 510_000, 540_000, 570_000]);
  expect(keptOf([], patience)).toEqual([]);
});

describe('whatever is spent, as long as it is recorded in time', () => {
  interface Spending { atMs: number; takesMs: number; amount: number }
  const spendings = fc.array(fc.record({ atMs: fc.integer({ min: 0, max: 900_000 }), takesMs: fc.integer({ min: 0, max: 19_000 }), amount: fc.integer({ min: 0, max: 1000 }) }), { maxLength: 60 });
  const sum = (of: Spending[]): number => of.reduce((total, { amount }) => total + amount, 0);
  const settledBy = (of: Spending[], atMs: number): number => sum(of.filter((one) => one.atMs <= atMs));
  const recordedBy = (of: Spending[], atMs: number): number => sum(of.filter((one) => one.atMs + one.takesMs <= atMs));

  function* rounds(of: Spending[], drift: number): Generator<{ redis: bigint; truth: bigint; ledger: bigint }> {
    let corrected = BigInt(drift);
    let samples: Sample[] = [];
    // Two windows of quiet at the end.
    for (let atMs = ROUND_MS; atMs <= 900_000 + 20_000 + 3 * patience.windowMs; atMs += ROUND_MS) {
      const [ledger, truth] = [BigInt(recordedBy(of, atMs)), BigInt(settledBy(of, atMs))];
      const round = reconcile(samples, { atMs, ledger, redis: truth + corrected });
      corrected += round.correction;
      ({ samples } = round);
      yield { redis: truth + corrected, truth, ledger };
    }
  }

  test('Redis ends at the truth, whichever way it had drifted, and is at no round below the ledger', () => {
    fc.assert(fc.property(spendings, fc.integer({ min: -5000, max: 5000 }), (of, drift) => {
      const all = [...rounds(of, drift)];
      for (const { redis, ledger } of all) expect(redis).toBeGreaterThanOrEqual(ledger);
      expect(all.at(-1)?.redis).toBe(BigInt(sum(of)));
    }));
  });

  test('no correction takes off what was spent', () => {
    fc.assert(fc.property(spendings, fc.integer({ min: 0, max: 5000 }), (of, drift) => {
      for (const { redis, truth } of rounds(of, drift)) expect(redis).toBeGreaterThanOrEqual(truth);
    }));
  });
});
