import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { failsAlone, failuresAreOfCredentials, usesAfter, type Uses } from './uses.ts';

const NOW = 1_000_000_000;
const WINDOW_MS = 10_000;

type Call = [key: string, failed: boolean, endedMs: number];
const after = (calls: Call[]): Uses => calls.reduce<Uses>((uses, [key, failed, endedMs]) => usesAfter(uses, key, { endedMs, failed }, endedMs - WINDOW_MS), {});

test('a credential fails alone while another one has had an answer and it has not', () => {
  expect(failsAlone(after([['a', true, NOW], ['b', false, NOW]]), 'a', NOW)).toBe(true);
  expect(failsAlone(after([['a', true, NOW], ['b', true, NOW]]), 'a', NOW)).toBe(false);
  expect(failsAlone(after([['a', false, NOW], ['b', false, NOW], ['a', true, NOW]]), 'a', NOW)).toBe(false);
  expect(failsAlone(after([['a', false, NOW], ['b', false, NOW + 20], ['a', true, NOW + 21]]), 'a', NOW + 11)).toBe(true);
});

test('whatever calls there were, failures are of credentials exactly when each that failed had no answer, and another one had', () => {
  const calls = fc.array(fc.tuple(fc.constantFrom('a', 'b', 'c'), fc.boolean(), fc.integer({ min: NOW, max: NOW + 20_000 })), { maxLength: 40 }).map((list) => list.toSorted((x, y) => x[2] - y[2]));
  fc.assert(fc.property(calls, (list: Call[]) => {
    const fromMs = (list.at(-1)?.[2] ?? NOW) - WINDOW_MS;
    const within = list.filter(([, , endedMs]) => endedMs >= fromMs);
    const failed = new Set(within.filter(([, isFailure]) => isFailure).map(([key]) => key));
    const answered = new Set(within.filter(([, isFailure]) => !isFailure).map(([key]) => key));
    expect(failuresAreOfCredentials(after(list), fromMs)).toBe(failed.size === 0 || (answered.size > 0 && [...failed].every((key) => !answered.has(key))));
  }));
});
