import { describe, expect, test } from '@jest/globals';
import { ask, credential, deployment, model, named, names, NOW, planOf, snapshot, view } from '../test/tables.ts';

const tiers = model('m', ['a/m', { id: 'b/m', priority: 2 }, { id: 'c/m', priority: 3 }], { fallbacks: ['f'] });
const table = snapshot([tiers, model('f', ['f/1'])]);

describe('a deployment in doubt comes after all others of its model, before the fallbacks:', () => {
  test('one that failed for this gateway, until its time is over', () => {
    expect(names(table, 'm', { view: view({ 'a/m': { suspectUntilMs: NOW + 1 } }) })).toEqual(['b/m', 'c/m', 'a/m', 'f/1']);
    expect(names(table, 'm', { view: view({ 'a/m': { suspectUntilMs: NOW } }) })).toEqual(['a/m', 'b/m', 'c/m', 'f/1']);
  });

  test('one whose calls wait much longer than usual', () => {
    const order = (of: { oldestWaitMs: number; inFlight: number; firstByteMs?: number }): string => names(table, 'm', { view: view({ 'a/m': of }) })[0]!;
    expect(order({ oldestWaitMs: 2001, inFlight: 5 })).toBe('b/m');
    expect(order({ oldestWaitMs: 2000, inFlight: 5 })).toBe('a/m');
    expect(order({ oldestWaitMs: 2001, inFlight: 4 })).toBe('a/m');
    expect(order({ oldestWaitMs: 4001, inFlight: 5, firstByteMs: 1000 })).toBe('b/m');
    expect(order({ oldestWaitMs: 4000, inFlight: 5, firstByteMs: 1000 })).toBe('a/m');
  });

  test('all of them, in their usual order', () => {
    const doubt = { suspectUntilMs: NOW + 1 };
    expect(names(table, 'm', { view: view({ 'a/m': doubt, 'b/m': doubt, 'c/m': doubt }) })).toEqual(['a/m', 'b/m', 'c/m', 'f/1']);
  });
});

describe('on probation', () => {
  const healing = snapshot([tiers, model('f', ['f/1'])], [deployment('a/m', [], { trouble: 'failing', unavailableUntilMs: NOW - 1 })]);

  test('a deployment takes its ordinary place until a call tries it', () => {
    expect(names(healing, 'm')[0]).toBe('a/m');
    expect(names(healing, 'm', { view: view({ 'a/m': { probing: true } }) })).toEqual(['b/m', 'c/m', 'a/m', 'f/1']);
    expect(names(table, 'm', { view: view({ 'a/m': { probing: true } }) })[0]).toBe('a/m'); // healed meanwhile
  });

  test('so does a credential: while a call tries it, the others of the model come first', () => {
    const pool = snapshot([model('m', ['a/m', { id: 'b/m', priority: 2 }])], [deployment('a/m', [credential('x', { weight: 1000 }), credential('y', { trouble: 'rejected', unavailableUntilMs: NOW - 1 })])]);
    const trying = view({}, { 'y@v': { probing: true } });
    expect(names(pool, 'm')).toEqual(['a/m#x', 'a/m#y', 'b/m']);
    expect(names(pool, 'm', { view: trying })).toEqual(['a/m#x', 'b/m', 'a/m#y']);
  });

  test('a deployment whose only credential is being tried comes after the others, and is still there', () => {
    const pool = snapshot([model('m', ['a/m', { id: 'b/m', priority: 2 }])], [deployment('a/m', [credential('y', { trouble: 'rejected' })])]);
    expect(names(pool, 'm', { view: view({}, { 'y@v': { probing: true } }) })).toEqual(['b/m', 'a/m#y']);
  });
});

const failing = { trouble: 'failing', unavailableUntilMs: NOW + 5 } as const;

