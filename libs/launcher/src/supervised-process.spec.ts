import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { poll } from './poll.ts';
import { backoffMs, SupervisedProcess, type ProcessEnd, type ProcessSpec } from './supervised-process.ts';

const DEADLINE_MS = 10_000;
const QUICK = { firstMs: 5, maxMs: 20, forgetAfterMs: 60_000 };
const SLEEPER = 'setInterval(() => {}, 1000); console.log("up")';

function node(script: string, more: Partial<ProcessSpec> = {}): { process: SupervisedProcess; lines: string[]; ends: ProcessEnd[]; waits: (number | null)[] } {
  const lines: string[] = [];
  const ends: ProcessEnd[] = [];
  const waits: (number | null)[] = [];
  const supervised = new SupervisedProcess({
    name: 'child',
    command: process.execPath,
    args: ['-e', script],
    backoff: QUICK,
    onLine: (line) => lines.push(line),
    onDeath: (end, again) => {
      ends.push(end);
      waits.push(again === null ? null : again.inMs);
    },
    ...more,
  });
  return { process: supervised, lines, ends, waits };
}

async function until(condition: () => boolean): Promise<void> {
  expect(await poll(() => (condition() ? true : null), { deadlineMs: DEADLINE_MS })).toBe(true);
}

test('a child that is killed comes back under another process id', async () => {
  const { process: child, lines } = node(SLEEPER);
  await child.start();
  await until(() => lines.length === 1);
  const first = child.pid;
  expect(child.kill('SIGKILL')).toBe(true);
  await until(() => lines.length === 2);
  expect(child.pid).not.toBe(first);
  await child.stop(DEADLINE_MS);
  expect(child.pid).toBeNull();
});

test('a child that keeps dying is started again after longer and longer waits, and its last words are kept', async () => {
  const { process: child, ends, waits } = node('console.error("no luck"); process.exit(3)');
  await child.start();
  await until(() => waits.length >= 5);
  await child.stop(DEADLINE_MS);
  expect(waits.slice(0, 5)).toEqual([5, 10, 20, 20, 20]);
  expect(ends[0]).toEqual({ code: 3, signal: null, lastWords: ['no luck'] });
});

test('a wait grows with every quick death, never beyond its ceiling', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 100_000 }), fc.integer({ min: 1, max: 1_000 }), fc.integer({ min: 1_000, max: 60_000 }), (deaths, firstMs, maxMs) => {
      const wait = backoffMs(deaths, { firstMs, maxMs, forgetAfterMs: 0 });
      expect(wait).toBeLessThanOrEqual(maxMs);
      expect(wait).toBeGreaterThanOrEqual(backoffMs(Math.max(1, deaths - 1), { firstMs, maxMs, forgetAfterMs: 0 }));
    }),
  );
});

test('a death that is final is told, and nothing is started again', async () => {
  const { process: child, ends, waits } = node('process.exit(1)', { mayRestart: (end) => end.signal !== null });
  await child.start();
  await until(() => ends.length === 1);
  expect(waits).toEqual([null]);
  expect(child.wanted).toBe(false);
});

test('a child that does not heed the request to stop is killed after its grace', async () => {
  const { process: child, lines, ends } = node(`process.on('SIGTERM', () => console.log('no')); ${SLEEPER}`);
  await child.start();
  await until(() => lines.length === 1);
  await child.stop(50);
  expect(child.pid).toBeNull();
  expect(ends).toEqual([]); // it was asked to: that is no death
});

test('a child that sleeps (SIGSTOP) is stopped all the same', async () => {
  const { process: child, lines } = node(SLEEPER);
  await child.start();
  await until(() => lines.length === 1);
  child.kill('SIGSTOP');
  await child.stop(DEADLINE_MS);
  expect(child.pid).toBeNull();
});

test('a stop between a death and the next start leaves nothing running', async () => {
  const { process: child, waits } = node('process.exit(1)', { backoff: { firstMs: 60_000, maxMs: 60_000, forgetAfterMs: 60_000 } });
  await child.start();
  await until(() => waits.length === 1);
  await child.stop(DEADLINE_MS);
  expect(child.wanted).toBe(false);
  expect(child.pid).toBeNull();
});

test('a program that is not there is one sentence', async () => {
  const child = new SupervisedProcess({ name: 'nobody', command: '/nonexistent/program', args: [] });
  await expect(child.start()).rejects.toThrow('/nonexistent/program cannot be started');
});
