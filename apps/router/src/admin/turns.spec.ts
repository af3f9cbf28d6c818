import { expect, test } from '@jest/globals';
import { Turns } from './turns.ts';

test('so many go on at once and no more, first come first served, and one that fails gives its turn on', async () => {
  const turns = new Turns(2);
  const begun: number[] = [];
  const gates = Array.from({ length: 5 }, () => Promise.withResolvers<number>());
  const done = gates.map(({ promise }, n) => turns.take(() => {
    begun.push(n);
    return promise;
  }).catch(() => -1));
  const settled = async (n: number): Promise<number[]> => {
    await done[n];
    return [...begun];
  };
  expect(begun).toEqual([0, 1]);
  gates[1]!.reject(new Error('planted'));
  expect(await settled(1)).toEqual([0, 1, 2]);
  gates[0]!.resolve(0);
  expect(await settled(0)).toEqual([0, 1, 2, 3]);
  for (const gate of gates) gate.resolve(7);
  expect(await Promise.all(done)).toEqual([0, -1, 7, 7, 7]);
  expect(begun).toEqual([0, 1, 2, 3, 4]);
});
