import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { afterLook, arriving, isTooSlow, PATIENCE } from './client-progress.ts';

const LOOK_MS = 5000;

/** When a body that comes with so many bytes between two looks is given up, milliseconds; null: never within an hour. */
function givenUpMs(bytesBetweenLooks: (look: number) => number, isHeldUp: (look: number) => boolean = () => false): number | null {
  let bytes = 0;
  let body = arriving({ atMs: 0, bytes });
  for (let look = 1; look <= 720; look++) {
    const atMs = look * LOOK_MS;
    bytes += bytesBetweenLooks(look);
    body = afterLook(body, { atMs, bytes }, isHeldUp(look));
    if (isTooSlow(body, atMs, PATIENCE)) return atMs;
  }
  return null;
}

describe('a body that is waited for', () => {
  test('is given up when nothing comes for half a minute, also after a quick beginning', () => {
    expect(givenUpMs(() => 0)).toBe(30_000);
    expect(givenUpMs((look) => (look < 10 ? 1e6 : 0))).toBe(9 * LOOK_MS + 30_000);
  });

  test('is given up within about a minute when it drips, however steadily', () => {
    expect(givenUpMs(() => 1)).toBe(60_000);
    fc.assert(fc.property(fc.array(fc.integer({ min: 0, max: 2400 }), { minLength: 1, maxLength: 50 }), (sizes) => {
      expect(givenUpMs((look) => sizes[look % sizes.length] ?? 0)).toBeLessThanOrEqual(60_000 + 0);
    }));
  });

  test('is waited for as long as it comes at the least rate or faster, and pauses for less than half a minute', () => {
    fc.assert(fc.property(fc.integer({ min: 2500, max: 1e9 }), fc.integer({ min: 1, max: 5 }), (bytes, every) => {
      expect(givenUpMs((look) => (look % every === 0 ? bytes * every * 2 : 0))).toBeNull();
    }));
  });

  test('is not the client’s fault while nobody here reads what has come', () => {
    expect(givenUpMs(() => 0, () => true)).toBeNull();
    expect(givenUpMs(() => 0, (look) => look <= 100)).toBe(100 * LOOK_MS + 30_000);
  });
});
