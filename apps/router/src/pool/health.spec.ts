import { describe, expect, test } from '@jest/globals';
import { FAILURE_KINDS, type AttemptOutcome } from '@deja/contracts';
import fc from 'fast-check';
import { credentialVerdict, deploymentVerdict, healthAfter, pauseMs, type Health } from './health.ts';

const NOW = 10_000_000;
const MINUTE = 60_000;

const outcome = (over: Partial<AttemptOutcome>): AttemptOutcome => ({
  atMs: NOW, deployment: 'p/m', credential: 'p/a', version: 'v1', status: 200, failure: null, retryAfterMs: null, firstByteMs: 10, durationMs: 20, ...over,
});

const rate: Partial<AttemptOutcome> = { status: 429, failure: 'rate' };
const unauthorized: Partial<AttemptOutcome> = { status: 401, failure: 'auth' };
const forbidden: Partial<AttemptOutcome> = { status: 403, failure: 'auth' };
const quota: Partial<AttemptOutcome> = { status: 402, failure: 'quota' };

/** A guess that is neither longer nor shorter than its pause. */
const plain = (): number => 0.5;

/** The health of a credential after outcomes that each are heard of as they end. */
function after(outcomes: Partial<AttemptOutcome>[], random = plain): Health | null {
  return outcomes.map(outcome).reduce<Health | null>((health, o) => healthAfter(health, credentialVerdict(o), o, { nowMs: o.atMs, random }), null);
}

describe('a credential', () => {
  test('that is rate-limited is unavailable until the provider says, or for a guess that doubles', () => {
    expect(after([{ ...rate, retryAfterMs: 7000 }])).toMatchObject({ trouble: 'rate_limited', untilMs: NOW + 7000 });
    const guesses = [rate, { ...rate, atMs: NOW + 1000 }, { ...rate, atMs: NOW + 3000 }];
    expect(after(guesses.slice(0, 1))?.untilMs).toBe(NOW + 1000);
    expect(after(guesses)?.untilMs).toBe(NOW + 3000 + 4000);
  });

  test('waits until the later of what was said and what was known', () => {
    expect(after([{ ...rate, retryAfterMs: 9000 }, { ...rate, atMs: NOW + 10, retryAfterMs: 2000 }])?.untilMs).toBe(NOW + 9000);
    expect(after([{ ...rate, retryAfterMs: 2000 }, { ...rate, atMs: NOW + 10, retryAfterMs: 9000 }])?.untilMs).toBe(NOW + 9010);
    expect(after([rate, { ...rate, retryAfterMs: 9000 }])?.untilMs).toBe(NOW + 9000);
    expect(after([quota, { ...rate, atMs: NOW + 10, retryAfterMs: 9000 }])).toMatchObject({ trouble: 'exhausted', untilMs: NOW + 5 * MINUTE });
  });

  test('whose requests fail together is not punished for each of them', () => {
    for (const failure of [rate, unauthorized, quota]) expect(after(Array.from({ length: 50 }, () => failure))?.failures).toBe(1);
  });

  test('whose account has run out of money rests for minutes, twice as long each time, at most an hour, and is not taken for a rate limit', () => {
    const asked = (n: number): Partial<AttemptOutcome>[] => Array.from({ length: n }, (_, i) => ({ ...quota, atMs: NOW + i * 60 * MINUTE }));
    const rested = (n: number): number => after(asked(n))!.untilMs - (NOW + (n - 1) * 60 * MINUTE);
    expect([1, 2, 3, 4, 5, 6].map((n) => rested(n) / MINUTE)).toEqual([5, 10, 20, 40, 60, 60]);
    expect(after([{ status: 429, failure: 'quota' }])?.trouble).toBe('exhausted');
    expect(after([rate, { ...quota, atMs: NOW + 10 }])).toMatchObject({ trouble: 'exhausted', failures: 1, untilMs: NOW + 10 + 5 * MINUTE });
  });

  test('that is rejected is set aside for a while, and longer when it still is afterwards', () => {
    expect(after([unauthorized])).toMatchObject({ trouble: 'rejected', untilMs: NOW + MINUTE });
    expect(after([unauthorized, { ...unauthorized, atMs: NOW + MINUTE }])?.untilMs).toBe(NOW + 3 * MINUTE);
  });

  test('is not set aside by a few 403, which may be about the model that was asked for', () => {
    const times = (n: number, fromMs = 0): Partial<AttemptOutcome>[] => Array.from({ length: n }, (_, i) => ({ ...forbidden, atMs: NOW + fromMs + i }));
    expect(after(times(4))?.untilMs).toBe(0);
    // A success under way during one of them shows as well that it does not get nothing.
    for (const durationMs of [1, 150]) expect(after([...times(4), { atMs: NOW + 100, durationMs }, ...times(4, 200)])?.untilMs).toBe(0);
    expect(after(times(5))).toMatchObject({ trouble: 'forbidden', failures: 5, untilMs: NOW + 4 + 30_000 });
  });

  test('is healed by a success that began after the failure, not by a long answer that began before', () => {
    expect(after([unauthorized, { atMs: NOW + 500, durationMs: 600 }])).not.toBeNull();
    expect(after([unauthorized, { atMs: NOW + 500, durationMs: 500 }])).toBeNull();
  });

  test('keeps its rate limit for as long as the provider said, whatever still slips through', () => {
    const limited = { ...rate, retryAfterMs: 5000 };
    expect(after([limited, { atMs: NOW + 500, durationMs: 10 }])?.untilMs).toBe(NOW + 5000);
    expect(after([limited, { atMs: NOW + 5010, durationMs: 10 }])).toBeNull();
  });

  test('is not judged by what is not its fault', () => {
    const itsOwn = ['auth', 'quota', 'rate'];
    for (const failure of FAILURE_KINDS.filter((kind) => !itsOwn.includes(kind))) expect(credentialVerdict(outcome({ status: null, failure }))).toBeNull();
  });
});

