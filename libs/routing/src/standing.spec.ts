import { describe, expect, test } from '@jest/globals';
import { credential, deployment, model, named, names, NOW, planOf, snapshot, view } from '../test/tables.ts';

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
