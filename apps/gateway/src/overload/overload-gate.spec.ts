import type { IncomingHttpHeaders } from 'node:http';
import { describe, expect, test } from '@jest/globals';
import type { Priority } from '@deja/contracts';
import { ADMIN_IN_FLIGHT, LIMIT, LOOK_EVERY_MS } from './bounds.ts';
import { OverloadGate } from './overload-gate.ts';
import { checkPriority } from './priority.ts';

const BATCH = { 'x-deja-priority': 'batch' };

/** A gate over a clock that stands still, and what it asked of keys. */
function gateOf({ inFlight = 1_000_000, key = null as Priority | null, off = false } = {}) {
  let nowMs = 0;
  const asked: IncomingHttpHeaders[] = [];
  const gate = new OverloadGate({ settings: off ? null : { latenessMs: 50, inFlight }, keyPriority: (headers) => (asked.push(headers), key), now: () => nowMs });
  const look = (lateMs: number, times = 1): void => {
    for (let i = 0; i < times; i++) {
      nowMs += LOOK_EVERY_MS + lateMs;
      gate.look();
    }
  };
  return { gate, asked, look, enter: (headers: IncomingHttpHeaders = {}) => gate.enter(headers, false) };
}

describe('the gate', () => {
  test('takes as many at once as the bound says, and the next one when one has left', () => {
    const { gate, enter } = gateOf({ inFlight: 3 });
    expect([enter(), enter(), enter()]).toEqual([null, null, null]);
    expect(enter()).toEqual({ reason: 'in_flight', priority: 'interactive' });
    expect(gate.inFlight).toBe(3);
    gate.leave(false);
    expect(enter()).toBeNull();
  });

  test('refuses batch at half of every bound, before anybody interactive', () => {
    const { gate, enter } = gateOf({ inFlight: 4 });
    enter();
    enter();
    expect(enter(BATCH)).toEqual({ reason: 'in_flight', priority: 'batch' });
    expect(enter()).toBeNull();
    const other = gateOf();
    for (let i = 0; i < LIMIT.first / 2; i++) other.gate.preparing.begin();
    expect(other.enter(BATCH)).toEqual({ reason: 'late', priority: 'batch' });
    expect(other.enter()).toBeNull();
    expect(gate.limit).toBe(LIMIT.first);
  });

  test('goes by the priority of the key where it knows it, which a request cannot raise', () => {
    const { enter } = gateOf({ inFlight: 2, key: 'batch' });
    enter();
    expect(enter()).toMatchObject({ priority: 'batch' });
    expect(enter({ 'x-deja-priority': 'interactive' })).toMatchObject({ priority: 'batch' });
  });

  test('does not look at a key while there is room for everybody', () => {
    const { asked, enter } = gateOf({ inFlight: 100 });
    for (let i = 0; i < 50; i++) enter();
    expect(asked).toHaveLength(0);
    enter();
    expect(asked).toHaveLength(1);
  });

  test('refuses when the event loop is late, and takes everybody within a second of calm', () => {
    const { gate, look, enter } = gateOf();
    const ends = Array.from({ length: 40 }, () => gate.preparing.begin());
    expect(enter()).toBeNull();
    look(200, 10);
    expect(gate.limit).toBe(LIMIT.least);
    expect(enter()).toEqual({ reason: 'late', priority: 'interactive' });
    for (const end of ends.slice(10)) end();
    expect(enter()).toBeNull();
    look(0, 50);
    for (let i = 0; i < 500; i++) gate.preparing.begin();
    expect(enter(BATCH)).toBeNull();
  });

  test('refuses nobody for one pause of the whole process', () => {
    const { gate, look, enter } = gateOf();
    for (let i = 0; i < 40; i++) gate.preparing.begin();
    look(0, 3);
    look(5000);
    look(0);
    expect(enter()).toBeNull();
    expect(gate.limit).toBeGreaterThan(LIMIT.first);
  });

  test('refuses nobody for a burst that is worked off within a second, and somebody when it goes on', () => {
    const { gate, look, enter } = gateOf();
    for (let i = 0; i < 300; i++) gate.preparing.begin();
    look(80, 12);
    expect(enter()).toBeNull();
    look(80);
    look(80);
    expect(enter()).toEqual({ reason: 'late', priority: 'interactive' });
  });

  test('lets those who wait for a provider be as many as they are', () => {
    const { gate, look, enter } = gateOf();
    for (let i = 0; i < 5000; i++) {
      enter();
      gate.preparing.begin()();
    }
    look(200, 10);
    expect(enter()).toBeNull();
  });

  test('has a bound of its own for admin calls, which clients cannot use up', () => {
    const { gate, enter } = gateOf({ inFlight: 1 });
    enter();
    expect(enter()).not.toBeNull();
    for (let i = 0; i < ADMIN_IN_FLIGHT; i++) expect(gate.enter({}, true)).toBeNull();
    expect(gate.enter({}, true)).toMatchObject({ reason: 'admin' });
    gate.leave(true);
    expect(gate.enter({}, true)).toBeNull();
  });

  test('refuses no client where it is switched off', () => {
    const { gate, look, enter } = gateOf({ off: true });
    for (let i = 0; i < 10_000; i++) gate.preparing.begin();
    look(10_000, 10);
    expect(enter(BATCH)).toBeNull();
  });

  test('counts the end of what is being prepared once', () => {
    const { gate } = gateOf();
    const [end] = [gate.preparing.begin(), gate.preparing.begin()];
    end();
    end();
    expect(gate.preparing.count).toBe(1);
    expect([gate.preparing.takePeak(), gate.preparing.takePeak()]).toEqual([2, 1]);
  });
});

test.each(['Batch', '', 'low', 'batch, batch'])('the priority %j is refused by the header’s name', (given) => {
  expect(() => checkPriority({ 'x-deja-priority': given })).toThrow(expect.objectContaining({ code: 'invalid_value', param: 'x-deja-priority' }));
});
