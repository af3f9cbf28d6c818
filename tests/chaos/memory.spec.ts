import { expect, test } from '@jest/globals';
import { memoryOf } from './memory.ts';

const life = (minutes: number, mibAt: (minute: number) => number) => Array.from({ length: minutes * 12 + 1 }, (_, i) => ({ process: 'gateway-1', pid: 7, atMs: i * 5000, mib: mibAt(i / 12) }));

test('memory that rises and then stays is flat, one that goes on rising is not, and of a short life nothing is said', () => {
  expect(memoryOf(life(20, (minute) => 100 + 80 * Math.min(1, minute / 5) + (minute % 1) * 10))).toMatchObject([{ process: 'gateway-1', isFlat: true }]);
  expect(memoryOf(life(20, (minute) => 100 + 10 * minute))).toMatchObject([{ isFlat: false }]);
  expect(memoryOf(life(5, (minute) => 100 + 10 * minute))).toEqual([]);
});