describe('a deployment that only failures keep out', () => {
  const two = [deployment('a/m', ['a1', 'a2'], failing), deployment('b/m', ['b1'], failing)];

  test('is the last resort: after everything else, the fallback models included', () => {
    expect(names(snapshot([tiers, model('f', ['f/1'])], two), 'm')).toEqual(['c/m', 'f/1', expect.stringContaining('a/m#'), 'b/m#b1', expect.stringContaining('a/m#')]);
  });

  test('is tried by what attempts are left, and takes none from those that are in', () => {
    const many = snapshot([model('m', ['a/m', 'b/m'])], [two[0]!, deployment('b/m', ['1', '2', '3'])]);
    const planned = names(many, 'm', { maxAttempts: 4 }).map((name) => name.slice(0, 3));
    expect(planned).toEqual(['b/m', 'b/m', 'b/m', 'a/m', 'a/m']);
    const full = snapshot([model('m', ['a/m', 'b/m'])], [two[0]!, deployment('b/m', Array.from({ length: 16 }, (_, n) => String(n)))]);
    expect(names(full, 'm', { maxAttempts: 4 }).every((name) => name.startsWith('b/m'))).toBe(true);
  });

  test('makes a plan with others of its kind, in the order of the model, those in doubt here last', () => {
    const all = snapshot([model('m', ['a/m', { id: 'b/m', priority: 2 }], { fallbacks: ['f'] }), model('f', ['f/1'])], [...two, deployment('f/1', [], failing)]);
    expect(names(all, 'm').map((name) => name.slice(0, 3))).toEqual(['a/m', 'b/m', 'f/1', 'a/m']);
    expect(names(all, 'm', { view: view({ 'a/m': { suspectUntilMs: NOW + 1 } }) }).map((name) => name.slice(0, 3))).toEqual(['b/m', 'f/1', 'a/m', 'a/m']);
  });

  test('is none where it is drained, or has no credential that is not refused', () => {
    expect(ask(snapshot([model('m', ['a/m'])], [deployment('a/m', [], { ...failing, drained: true })]), 'm')).toMatchObject({ refused: 'no_deployment_available' });
    expect(ask(snapshot([model('m', ['a/m'])], [deployment('a/m', [credential('x', { trouble: 'rejected', unavailableUntilMs: NOW + 9 })], failing)]), 'm')).toEqual({ refused: 'no_deployment_available', reason: 'unavailable', retryAfterMs: 9 });
  });

  test('is tried after all others also among those that are asked instead', () => {
    const table = snapshot([model('m', ['a/m'], { fallbacksOn: { contextWindow: ['l', 'f'], contentPolicy: [] } }), model('l', ['b/m']), model('f', ['f/1'])], [two[1]!]);
    expect(planOf(table, 'm').instead.contextWindow.map(named)).toEqual(['f/1', 'b/m#b1']);
  });

  test('is no canary and no shadow meanwhile', () => {
    const canary = snapshot([model('m', [{ id: 'a/m', canary: 1 }, 'b/m', 'c/m'], { strategy: 'priority' })], two);
    expect(names(canary, 'm')).toEqual(['c/m', 'b/m#b1', expect.stringContaining('a/m#'), expect.stringContaining('a/m#')]);
    const shadow = snapshot([model('m', [{ id: 'a/m', shadow: 1 }, 'b/m'])], two);
    expect(planOf(shadow, 'm')).toMatchObject({ shadow: null, candidates: [{ deployment: { id: 'b/m' } }] });
  });
});

describe('a credential that only failures at its own address keep out', () => {
  const own = (id: string) => credential(id, { weight: 1000, baseUrl: 'https://own/v1', ...failing });
  const pool = [deployment('a/m', [own('x'), 'y']), deployment('b/m', [own('z')])];

  test('is the last resort: after the credentials of everything else', () => {
    expect(names(snapshot([model('m', ['a/m', 'b/m'], { strategy: 'priority', fallbacks: ['f'] }), model('f', ['f/1'])], pool), 'm')).toEqual(['a/m#y', 'f/1', 'a/m#x', 'b/m#z']);
  });

  test('is none when this gateway was told that it is refused', () => {
    const table = snapshot([model('m', ['b/m'])], pool);
    expect(names(table, 'm')).toEqual(['b/m#z']);
    expect(ask(table, 'm', { view: view({}, { 'z@v': { unavailableUntilMs: NOW + 1, trouble: 'rejected' } }) })).toMatchObject({ refused: 'no_deployment_available' });
  });

  test('makes nobody a canary or a shadow', () => {
    expect(names(snapshot([model('m', [{ id: 'b/m', canary: 1 }, 'c/m'])], pool), 'm')).toEqual(['c/m', 'b/m#z']);
    expect(planOf(snapshot([model('m', [{ id: 'b/m', shadow: 1 }, 'c/m'])], pool), 'm').shadow).toBeNull();
  });
});

test('a credential that failed for this gateway at its own address comes after the others of its deployment and model, until its time is over', () => {
  const pool = snapshot([model('m', ['a/m', { id: 'b/m', priority: 2 }], { fallbacks: ['f'] }), model('f', ['f/1'])], [deployment('a/m', [credential('x', { weight: 1000 }), 'y'])]);
  expect(names(pool, 'm', { view: view({}, { 'x@v': { suspectUntilMs: NOW + 1 } }) })).toEqual(['a/m#y', 'b/m', 'a/m#x', 'f/1']);
  expect(names(pool, 'm', { view: view({}, { 'x@v': { suspectUntilMs: NOW } }) })[0]).toBe('a/m#x');
});

