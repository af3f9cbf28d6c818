import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { InFlightMap } from './in-flight-map.ts';
import { InFlightSet } from './in-flight-set.ts';

test('a map of what is in flight answers as a Map does, whatever is done to it', () => {
  const step = fc.oneof(
    fc.record({ what: fc.constant('set' as const), key: fc.nat(5), value: fc.option(fc.nat(), { nil: undefined }) }),
    fc.record({ what: fc.constantFrom('get' as const, 'has' as const, 'delete' as const), key: fc.nat(5) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const ours = new InFlightMap<number, number | undefined>();
      const plain = new Map<number, number | undefined>();
      for (const one of steps) {
        const done = (map: Pick<Map<number, number | undefined>, 'get' | 'has' | 'delete'> & { set: (key: number, value: number | undefined) => unknown }): unknown => {
          if (one.what === 'set') return void map.set(one.key, one.value);
          return map[one.what](one.key);
        };
        expect(done(ours)).toEqual(done(plain));
        expect([[...ours], [...ours.keys()], [...ours.values()], ours.size]).toEqual([[...plain], [...plain.keys()], [...plain.values()], plain.size]);
      }
    }),
  );
});

test('what is deleted while somebody walks through the map is passed over, and what is added then comes too', () => {
  const map = new InFlightMap<string, number>().set('a', 1).set('b', 2).set('c', 3);
  const seen: number[] = [];
  for (const [key, value] of map) {
    seen.push(value);
    if (key === 'a') {
      map.delete('b');
      map.set('d', 4);
    }
  }
  expect(seen).toEqual([1, 3, 4]);
});

test('a set has its members in the order in which they came, each until it leaves, and leaving twice is leaving once', () => {
  const set = new InFlightSet<string>();
  const [leaveA, , leaveC] = ['a', 'b', 'c', 'a'].map((member) => set.add(member));
  leaveA?.();
  leaveA?.();
  leaveC?.();
  expect([...set]).toEqual(['b', 'a']);
});
