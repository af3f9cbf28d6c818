import fc from 'fast-check';
import { Buddies, LARGEST_BLOCK } from './buddies.ts';

const sizes = Array.from({ length: 11 }, (_, order) => 2 ** order);

test('no unit is in two blocks, each block lies within one extension, and all that comes back can be had in one piece', () => {
  fc.assert(
    fc.property(fc.array(fc.oneof(fc.record({ take: fc.constantFrom(...sizes) }), fc.record({ giveBack: fc.nat() })), { maxLength: 200 }), (steps) => {
      let extensions = 0;
      const room = new Buddies(() => void extensions++);
      const taken: { at: number; units: number }[] = [];
      for (const one of steps) {
        if ('take' in one) taken.push({ at: room.take(one.take), units: one.take });
        else for (const { at, units } of taken.splice(one.giveBack % (taken.length + 1), 1)) room.giveBack(at, units);
        const inOrder = taken.toSorted((a, b) => a.at - b.at);
        expect(inOrder.every(({ at }, n) => n === 0 || inOrder[n - 1]!.at + inOrder[n - 1]!.units <= at)).toBe(true);
        expect(taken.every(({ at, units }) => Math.floor(at / LARGEST_BLOCK) === Math.floor((at + units - 1) / LARGEST_BLOCK))).toBe(true);
        expect(room.size).toBe(extensions * LARGEST_BLOCK);
      }
      for (const { at, units } of taken) room.giveBack(at, units);
      const before = extensions;
      for (let n = 0; n < before; n++) room.take(LARGEST_BLOCK);
      expect(extensions).toBe(before);
    }),
  );
});

test('the area grows only where no free block is large enough', () => {
  let extensions = 0;
  const room = new Buddies(() => void extensions++);
  const small = Array.from({ length: LARGEST_BLOCK }, () => room.take(1));
  expect(extensions).toBe(1);
  for (const at of small.filter((unit) => unit % 2 === 0)) room.giveBack(at, 1);
  room.take(2);
  expect(extensions).toBe(2);
});

test('where there is no room, nothing was taken', () => {
  let isFull = false;
  const room = new Buddies(() => {
    if (isFull) throw new RangeError('full');
  });
  room.take(LARGEST_BLOCK);
  isFull = true;
  expect(() => room.take(1)).toThrow(RangeError);
  isFull = false;
  expect(room.take(1)).toBe(LARGEST_BLOCK);
});
