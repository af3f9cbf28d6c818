import fc from 'fast-check';
import { expect, test } from '@jest/globals';
import { Batcher } from './batcher.ts';

test('whatever comes when, each item is sent once, in its order, with no more than the most, and is told of its own place', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat(3), { maxLength: 60 }), fc.integer({ min: 1, max: 7 }), fc.constantFrom(0, 1, 5), async (turns, most, everyMs) => {
      const sent: number[][] = [];
      const batcher = new Batcher<number, number>({ send: async (items) => sent.push([...items]) - 1, everyMs, most });
      const told: Promise<{ reply: number; place: number }>[] = [];
      for (const [item, turn] of turns.entries()) {
        told.push(batcher.add(item));
        if (turn === 0) await new Promise(setImmediate);
      }
      const places = await Promise.all(told);
      expect(sent.flat()).toEqual(turns.map((_, item) => item));
      expect(sent.every(({ length }) => length > 0 && length <= most)).toBe(true);
      expect(places.map(({ reply, place }) => sent[reply]?.[place])).toEqual(turns.map((_, item) => item));
    }),
    { numRuns: 40 },
  );
});

test('what comes while nothing is going on is sent within its turn, and what comes in that turn goes with it', async () => {
  const sent: string[][] = [];
  const batcher = new Batcher<string, void>({ send: async (items) => void sent.push([...items]), everyMs: 60_000, most: 10 });
  await Promise.all([batcher.add('a'), batcher.add('b')]);
  expect(sent).toEqual([['a', 'b']]);
});

test('what waits for its time is sent at once when it is asked to be', async () => {
  const sent: string[][] = [];
  const batcher = new Batcher<string, void>({ send: async (items) => void sent.push([...items]), everyMs: 60_000, most: 10 });
  await batcher.add('a');
  const others = [batcher.add('b'), batcher.add('c')];
  await batcher.flush();
  await Promise.all(others);
  expect(sent).toEqual([['a'], ['b', 'c']]);
});

test('a failure is that of the items that went together, and of no others', async () => {
  const batcher = new Batcher<string, string>({ send: (items) => (items.includes('bad') ? Promise.reject(new Error('refused')) : Promise.resolve('sent')), everyMs: 0, most: 2 });
  const [one, bad, alone] = await Promise.allSettled([batcher.add('one'), batcher.add('bad'), batcher.add('alone')]);
  expect([one?.status, bad?.status]).toEqual(['rejected', 'rejected']);
  expect(alone).toEqual({ status: 'fulfilled', value: { reply: 'sent', place: 0 } });
});
