import { describe, expect, test } from '@jest/globals';
import type { AttemptOutcome } from '@deja/contracts';
import fc from 'fast-check';
import type { BreakerRules } from './breaker.ts';
import { averageMs } from './latency.ts';
import { credentialAfter, deploymentAfter, type Called, type Standing } from './standing.ts';

const NOW = 1_000_000_000;
const RULES: BreakerRules = { window_s: 10, min_failures: 5, error_rate: 0.5, pause_ms: [5000, 60_000] };

const outcome = (over: Partial<AttemptOutcome>): AttemptOutcome => ({
  atMs: NOW, deployment: 'p/m', credential: null, version: null, status: 200, failure: null, retryAfterMs: null, firstByteMs: 10, durationMs: 20, ...over,
});
const broken: Partial<AttemptOutcome> = { status: 503, failure: 'overloaded', firstByteMs: 9999 };

const NOBODY: Called = { key: null, isElsewhere: false };

const after = (outcomes: Partial<AttemptOutcome>[], start: Standing | null = null): Standing | null =>
  outcomes.map(outcome).reduce<Standing | null>((standing, o) => deploymentAfter(standing, o, NOBODY, RULES, { nowMs: o.atMs, random: () => 0.5 }), start);

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

/** A deployment with credentials; one whose name ends in `!` has an address of its own. */
class Shared {
  deployment: Standing | null = null;
  readonly credentials = new Map<string, Standing | null>();

  /** One call of 10 ms, so long after the beginning. */
  call(credential: string, failed: boolean, afterMs: number): void {
    const called = { key: credential, isElsewhere: credential.endsWith('!') };
    const of = outcome({ credential, version: '1', atMs: NOW + afterMs, durationMs: 10, ...(failed && broken) });
    const at = { nowMs: of.atMs, random: () => 0.5 };
    this.deployment = deploymentAfter(this.deployment, of, called, RULES, at);
    this.credentials.set(credential, credentialAfter(this.credentials.get(credential) ?? null, of, called, this.deployment, RULES, at));
  }

  /** Calls in turn, 10 ms apart. */
  calls(turns: [credential: string, failed: boolean][], rounds: number, fromMs = 0): void {
    for (let i = 0; i < rounds * turns.length; i++) this.call(...turns[i % turns.length]!, fromMs + i * 10);
  }

  get failing(): string[] {
    const all: [string, Standing | null][] = [['deployment', this.deployment], ...this.credentials];
    return all.filter(([, standing]) => standing?.health?.trouble === 'failing').map(([name]) => name);
  }
}

describe('of several credentials', () => {
  test('one with an address of its own is judged by its own calls, like a deployment, and the deployment is not judged by them', () => {
    const shared = new Shared();
    shared.calls([['own!', true]], 4);
    expect(shared.failing).toEqual([]);
    shared.calls([['own!', true]], 1, 40);
    expect(shared.failing).toEqual(['own!']);
    expect(shared.credentials.get('own!')?.health).toMatchObject({ failures: 1, untilMs: NOW + 40 + 5000 });
    shared.call('own!', true, 6000);
    expect(shared.credentials.get('own!')?.health).toMatchObject({ failures: 2, untilMs: NOW + 6000 + 10_000 });
    shared.call('own!', false, 15_000);
    expect(shared.failing).toEqual(['own!']);
    shared.call('own!', false, 17_000);
    expect(shared.failing).toEqual([]);
    expect(shared.deployment).toMatchObject({ health: null, window: null });
  });

  test('one that alone fails is set aside, and the deployment is not, though half of its calls fail', () => {
    const shared = new Shared();
    shared.calls([['good', false], ['bad', true]], 100);
    expect(shared.failing).toEqual(['bad']);
    shared.calls([['good', false]], 5, 6000);
    expect(shared.failing).toEqual(['bad']);
    shared.call('bad', false, 7000);
    expect(shared.failing).toEqual([]);
    expect(shared.credentials.get('bad')).toBeNull();
  });

  test('one that fails while another works at an address of its own is set aside, and the deployment is not', () => {
    const shared = new Shared();
    shared.calls([['own!', false], ['bad', true]], 20);
    expect(shared.failing).toEqual(['bad']);
  });

  test('all that fail together are not to blame: it is the deployment', () => {
    const shared = new Shared();
    shared.calls([['a', false], ['b', false]], 10);
    shared.calls([['a', true], ['b', true]], 10, 200);
    expect(shared.failing).toEqual(['deployment']);
    expect([...shared.credentials.values()]).toEqual([null, null]);
  });

  test('when each fails now and then, and too often in all, it is the deployment', () => {
    const shared = new Shared();
    shared.calls([['a', false], ['b', false], ['a', true], ['b', true], ['a', true], ['b', true]], 20);
    expect(shared.failing).toEqual(['deployment']);
  });

  test('the one that alone fails never takes the deployment with it, however the others are called', () => {
    const turns = fc.array(fc.record({ credential: fc.constantFrom('bad', 'good', 'own!'), afterMs: fc.nat(3000) }), { maxLength: 120 });
    fc.assert(fc.property(turns, (calls) => {
      const shared = new Shared();
      let nowMs = 0;
      shared.call('good', false, nowMs);
      for (const { credential, afterMs } of calls) {
        nowMs += afterMs;
        shared.call('good', false, nowMs);
        shared.call(credential, credential === 'bad', nowMs);
      }
      expect(shared.failing.filter((name) => name !== 'bad')).toEqual([]);
    }));
  });

  test('an address of its own that works ends a deployment’s pause once that is over', () => {
    const shared = new Shared();
    shared.calls([['a', true]], 5);
    expect(shared.failing).toEqual(['deployment']);
    shared.call('own!', false, 3000);
    expect(shared.failing).toEqual(['deployment']);
    shared.call('own!', false, 6000);
    expect(shared.failing).toEqual([]);
  });

  test('a record of them holds nobody who was not used within the window', () => {
    const shared = new Shared();
    shared.call('a', false, 0);
    shared.call('b', false, 20_000);
    expect(Object.keys(shared.deployment!.uses!)).toEqual(['b']);
  });
});

test('only answers count for how long the first byte takes', () => {
  expect(averageMs(after([{ firstByteMs: 100 }, broken, { firstByteMs: null }])!.latency!)).toBe(100);
});

test('an outcome that says nothing leaves no record', () => {
  const at = { nowMs: NOW, random: () => 0.5 };
  expect(deploymentAfter(null, outcome({ credential: 'p/a', status: 401, failure: 'auth' }), NOBODY, RULES, at)).toBeNull();
  expect(credentialAfter(null, outcome(broken), NOBODY, null, RULES, at)).toBeNull();
  expect(credentialAfter(null, outcome({}), NOBODY, null, RULES, at)).toBeNull();
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