test('a credential that this gateway was told not to use yet is left out', () => {
  const pool = snapshot([model('m', ['a/m'])], [deployment('a/m', ['x', 'y'])]);
  expect(names(pool, 'm', { view: view({}, { 'x@v': { unavailableUntilMs: NOW + 1 }, 'y@v': { unavailableUntilMs: NOW } }) })).toEqual(['a/m#y']);
});

describe('a canary', () => {
  const entries = [{ id: 'a/m' }, { id: 'b/m', priority: 9, weight: 0, canary: 0.2 }, { id: 'c/m', priority: 5 }];
  const canaries = snapshot([model('m', entries, { strategy: 'priority', fallbacks: ['f'] }), model('f', ['f/1'])]);
  const draws = (first: number) => ({ random: () => first });

  test('comes first for its share of the requests, else after all others of the model', () => {
    expect(names(canaries, 'm', draws(0.19))).toEqual(['b/m', 'a/m', 'c/m', 'f/1']);
    expect(names(canaries, 'm', draws(0.2))).toEqual(['a/m', 'c/m', 'b/m', 'f/1']);
  });

  test('whose share is 0 is only a fallback', () => {
    const off = snapshot([model('m', [{ id: 'b/m', canary: 0 }, { id: 'a/m' }])]);
    expect(names(off, 'm', { random: () => 0 })).toEqual(['a/m', 'b/m']);
  });

  test('is drawn anew for requests of one key', () => {
    expect(names(canaries, 'm', { ...draws(0.1), affinityKey: 'k' })[0]).toBe('b/m');
    expect(names(canaries, 'm', { ...draws(0.9), affinityKey: 'k' })[0]).toBe('a/m');
  });

  test('in doubt is not tried on anybody first', () => {
    expect(names(canaries, 'm', { ...draws(0), view: view({ 'b/m': { suspectUntilMs: NOW + 1 } }) })).toEqual(['a/m', 'c/m', 'b/m', 'f/1']);
  });
});

describe('a shadow', () => {
  const of = (over = {}) => snapshot([model('m', ['a/m', { id: 's/m', shadow: 0.3 }], { fallbacks: ['f'] }), model('f', ['f/1'])], [deployment('s/m', [credential('s1', { unavailableUntilMs: NOW + 1 }), 's2'], over)]);

  test('gets a copy for its share of the requests, with a usable credential, and is never a candidate', () => {
    const drawn = planOf(of(), 'm', { random: () => 0.29 });
    expect(named(drawn.shadow!)).toBe('s/m#s2');
    expect(drawn.candidates.map(named)).toEqual(['a/m', 'f/1']);
    expect(planOf(of(), 'm', { random: () => 0.3 })).toMatchObject({ shadow: null, candidates: [{}, {}] });
  });

  test('gets none when it is unwell or cannot serve the request', () => {
    const random = (): number => 0;
    expect(planOf(of({ unavailableUntilMs: NOW + 1 }), 'm', { random }).shadow).toBeNull();
    expect(planOf(of({ drained: true }), 'm', { random }).shadow).toBeNull();
    expect(planOf(of(), 'm', { random, view: view({ 's/m': { suspectUntilMs: NOW + 1 } }) }).shadow).toBeNull();
    expect(planOf(of(), 'm', { random, suits: ({ provider }) => provider !== 's' }).shadow).toBeNull();
    expect(planOf(of(), 'm', { random, view: view({}, { 's2@v': { unavailableUntilMs: NOW + 1 } }) }).shadow).toBeNull();
  });

  test('whose share is 0 gets none, and serves nobody', () => {
    const off = snapshot([model('m', ['a/m', { id: 's/m', shadow: 0 }])]);
    expect(planOf(off, 'm', { random: () => 0 })).toMatchObject({ shadow: null, candidates: [{ deployment: { id: 'a/m' } }] });
  });

  test('is one at most', () => {
    const two = snapshot([model('m', ['a/m', { id: 's/m', shadow: 0.5 }, { id: 't/m', shadow: 0.5 }])]);
    expect(planOf(two, 'm', { random: () => 0.4 }).shadow?.deployment.id).toBe('s/m');
    expect(planOf(two, 'm', { random: () => 0.6 }).shadow?.deployment.id).toBe('t/m');
  });
});
