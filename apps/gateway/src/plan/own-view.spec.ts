import { describe, expect, test } from '@jest/globals';
import { FAILURE_KINDS, type Candidate, type FailureKind } from '@deja/contracts';
import fc from 'fast-check';
import { AttemptFailure } from '../attempt/failure.ts';
import { OwnView } from './own-view.ts';

const START = 1_000_000;

/** A view whose time the test keeps. */
class World {
  nowMs = START;
  readonly view = new OwnView(() => this.nowMs);

  get deployment() {
    return this.view.forPlan(this.nowMs).deployments.get('p/d')!;
  }

  get credential() {
    return this.view.forPlan(this.nowMs).credentials.get('p/a@1')!;
  }

  /** One call from beginning to end; it takes no time of the world's. */
  call(failure: FailureKind | null, detail: ConstructorParameters<typeof AttemptFailure>[1] = {}, firstByteMs: number | null = null): void {
    const call = this.view.started(candidate(), 'stream');
    if (firstByteMs !== null) call.firstByte(firstByteMs);
    call.ended(failure === null ? null : new AttemptFailure(failure, detail));
  }
}

function candidate(trouble?: { deployment?: boolean; credential?: boolean; none?: boolean }): Candidate {
  const credential = trouble?.none === true ? null : { id: 'p/a', version: '1', weight: 1, limits: {}, unavailableUntilMs: 0, ...(trouble?.credential && { trouble: 'rejected' as const }) };
  return { model: 'm', upstreamModel: 'd', credential, deployment: { id: 'p/d', ...(trouble?.deployment && { trouble: 'failing' }) } as Candidate['deployment'] };
}

describe('calls under way', () => {
  test('are counted, and how long the oldest waits for its first byte', () => {
    const world = new World();
    const first = world.view.started(candidate(), 'stream');
    world.nowMs += 100;
    const second = world.view.started(candidate(), 'whole');
    world.nowMs += 50;
    expect(world.deployment).toMatchObject({ inFlight: 2, oldestWaitMs: 150 });
    expect(world.credential.inFlight).toBe(2);
    first.firstByte(150);
    expect(world.deployment).toMatchObject({ inFlight: 2, oldestWaitMs: 50 });
    second.ended(null);
    first.ended(null);
    expect(world.deployment).toMatchObject({ inFlight: 0, oldestWaitMs: 0 });
  });

  test('that try whether something has healed are probes until they end', () => {
    const world = new World();
    const probe = world.view.started(candidate({ deployment: true, credential: true }), 'stream');
    const other = world.view.started(candidate(), 'stream');
    other.ended(null);
    expect([world.deployment.probing, world.credential.probing]).toEqual([true, true]);
    probe.ended(new AttemptFailure('cancelled'), true);
    expect([world.deployment.probing, world.credential.probing]).toEqual([false, false]);
  });
});

describe('the time to the first byte', () => {
  test('rises at once with a slow call, falls by half in ten seconds to what is usual, and is unknown at first', () => {
    const world = new World();
    world.view.started(candidate(), 'stream');
    expect(world.deployment.firstByteMs).toBeNull();
    for (let i = 0; i < 50; i++) world.call(null, {}, 100);
    expect(world.deployment.firstByteMs).toBeCloseTo(100, 0);
    world.call(null, {}, 4100);
    expect(world.deployment.firstByteMs).toBeCloseTo(4100, 0);
    world.nowMs += 10_000;
    expect(world.deployment.firstByteMs! - 500).toBeCloseTo(1800, -2);
    world.nowMs += 3_600_000;
    expect(world.deployment.firstByteMs).toBeLessThan(1);
  });

  test('of one that was given up is what it took at least', () => {
    const world = new World();
    world.call(null, {}, 100);
    const hanging = world.view.started(candidate(), 'stream');
    world.nowMs += 5000;
    hanging.ended(new AttemptFailure('timeout'));
    expect(world.deployment.firstByteMs).toBe(5000);
  });

  test('has percentiles over the last 128 calls of a form, from the twentieth on', () => {
    const world = new World();
    for (let ms = 1; ms < 20; ms++) world.call(null, {}, ms);
    expect(world.view.percentile('p/d', 95)).toBeNull();
    world.call(null, {}, 20);
    expect([50, 95, 100, 0].map((p) => world.view.percentile('p/d', p))).toEqual([10, 19, 20, 1]);
    for (let i = 0; i < 128; i++) world.call(null, {}, 7);
    expect(world.view.percentile('p/d', 99)).toBe(7);
    expect(world.view.percentile('p/d', 99, 'whole')).toBeNull();
    expect(world.view.percentile('p/other', 99)).toBeNull();
  });

  test('of a call whose time says nothing is not learned', () => {
    const world = new World();
    const upload = world.view.started(candidate(), null);
    world.nowMs += 60_000;
    expect(world.deployment.oldestWaitMs).toBe(0);
    upload.firstByte(60_000);
    upload.ended(null);
    expect(world.deployment.firstByteMs).toBeNull();
  });
});

