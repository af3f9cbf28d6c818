import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { PAIRS, schedule, type PlannedFault, type ScheduleOptions } from './schedule.ts';

const options = fc.record({
  seed: fc.integer(), faults: fc.integer({ min: 1, max: 120 }), calmMs: fc.integer({ min: 100, max: 5000 }), replicas: fc.integer({ min: 2, max: 3 }),
  least: fc.integer({ min: 100, max: 2000 }), more: fc.integer({ min: 0, max: 10_000 }),
}).map(({ least, more, ...rest }): ScheduleOptions => ({ ...rest, lengthMs: { least, most: least + more }, lastsMs: rest.calmMs + rest.faults * (least + more + rest.calmMs) }));
const holds = (property: (o: ScheduleOptions, faults: PlannedFault[]) => void): void => fc.assert(fc.property(options, (o) => property(o, schedule(o))));
const endMs = ({ startMs, lengthMs }: PlannedFault): number => startMs + lengthMs;

test('the same seed gives the same faults, as many as were asked for', () => {
  holds((o, faults) => {
    expect(schedule(o)).toEqual(faults);
    expect(faults).toHaveLength(o.faults);
  });
});

test('all faults are within the time, in order, with calm at both ends', () => {
  holds((o, faults) => {
    expect(faults.toSorted((a, b) => a.startMs - b.startMs)).toEqual(faults);
    expect(faults.every((fault) => fault.startMs >= o.calmMs && endMs(fault) + o.calmMs <= o.lastsMs)).toBe(true);
    expect(faults.every(({ lengthMs }) => lengthMs >= o.lengthMs.least && lengthMs <= o.lengthMs.most)).toBe(true);
  });
});

test('no tier has two faults at once, and two of different tiers meet only where one is a provider or a usage-worker, and none is a store', () => {
  holds((_, faults) => {
    for (const [i, one] of faults.entries()) {
      for (const other of faults.slice(i + 1).filter(({ startMs }) => startMs < endMs(one))) {
        const targets = [one.target, other.target];
        expect(one.target).not.toBe(other.target);
        expect(targets.some((target) => target === 'provider' || target === 'usage-worker')).toBe(true);
        expect(targets.some((target) => target === 'redis' || target === 'postgres')).toBe(false);
      }
    }
  });
});

test('each pair of a target and a kind comes as often as any other, give or take one', () => {
  holds((o, faults) => {
    const counts = PAIRS.map(([target, kind]) => faults.filter((fault) => fault.target === target && fault.kind === kind).length);
    expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
    expect(Math.min(...counts)).toBeGreaterThanOrEqual(Math.floor(o.faults / PAIRS.length));
  });
});

test('whatever was wrong, there is calm before anything else goes wrong', () => {
  holds((o, faults) => {
    for (const [i, { startMs }] of faults.entries()) {
      const wellMs = Math.max(0, ...faults.slice(0, i).map(endMs));
      expect(startMs <= wellMs || startMs - wellMs >= o.calmMs).toBe(true);
    }
  });
});

test('more faults than there is time for are refused', () => {
  expect(() => schedule({ seed: 1, lastsMs: 10_000, faults: 10, lengthMs: { least: 100, most: 5000 }, calmMs: 1000, replicas: 2 })).toThrow('do not fit');
});
