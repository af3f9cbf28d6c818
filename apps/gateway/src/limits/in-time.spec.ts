import { expect, test } from '@jest/globals';
import { inTime } from './in-time.ts';

test('what is there in time is given, and what failed is nothing', async () => {
  const late: unknown[] = [];
  expect(await inTime(Promise.resolve(1), 50, (value) => late.push(value))).toBe(1);
  expect(await inTime(Promise.reject(new Error('away')), 50, (value) => late.push(value))).toBeNull();
  expect(late).toEqual([]);
});

test('what comes later is handed over, once', async () => {
  const { promise, resolve } = Promise.withResolvers<string>();
  const late = Promise.withResolvers<string | null>();
  expect(await inTime(promise, 1, late.resolve)).toBeNull();
  resolve('at last');
  expect(await late.promise).toBe('at last');
});

test('what fails later is handed over as nothing', async () => {
  const { promise, reject } = Promise.withResolvers<string>();
  const late = Promise.withResolvers<string | null>();
  expect(await inTime(promise, 1, late.resolve)).toBeNull();
  reject(new Error('away'));
  expect(await late.promise).toBeNull();
});

test('an answer that was there while this process was busy counts as in time', async () => {
  const answered = new Promise<string>((resolve) => setImmediate(() => resolve('there')));
  const decision = inTime(answered, 1, () => undefined);
  const untilMs = performance.now() + 5;
  while (performance.now() < untilMs) ; // the deadline passes before the event loop turns
  expect(await decision).toBe('there');
});

/** Keeps the event loop busy, turn after turn, until `isOver` says so. */
function crowd(isOver: (turns: number) => boolean, turns = 0): void {
  const untilMs = performance.now() + 45;
  while (performance.now() < untilMs) ; // far longer than a step of the deadline
  if (!isOver(turns)) setImmediate(() => crowd(isOver, turns + 1));
}

test('an answer that comes after many busy turns counts as in time: whoever gives it was kept waiting, too', async () => {
  const { promise, resolve } = Promise.withResolvers<string>();
  const decision = inTime(promise, 100, () => undefined);
  crowd((turns) => {
    if (turns < 10) return false;
    resolve('there');
    return true;
  });
  expect(await decision).toBe('there');
});

test('a process that never comes to rest decides all the same', async () => {
  let isOver = false;
  const decision = inTime(new Promise<string>(() => undefined), 10, () => undefined);
  crowd(() => isOver);
  expect(await decision).toBeNull();
  isOver = true;
});
