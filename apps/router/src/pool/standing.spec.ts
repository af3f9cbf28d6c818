import { describe, expect, test } from '@jest/globals';
import type { AttemptOutcome } from '@deja/contracts';
import fc from 'fast-check';
import type { BreakerRules } from './breaker.ts';
import { averageMs } from './latency.ts';
import { credentialAfter, deploymentAfter, type Standing } from './standing.ts';

const NOW = 1_000_000_000;
const RULES: BreakerRules = { window_s: 10, min_failures: 5, error_rate: 0.5, pause_ms: [5000, 60_000] };

const outcome = (over: Partial<AttemptOutcome>): AttemptOutcome => ({
  atMs: NOW, deployment: 'p/m', credential: null, version: null, status: 200, failure: null, retryAfterMs: null, firstByteMs: 10, durationMs: 20, ...over,
});
const broken: Partial<AttemptOutcome> = { status: 503, failure: 'overloaded', firstByteMs: 9999 };

const after = (outcomes: Partial<AttemptOutcome>[], start: Standing | null = null): Standing | null =>
  outcomes.map(outcome).reduce<Standing | null>((standing, o) => deploymentAfter(standing, o, RULES, { nowMs: o.atMs, random: () => 0.5 }), start);

describe('a deployment without credentials', () => {
  const limited = after([{ status: 429, failure: 'rate', retryAfterMs: 3000 }]);

  test('that is rate-limited is back after a success that began when its pause was over', () => {
    expect(limited?.health).toMatchObject({ trouble: 'rate_limited', untilMs: NOW + 3000 });
    expect(after([{ atMs: NOW + 100 }], limited)?.health).toEqual(limited?.health);
    expect(after([{ atMs: NOW + 3100 }], limited)?.health).toBeNull();
  });

  test('that fails while it is rate-limited is set aside for the longer of both', () => {
    const failures = Array.from({ length: 5 }, () => broken);
    expect(after(failures, limited)?.health).toMatchObject({ trouble: 'failing', untilMs: NOW + 5000 });
    expect(after([...failures, { status: 429, failure: 'rate', retryAfterMs: 90_000 }])?.health).toMatchObject({ trouble: 'rate_limited', untilMs: NOW + 90_000 });
  });
});

test('only answers count for how long the first byte takes', () => {
  expect(averageMs(after([{ firstByteMs: 100 }, broken, { firstByteMs: null }])!.latency!)).toBe(100);
});

test('an outcome that says nothing leaves no record', () => {
  const at = { nowMs: NOW, random: () => 0.5 };
  expect(deploymentAfter(null, outcome({ credential: 'p/a', status: 401, failure: 'auth' }), RULES, at)).toBeNull();
  expect(credentialAfter(null, outcome(broken), at)).toBeNull();
  expect(credentialAfter(null, outcome({}), at)).toBeNull();
});

test('whatever happens, the record never holds more than its window, and survives JSON', () => {
  const any = fc.record({
    status: fc.constantFrom(null, 200, 400, 429, 503), failure: fc.constantFrom(null, 'caller' as const, 'rate' as const, 'overloaded' as const, 'timeout' as const),
    atMs: fc.integer({ min: NOW, max: NOW + 600_000 }), durationMs: fc.nat(60_000), firstByteMs: fc.option(fc.nat(60_000)),
  });
  fc.assert(fc.property(fc.array(any, { maxLength: 100 }), (outcomes) => {
    const standing = after(outcomes);
    expect(standing?.window?.seconds.length ?? 0).toBeLessThanOrEqual(RULES.window_s);
    expect(JSON.parse(JSON.stringify(standing))).toEqual(standing);
  }));
});
