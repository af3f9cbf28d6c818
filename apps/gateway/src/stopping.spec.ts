import { EventEmitter } from 'node:events';
import { expect, test } from '@jest/globals';
import { Stopping, type StopSignal } from './stopping.ts';

/** A stop whose delay is over when the test says so, and how many milliseconds it was to take. */
function stopping(delayMs: number): { stop: Stopping; waits: number[]; timeIsUp: () => void } {
  const waits: number[] = [];
  const time = Promise.withResolvers<void>();
  const wait = (ms: number, signal: AbortSignal): Promise<unknown> => {
    waits.push(ms);
    signal.addEventListener('abort', () => time.reject(signal.reason as Error), { once: true });
    return time.promise;
  };
  return { stop: new Stopping({ delayMs, wait, logger: { info: () => undefined } }), waits, timeIsUp: time.resolve };
}

const isDue = (stop: Stopping): Promise<boolean> => Promise.race([stop.isDue.then(() => true), new Promise<false>((resolve) => void setImmediate(() => resolve(false)))]);

test('after SIGTERM readiness is off at once, and everything is served until the delay is over', async () => {
  const { stop, waits, timeIsUp } = stopping(5000);
  expect(stop.isDraining).toBe(false);
  stop.receive('SIGTERM');
  expect([stop.isDraining, await isDue(stop), waits]).toEqual([true, false, [5000]]);
  timeIsUp();
  await stop.isDue;
});

test('a second signal ends the delay, a third changes nothing', async () => {
  for (const second of ['SIGTERM', 'SIGINT'] as const) {
    const { stop } = stopping(3_600_000);
    stop.receive('SIGTERM');
    expect(await isDue(stop)).toBe(false);
    stop.receive(second);
    stop.receive('SIGTERM');
    await stop.isDue;
  }
});

test.each<[StopSignal, number]>([['SIGINT', 3_600_000], ['SIGTERM', 0], ['SIGINT', 0]])('there is no delay after %s with one of %d ms', async (signal, delayMs) => {
  const { stop, waits } = stopping(delayMs);
  stop.receive(signal);
  await Promise.all([stop.hasBegun, stop.isDue]);
  expect([stop.isDraining, waits]).toEqual([true, []]);
});

test('signals of the process are heeded, and real time is waited for', async () => {
  const process = new EventEmitter();
  const stop = new Stopping({ delayMs: 1, logger: { info: () => undefined } });
  stop.heed(process);
  process.emit('SIGTERM');
  await stop.hasBegun;
  await stop.isDue;
  expect(stop.isDraining).toBe(true);
});
