import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { averageMs, latencyAfter, shownAgain, type Latency } from './latency.ts';

const NOW = 1_000_000;

const of = (samples: [ms: number, atMs: number][]): Latency | null => samples.reduce<Latency | null>((latency, [ms, atMs]) => latencyAfter(latency, ms, atMs), null);

test('the average of latencies lies among the samples, and is the same in whichever order they are heard of', () => {
  const samples = fc.array(fc.tuple(fc.integer({ min: 1, max: 100_000 }), fc.integer({ min: NOW, max: NOW + 600_000 })), { minLength: 1, maxLength: 50 });
  const shuffled = samples.chain((list) => fc.tuple(fc.constant(list), fc.shuffledSubarray(list, { minLength: list.length })));
  fc.assert(fc.property(shuffled, ([list, otherwise]) => {
    const average = averageMs(of(list)!);
    expect(average).toBeGreaterThanOrEqual(Math.min(...list.map(([ms]) => ms)) - 1e-6);
    expect(average).toBeLessThanOrEqual(Math.max(...list.map(([ms]) => ms)) + 1e-6);
    expect(averageMs(of(otherwise)!)).toBeCloseTo(average, 3);
  }));
});

test('a deployment that has become slow looks slow within half a minute, also after a day of silence', () => {
  const fast = Array.from({ length: 300 }, (_, i): [number, number] => [100, NOW + i * 100]);
  const slow = Array.from({ length: 300 }, (_, i): [number, number] => [1000, NOW + 30_000 + i * 100]);
  expect(averageMs(of([...fast, ...slow])!)).toBeGreaterThan(650);
  expect(averageMs(of([...fast, [1000, NOW + 86_400_000]])!)).toBeCloseTo(1000);
});

test('gateways are told of latencies in two digits, and again only when they moved by more than a fifth', () => {
  const first = shownAgain(of([[1234, NOW]])!);
  expect(first.shownMs).toBe(1200);
  const little = latencyAfter(first, 1400, NOW + 10_000_000);
  expect(shownAgain(little)).toBe(little);
  expect(shownAgain(latencyAfter(first, 1500, NOW + 10_000_000)).shownMs).toBe(1500);
  expect(shownAgain(latencyAfter(first, 900, NOW + 10_000_000)).shownMs).toBe(900);
});
