import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { afterProbe, afterTrouble, beginProbe, FAST, FIRST_PROBE_MS, PROBE_MS, type Standing } from './redis-standing.ts';

describe('whether Redis is asked', () => {
  test('after trouble nothing is asked until a probe was answered in time', () => {
    const slow = afterTrouble(FAST, 1000, 0.5);
    expect(slow).toEqual({ kind: 'slow', sinceMs: 1000, probeAtMs: 1035 });
    expect(beginProbe(slow, 1034)).toBe(slow);
    const probing = beginProbe(slow, 1035);
    expect(probing).toEqual({ kind: 'probing', sinceMs: 1000 });
    expect(afterProbe(probing, false, 1550, 0)).toEqual({ kind: 'slow', sinceMs: 1000, probeAtMs: 1800 });
    expect(afterProbe(probing, true, 1550, 0)).toBe(FAST);
  });

  test('requests that fail together are one trouble, and none of them puts off the probe', () => {
    const slow = afterTrouble(FAST, 1000, 0);
    expect(afterTrouble(slow, 1100, 0.9)).toBe(slow);
    const probing = beginProbe(slow, 2000);
    expect(afterTrouble(probing, 2001, 0.9)).toBe(probing);
  });

  test('there is one probe at a time, always one to come, and gateways draw different moments for theirs', () => {
    const step = fc.record({ what: fc.constantFrom('trouble', 'begin', 'answered', 'silent'), afterMs: fc.nat(1000), random: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }) });
    fc.assert(fc.property(fc.array(step), (steps) => {
      const moves = [{ from: 'fast', to: 'fast', what: '', inMs: 0 }].slice(1);
      let standing: Standing = FAST;
      let nowMs = 0;
      for (const { what, afterMs, random } of steps) {
        nowMs += afterMs;
        const from = standing.kind;
        if (what === 'trouble') standing = afterTrouble(standing, nowMs, random);
        else if (what === 'begin') standing = beginProbe(standing, nowMs);
        else standing = afterProbe(standing, what === 'answered', nowMs, random);
        if (standing.kind !== from) moves.push({ from, to: standing.kind, what, inMs: standing.kind === 'slow' ? standing.probeAtMs - nowMs : PROBE_MS[0] });
      }
      const possible = ['fast slow trouble', 'slow probing begin', 'probing slow silent', 'probing fast answered'];
      expect(moves.map(({ from, to, what }) => `${from} ${to} ${what}`).filter((move) => !possible.includes(move))).toEqual([]);
      const [soon, later] = [FIRST_PROBE_MS, PROBE_MS];
      expect(moves.filter(({ to, what, inMs }) => to === 'slow' && (inMs < (what === 'trouble' ? soon : later)[0] || inMs > (what === 'trouble' ? soon : later)[1]))).toEqual([]);
    }));
  });
});