describe('a deployment', () => {
  const verdict = (over: Partial<AttemptOutcome>): unknown => deploymentVerdict(outcome(over));

  test('fails by a timeout, the network, a broken answer or a 5xx, never by what the gateway could not do itself', () => {
    for (const failure of ['overloaded', 'timeout', 'network', 'malformed'] as const) expect(verdict({ status: null, failure })).toBe('failing');
    expect(verdict({ status: 200, failure: 'malformed' })).toBe('failing');
    for (const failure of ['caller', 'blocked', 'cancelled'] as const) expect(verdict({ status: null, failure })).toBeNull();
    expect(verdict({ status: null })).toBeNull();
  });

  test('is alive when it refuses a request for what it is; a door that does not open says nothing of what is behind it', () => {
    for (const failure of ['caller', 'context_window', 'content_policy', 'model'] as const) expect(verdict({ status: 400, failure })).toBe('healthy');
    for (const over of [rate, quota, unauthorized, forbidden]) expect(verdict(over)).toBeNull();
  });

  test('without credentials bears the trouble that a credential would', () => {
    expect([rate, quota, unauthorized, forbidden].map((over) => verdict({ ...over, credential: null }))).toEqual(['rate_limited', 'exhausted', 'rejected', 'forbidden']);
  });
});

describe('a guessed pause', () => {
  test('differs by at most a fifth, and is never longer than the longest', () => {
    fc.assert(fc.property(fc.integer({ min: 1, max: 100_000 }), fc.integer({ min: 1, max: 100 }), fc.nat(100), fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), (firstMs, factor, earlier, random) => {
      const mostMs = firstMs * factor;
      const guessMs = Math.min(mostMs, firstMs * 2 ** earlier);
      const ms = pauseMs({ firstMs, mostMs }, earlier, () => random);
      expect(ms).toBeLessThanOrEqual(mostMs);
      expect(Math.abs(ms - guessMs)).toBeLessThanOrEqual(0.2 * guessMs + 0.5);
    }));
  });
});

test('whatever happens, nothing is set aside for more than an hour, and outcomes of other clocks do no harm', () => {
  const any = fc.record({
    status: fc.constantFrom(null, 200, 400, 401, 402, 403, 408, 429, 500, 503), failure: fc.constantFrom(null, ...FAILURE_KINDS),
    retryAfterMs: fc.option(fc.double({ min: 0, max: 1e15, noNaN: true })), atMs: fc.integer({ min: 0, max: NOW * 2 }), durationMs: fc.nat(1e6),
  });
  fc.assert(fc.property(fc.array(any, { maxLength: 40 }), fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), (outcomes, random) => {
    const health = outcomes.map(outcome).reduce<Health | null>((h, o) => healthAfter(h, credentialVerdict(o), o, { nowMs: NOW, random: () => random }), null);
    expect(health?.untilMs ?? 0).toBeLessThanOrEqual(NOW + 60 * MINUTE);
    expect(health?.failedAtMs ?? 0).toBeLessThanOrEqual(NOW);
  }));
});
