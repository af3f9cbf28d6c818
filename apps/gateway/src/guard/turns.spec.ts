import { expect, test } from '@jest/globals';
import { INVALID_SPAN_CONTEXT, trace } from '@opentelemetry/api';
import { Inspector, safetyRules, safetySchema, type Work } from '@deja/content-safety';
import { Operation } from '../operation/operation.ts';
import { Turns } from './turns.ts';

const staying = new AbortController();

/** So many milliseconds of work, which ends with a name and says what it did. */
function* work(name: string, ms: number, clock: { ms: number; log: string[] }): Work<string> {
  for (let done = 0; done < ms; done++) {
    clock.ms++;
    clock.log.push(name);
    yield;
  }
  return name;
}

/** A clock that stands still but for the work, and turns of the event loop that are taken by hand. */
function stage() {
  const clock = { ms: 0, log: [] as string[] };
  const loop: (() => void)[] = [];
  const turns = new Turns(() => clock.ms, (next) => void loop.push(next));
  const turn = () => {
    expect(loop).toHaveLength(1); // however many inspections wait, they share one turn
    const before = clock.ms;
    loop.shift()?.();
    return clock.ms - before;
  };
  return { clock, loop, turns, turn };
}

test('what takes less than a turn is done at once', () => {
  const { turns, clock, loop } = stage();
  expect(turns.run(work('short', 5, clock), staying)).toBe('short');
  expect(loop).toEqual([]);
});

test('however many inspections are under way, no turn of the event loop takes longer than one of theirs', async () => {
  const { turns, clock, loop, turn } = stage();
  const all = ['a', 'b', 'c'].map((name) => Promise.resolve(turns.run(work(name, 25, clock), staying)));
  while (loop.length > 0) expect(turn()).toBeLessThanOrEqual(10);
  expect(await Promise.all(all)).toEqual(['a', 'b', 'c']);
  // In turn, not one after the other.
  expect(clock.log.indexOf('c', 13)).toBeLessThan(clock.log.lastIndexOf('a'));
});

test('work that throws rejects, and the others go on', async () => {
  const { turns, clock, loop, turn } = stage();
  function* failing(): Work<string> {
    yield* work('bad', 30, clock);
    throw new Error('blocked');
  }
  const all = Promise.allSettled([turns.run(failing(), staying), turns.run(work('good', 30, clock), staying)]);
  while (loop.length > 0) turn();
  expect(await all).toEqual([{ status: 'rejected', reason: new Error('blocked') }, { status: 'fulfilled', value: 'good' }]);
});

test('nothing is inspected for a client that has left', async () => {
  const { turns, clock, loop, turn } = stage();
  const leaving = new AbortController();
  const left = turns.run(work('left', 1000, clock), leaving);
  leaving.abort();
  while (loop.length > 0) turn();
  await expect(left).rejects.toMatchObject({ kind: 'cancelled' });
  expect(clock.log.length).toBeLessThan(20);
});

test('whoever leaves while others wait for their turn is not inspected either, though nobody listened to the signal', async () => {
  const { turns, clock, loop, turn } = stage();
  const operation = new Operation('chat/completions', {}, trace.wrapSpanContext(INVALID_SPAN_CONTEXT));
  const left = turns.run(work('left', 1000, clock), operation);
  turn();
  operation.abandon();
  while (loop.length > 0) turn();
  await expect(left).rejects.toMatchObject({ kind: 'cancelled' });
  expect(clock.log.length).toBeLessThan(30);
});

test('a prompt that is costly to inspect gives others the processor many times, and is found out all the same', async () => {
  const { rules } = safetyRules(safetySchema.parse({ deny: [{ pattern: '(?i)(a|b){1,50}c', action: 'redact' }, { pattern: '(?i)[ab]*a[ab]{99}c' }] }));
  let turnsTaken = 0;
  const turns = new Turns(undefined, (next) => setImmediate(() => (turnsTaken++, next())));
  const prompt = `abc ${'ab'.repeat(20_000)}c`;
  const { text, blocked } = await turns.run(new Inspector(rules).inspecting(prompt, 'prompts'), staying);
  expect(blocked).toBe('deny[1]');
  expect(text.startsWith('[redacted:')).toBe(true);
  expect(turnsTaken).toBeGreaterThan(2);
});