describe('a deployment', () => {
  test('that fails three times in a row is suspect for a second, then longer, up to five, until it answers', () => {
    const world = new World();
    const suspectForMs = (): number => Math.max(0, world.deployment.suspectUntilMs - world.nowMs);
    const fail = (): number => {
      world.call('overloaded');
      return suspectForMs();
    };
    expect([fail(), fail(), fail(), fail()]).toEqual([0, 0, 1000, 1000]);
    const pauses = [1, 2, 3, 4].map(() => {
      world.nowMs = world.deployment.suspectUntilMs;
      return fail();
    });
    expect(pauses).toEqual([2000, 4000, 5000, 5000]);
    world.call(null);
    expect(suspectForMs()).toBe(0);
    expect([fail(), fail(), fail()]).toEqual([0, 0, 1000]);
  });

  test.each(FAILURE_KINDS)('%s speaks against it only where it is of its making', (kind) => {
    const world = new World();
    for (let i = 0; i < 3; i++) world.call(kind);
    expect(world.deployment.suspectUntilMs > world.nowMs).toBe(['overloaded', 'timeout', 'network', 'malformed'].includes(kind));
  });

  test('that refuses a request in between is alive', () => {
    const world = new World();
    for (const kind of ['overloaded', 'network', 'caller', 'overloaded', 'timeout'] as const) world.call(kind);
    expect(world.deployment.suspectUntilMs).toBe(0);
  });

  test('is not blamed for what a call had no time for', () => {
    const world = new World();
    for (let i = 0; i < 5; i++) world.view.started(candidate(), 'stream').ended(new AttemptFailure('timeout'), true);
    expect(world.deployment).toMatchObject({ inFlight: 0, suspectUntilMs: 0 });
  });

  test('without credentials is itself what was limited', () => {
    const world = new World();
    world.view.started(candidate({ none: true }), 'stream').ended(new AttemptFailure('rate', { retryAfterMs: 4000 }));
    expect(world.deployment.suspectUntilMs).toBe(START + 4000);
  });
});

describe('of two credentials of a deployment', () => {
  const using = (id: string, more: object = {}): Candidate => ({ ...candidate(), credential: { ...candidate().credential!, id, ...more } });
  const BAD = using('p/bad');
  const OWN = using('p/bad', { baseUrl: 'http://elsewhere/v1' });
  const GOOD = using('p/good');

  /** The calls one after another. */
  function seen(calls: [of: Candidate, failure: FailureKind | null][]): { world: World; suspects: () => string[] } {
    const world = new World();
    for (const [of, failure] of calls) world.view.started(of, 'stream').ended(failure === null ? null : new AttemptFailure(failure));
    const suspects = (): string[] => {
      const { deployments, credentials } = world.view.forPlan(world.nowMs);
      return [...deployments, ...credentials].filter(([, { suspectUntilMs = 0 }]) => suspectUntilMs > world.nowMs).map(([id]) => id);
    };
    return { world, suspects };
  }

  test.each(['overloaded', 'timeout', 'network', 'malformed'] as const)('one that has an address of its own is suspect after three %s in a row there, and the deployment is not', (kind) => {
    expect(seen([[OWN, kind], [OWN, kind]]).suspects()).toEqual([]);
    expect(seen([[OWN, kind], [OWN, kind], [OWN, kind]]).suspects()).toEqual(['p/bad@1']);
    expect(seen([[OWN, kind], [OWN, kind], [OWN, null], [OWN, kind]]).suspects()).toEqual([]);
    expect(seen([[OWN, kind], [OWN, kind], [OWN, kind], [OWN, null]]).suspects()).toEqual([]);
  });

  test('one that alone fails at the address of both is suspect, and the deployment is not', () => {
    expect(seen([[BAD, 'overloaded'], [GOOD, null], [BAD, 'overloaded'], [BAD, 'overloaded'], [BAD, 'overloaded']]).suspects()).toEqual(['p/bad@1']);
    expect(seen([[BAD, 'overloaded'], [BAD, 'overloaded'], [BAD, 'overloaded'], [GOOD, null], [BAD, 'overloaded']]).suspects()).toEqual(['p/bad@1']);
  });

  test('when both fail, or the other one was well only before, it is the deployment', () => {
    expect(seen([[BAD, 'overloaded'], [GOOD, 'overloaded'], [BAD, 'overloaded']]).suspects()).toEqual(['p/d']);
    expect(seen([[GOOD, null], [BAD, 'overloaded'], [BAD, 'overloaded'], [BAD, 'overloaded']]).suspects()).toEqual(['p/d']);
    expect(seen([[BAD, 'overloaded'], [GOOD, null], [GOOD, 'overloaded'], [GOOD, 'overloaded'], [GOOD, 'overloaded']]).suspects()).toEqual(['p/d']);
  });

  test('an answer that was under way before the failures began does not tell that one of them alone fails', () => {
    const { world, suspects } = seen([]);
    const long = world.view.started(GOOD, 'stream');
    const fail = (): void => world.view.started(BAD, 'stream').ended(new AttemptFailure('overloaded'));
    fail();
    long.ended(null);
    [1, 2, 3].forEach(fail);
    expect(suspects()).toEqual(['p/d']);
  });
});

