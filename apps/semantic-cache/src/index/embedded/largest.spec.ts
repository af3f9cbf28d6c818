import fc from 'fast-check';
import { Largest } from './largest.ts';

test('the one with the most is one that nobody has more than, however sizes changed', () => {
  fc.assert(
    fc.property(fc.array(fc.record({ name: fc.constantFrom('a', 'b', 'c', 'd'), to: fc.nat(5) }), { maxLength: 60 }), (changes) => {
      const largest = new Largest<string>();
      const sizes = new Map<string, number>();
      for (const { name, to } of changes) {
        largest.resize(name, sizes.get(name) ?? 0, to);
        sizes.set(name, to);
        const most = Math.max(...sizes.values());
        expect(largest.one === null ? 0 : sizes.get(largest.one)).toBe(most);
      }
    }),
  );
});
