import { describe, expect, test } from '@jest/globals';
import type { AttemptOutcome } from '@deja/contracts';
import fc from 'fast-check';
import { credentialVerdict, deploymentVerdict, healthAfter, type Health } from './health.ts';

const NOW = 10_000_000;

const outcome = (over: Partial<AttemptOutcome>): AttemptOutcome => ({
  atMs: NOW, deployment: 'p/m', credential: 'p/a', status: 200, errorCode: null, retryAfterMs: null, firstByteMs: 10, durationMs: 20, ...over,
});

/** The health of a credential or deployment after outcomes that each come at their own time. */
function after(verdictOf: typeof credentialVerdict, outcomes: Partial<AttemptOutcome>[], start: Health | null = null): Health | null {
  return outcomes.map(outcome).reduce<Health | null>((health, o) => healthAfter(health, verdictOf(o), o, o.atMs), start);
}

describe('a credential', () => {
  test('that got a 429 is unavailable until the provider says, or for a guess that doubles', () => {
    expect(after(credentialVerdict, [{ status: 429, retryAfterMs: 7000 }])?.untilMs).toBe(NOW + 7000);
    const guesses = [{ status: 429 }, { status: 429, atMs: NOW + 1000 }, { status: 429, atMs: NOW + 3000 }];
    expect(after(credentialVerdict, guesses.slice(0, 1))?.untilMs).toBe(NOW + 1000);
    expect(after(credentialVerdict, guesses)?.untilMs).toBe(NOW + 3000 + 4000);
  });

  test('whose requests fail together is not punished for each of them', () => {
    expect(after(credentialVerdict, Array.from({ length: 50 }, () => ({ status: 429 })))).toMatchObject({ failures: 1, untilMs: NOW + 1000 });
    expect(after(credentialVerdict, [{ status: 429 }, { status: 429, retryAfterMs: 9000 }])?.untilMs).toBe(NOW + 9000);
  });

  test('that is rejected is set aside for a while, and longer when it still is afterwards', () => {
    expect(after(credentialVerdict, [{ status: 401 }])).toMatchObject({ trouble: 'rejected', untilMs: NOW + 60_000 });
    expect(after(credentialVerdict, [{ status: 401 }, { status: 401, atMs: NOW + 60_000 }])?.untilMs).toBe(NOW + 180_000);
  });

  test('is not set aside by a few 403, which may be about the model that was asked for', () => {
    const forbidden = (n: number): Partial<AttemptOutcome>[] => Array.from({ length: n }, (_, i) => ({ status: 403, atMs: NOW + i }));
    expect(after(credentialVerdict, forbidden(4))?.untilMs).toBe(0);
    expect(after(credentialVerdict, [...forbidden(4), { atMs: NOW + 100 }, ...forbidden(4).map((o) => ({ ...o, atMs: o.atMs! + 200 }))])?.untilMs).toBe(0);
    expect(after(credentialVerdict, forbidden(5))?.untilMs).toBeGreaterThan(NOW);
  });

  test('is healed by a success that began after the failure, not by a long answer that began before', () => {
    expect(after(credentialVerdict, [{ status: 429 }, { atMs: NOW + 500, durationMs: 600 }])).not.toBeNull();
    expect(after(credentialVerdict, [{ status: 429 }, { atMs: NOW + 500, durationMs: 500 }])).toBeNull();
  });

  test('is not judged by what is not its fault', () => {
    for (const over of [{ status: 500, errorCode: 'upstream_error' }, { status: null, errorCode: 'upstream_timeout' }, { status: 400 }, { status: 404, errorCode: 'model_not_found' }]) {
      expect(credentialVerdict(outcome(over))).toBeNull();
    }
  });
});

describe('a deployment', () => {
  const failures = (n: number): Partial<AttemptOutcome>[] => Array.from({ length: n }, (_, i) => ({ status: i % 2 === 0 ? 503 : null, errorCode: 'upstream_error', atMs: NOW + i }));

  test('is set aside shortly after several failures in a row, and not before', () => {
    expect(after(deploymentVerdict, failures(4))?.untilMs).toBe(0);
    expect(after(deploymentVerdict, failures(5))?.untilMs).toBe(NOW + 4 + 5000);
  });

  test('starts from nothing after any answer, also one that refuses the request', () => {
    for (const status of [200, 400, 404]) {
      expect(after(deploymentVerdict, [...failures(4), { status, atMs: NOW + 100 }, ...failures(4).map((o) => ({ ...o, atMs: o.atMs! + 200 }))])?.untilMs).toBe(0);
    }
  });

  test('fails by a timeout, a broken stream or a 5xx, never by what the gateway could not do itself', () => {
    const verdict = (over: Partial<AttemptOutcome>): unknown => deploymentVerdict(outcome(over));
    expect(verdict({ status: null, errorCode: 'upstream_timeout' })).toBe('failing');
    expect(verdict({ status: 200, errorCode: 'upstream_error' })).toBe('failing');
    expect(verdict({ status: 529, errorCode: 'upstream_error' })).toBe('failing');
    expect(verdict({ status: null, errorCode: 'overloaded' })).toBeNull();
    expect(verdict({ status: null })).toBeNull();
    expect(verdict({ status: 401, errorCode: 'upstream_error' })).toBe('healthy');
    expect(verdict({ status: 429, errorCode: 'provider_rate_limited' })).toBeNull();
    expect(verdict({ status: 429, errorCode: 'provider_rate_limited', credential: null })).toBe('rate_limited');
  });
});

test('whatever happens, nothing is set aside for more than an hour, and outcomes of other clocks do no harm', () => {
  const any = fc.record({
    status: fc.constantFrom(null, 200, 400, 401, 403, 408, 429, 500, 503), errorCode: fc.constantFrom(null, 'upstream_error', 'upstream_timeout'),
    retryAfterMs: fc.option(fc.double({ min: 0, max: 1e15, noNaN: true })), atMs: fc.integer({ min: 0, max: NOW * 2 }), durationMs: fc.nat(1e6),
  });
  fc.assert(fc.property(fc.array(any, { maxLength: 40 }), (outcomes) => {
    for (const verdictOf of [credentialVerdict, deploymentVerdict]) {
      const health = outcomes.map(outcome).reduce<Health | null>((h, o) => healthAfter(h, verdictOf(o), o, NOW), null);
      expect(health?.untilMs ?? 0).toBeLessThanOrEqual(NOW + 60 * 60_000);
      expect(health?.failedAtMs ?? 0).toBeLessThanOrEqual(NOW);
    }
  }));
});