describe('a credential', () => {
  test.each<[string, FailureKind, ConstructorParameters<typeof AttemptFailure>[1], number]>([
    ['429 that says nothing', 'rate', { status: 429 }, 1000],
    ['429 that says when', 'rate', { status: 429, retryAfterMs: 7000 }, 7000],
    ['429 of a day', 'rate', { status: 429, retryAfterMs: 3_600_000 }, 60_000],
    ['429 that says now', 'rate', { status: 429, retryAfterMs: 0 }, 1000],
    ['401', 'auth', { status: 401 }, 10_000],
    ['403, which may be about this model only', 'auth', { status: 403 }, 0],
    ['account without money', 'quota', { status: 429 }, 30_000],
    ['5xx', 'overloaded', { status: 500 }, 0],
  ])('after a %s is left alone by this gateway for a while', (_what, kind, detail, ms) => {
    const world = new World();
    world.call(kind, detail);
    expect(world.credential.unavailableUntilMs).toBe(ms === 0 ? 0 : START + ms);
  });

  test('keeps the later of two times, and why', () => {
    const world = new World();
    world.call('auth', { status: 401 });
    expect(world.credential).toMatchObject({ unavailableUntilMs: START + 10_000, trouble: 'rejected' });
    world.call('quota');
    world.call('rate', { retryAfterMs: 2000 });
    expect(world.credential).toMatchObject({ unavailableUntilMs: START + 30_000, trouble: 'exhausted' });
  });
});

test('what the snapshot does not name is forgotten, and calls that are under way there end in peace', () => {
  const world = new World();
  const call = world.view.started(candidate(), 'stream');
  world.view.keep({ deployments: [] });
  expect(world.view.forPlan(world.nowMs)).toEqual({ deployments: new Map(), credentials: new Map() });
  call.firstByte(1);
  call.ended(null);
  world.view.started(candidate(), 'stream');
  world.view.keep({ deployments: [{ ...candidate().deployment, credentials: [candidate().credential!] }] });
  expect([world.deployment.inFlight, world.credential.inFlight]).toEqual([1, 1]);
});

test('whatever calls do, none is counted that has ended, and no number is absurd', () => {
  const event = fc.record({
    ms: fc.nat(60_000),
    firstByte: fc.option(fc.nat(60_000)),
    kind: fc.constantFrom(null, 'overloaded' as const, 'rate' as const, 'timeout' as const, 'cancelled' as const),
    form: fc.constantFrom('stream' as const, 'whole' as const, null),
    overlap: fc.boolean(),
  });
  fc.assert(fc.property(fc.array(event, { maxLength: 60 }), (events) => {
    const world = new World();
    const open: (() => void)[] = [];
    let slowest = 0;
    for (const { ms, firstByte, kind, form, overlap } of events) {
      const call = world.view.started(candidate(), form);
      world.nowMs += ms;
      if (firstByte !== null) call.firstByte(firstByte);
      open.push(() => call.ended(kind === null ? null : new AttemptFailure(kind)));
      if (!overlap) for (const end of open.splice(0)) end();
      slowest = Math.max(slowest, firstByte ?? 0, world.nowMs - START);
      expect(world.deployment.inFlight).toBe(open.length);
      expect(world.deployment.oldestWaitMs).toBeLessThanOrEqual(world.nowMs - START);
      expect(world.deployment.firstByteMs ?? 0).toBeGreaterThanOrEqual(0);
      expect(world.deployment.firstByteMs ?? 0).toBeLessThanOrEqual(slowest + 1e-6);
      expect(world.deployment.suspectUntilMs - world.nowMs).toBeLessThanOrEqual(60_000);
    }
    for (const end of open) end();
    expect(world.view.forPlan(world.nowMs).deployments.get('p/d')?.inFlight ?? 0).toBe(0);
  }));
});
