import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { ExpiringMap } from './expiring-map.ts';

test('nothing is kept longer than its time, however often it is read, and the oldest makes room', () => {
  const steps = fc.array(fc.record({ key: fc.integer({ min: 0, max: 5 }), afterMs: fc.integer({ min: 0, max: 40 }), set: fc.boolean() }));
  fc.assert(fc.property(steps, (list) => {
    const map = new ExpiringMap<number, number>(100);
    const setAt = new Map<number, number>();
    let nowMs = 0;
    for (const { key, afterMs, set } of list) {
      nowMs += afterMs;
      map.trim(nowMs, 3, (gone) => setAt.delete(gone));
      if (set) {
        map.set(key, nowMs, nowMs);
        setAt.set(key, nowMs);
      }
      const at = setAt.get(key);
      expect(map.get(key, nowMs)).toBe(at !== undefined && at + 100 > nowMs ? at : undefined);
      expect(map.size).toBeLessThanOrEqual(4);
    }
  }));
});
