import { expect, test } from '@jest/globals';
import type { MemorySample } from './evidence.ts';
import { growing, memoryOf } from './memory.ts';

const life = (minutes: number, of: MemorySample['of'], mibAt: (minute: number) => number): MemorySample[] =>
  Array.from({ length: minutes * 12 + 1 }, (_, i) => ({ process: 'gateway-1', pid: 7, atMs: i * 5000, of, mib: mibAt(i / 12) }));

test('memory that rises and then stays is flat, one that goes on rising is not, and of a short life nothing is said', () => {
  const flat = memoryOf([...life(20, 'resident', (minute) => 100 + 80 * Math.min(1, minute / 5) + (minute % 1) * 10), ...life(20, 'live', () => 50)]);
  expect(flat).toMatchObject([{ process: 'gateway-1', resident: { isFlat: true }, live: { isFlat: true } }]);
  expect(growing(flat)).toEqual([]);
  expect(memoryOf(life(20, 'resident', (minute) => 100 + 10 * minute))).toMatchObject([{ resident: { isFlat: false } }]);
  expect(memoryOf(life(5, 'resident', (minute) => 100 + 10 * minute))).toEqual([]);
});

test('what is live and goes on growing is told of, however little it is of all', () => {
  const leaking = memoryOf([...life(20, 'resident', () => 300), ...life(20, 'live', (minute) => 30 + 2 * minute)]);
  expect(growing(leaking)).toEqual(['live memory of gateway-1: 50 MiB after 10.0 minutes, 70 after 20.0']);
});

test('of a process that could not be looked into it is not said that it is flat', () => {
  expect(growing(memoryOf(life(20, 'resident', () => 300)))).toEqual(['live memory of gateway-1 could not be looked at often enough']);
});
