import { describe, expect, test } from '@jest/globals';
import { ask, deployment, model, names, NOW, planOf, snapshot, view } from '../test/tables.ts';
import type { AbilityFacts } from './need.ts';
import { resolveModelName } from './snapshot-index.ts';

const able = (over: Partial<AbilityFacts> = {}): AbilityFacts => ({ reasoning: true, toolCall: true, structuredOutput: true, input: ['text', 'image', 'audio'], ...over });
const models = [
  model('small', ['a/small', 'b/small'], { strategy: 'priority' }), model('large', ['a/large']), model('odd', ['c/odd']), model('backup', ['d/backup']),
  model('auto', [], { candidates: ['odd', 'large', 'small', 'large', 'auto', 'nested', 'missing'], fallbacks: ['backup'] }),
  model('best', [], { candidates: ['small', 'large'], prefer: 'capability' }), model('nested', [], { candidates: ['auto'] }),
];
const table = snapshot(models, [deployment('a/small', [], { firstByteMs: 900 }), deployment('b/small', [], { firstByteMs: 300 }), deployment('a/large', [], { firstByteMs: 400 })]);
const cost: Record<string, number | null> = { 'a/small': 9, 'b/small': 1, 'a/large': 5, 'c/odd': null, 'd/backup': 0 };
const rank: Record<string, number | null> = { 'a/small': 10, 'b/small': 10, 'a/large': 90, 'c/odd': null, 'd/backup': 99 };
const known = { costOf: ({ id }: { id: string }) => cost[id]!, capabilityOf: ({ id }: { id: string }) => rank[id]! };

describe('the name of a model that chooses', () => {
  const preference = (name: string): unknown => resolveModelName(table, name)?.preference;

  test('may carry how it is to choose; else the model says so, else it is by cost', () => {
    expect([preference('auto'), preference('auto:speed'), preference('best'), preference('best:cost')]).toEqual(['cost', 'speed', 'capability', 'cost']);
    expect(resolveModelName(table, 'auto:speed')?.model.name).toBe('auto');
    expect(preference('small')).toBeNull();
  });

  test('carries nothing else, and means nothing with a model that does not choose', () => {
    for (const name of ['auto:fast', 'small:cost', ':cost', 'auto:', '*']) expect(resolveModelName(table, name)).toBeNull();
  });

  test('gives way to a model of exactly that name', () => {
    const exact = model('auto:cost', ['a/large']);
    expect(resolveModelName(snapshot([...models, exact]), 'auto:cost')).toEqual({ model: exact, preference: null });
  });
});

describe('a model that chooses', () => {
  test('by cost goes from the model with the cheapest deployment on, unknown prices last, and then to its fallbacks', () => {
    expect(names(table, 'auto', known)).toEqual(['a/small', 'b/small', 'a/large', 'c/odd', 'd/backup']);
    expect(planOf(table, 'auto', known).candidates.map((c) => c.model)).toEqual(['small', 'small', 'large', 'odd', 'backup']);
  });

  test('by speed goes by the latency that this gateway saw, else by that of all', () => {
    expect(names(table, 'auto:speed', known)).toEqual(['a/small', 'b/small', 'a/large', 'c/odd', 'd/backup']);
    expect(names(table, 'auto:speed', { ...known, view: view({ 'c/odd': { firstByteMs: 350 }, 'b/small': { firstByteMs: 1000 } }) })).toEqual(['c/odd', 'a/large', 'a/small', 'b/small', 'd/backup']);
  });

  test('by capability goes from the most capable on; equals stay in the order of the file', () => {
    expect(names(table, 'auto:capability', known)).toEqual(['a/large', 'a/small', 'b/small', 'c/odd', 'd/backup']);
    expect(names(table, 'auto')).toEqual(['c/odd', 'a/large', 'a/small', 'b/small', 'd/backup']);
  });

  test('does not go by a deployment that is out of rotation', () => {
    const out = snapshot(models, [deployment('b/small', [], { unavailableUntilMs: NOW + 1 })]);
    expect(names(out, 'auto', known)).toEqual(['a/large', 'a/small', 'c/odd', 'd/backup']);
  });

  test('puts what is in doubt after all that it chooses among', () => {
    expect(names(table, 'auto', { ...known, view: view({ 'a/small': { suspectUntilMs: NOW + 1 }, 'b/small': { suspectUntilMs: NOW + 1 } }) })).toEqual(['a/large', 'c/odd', 'a/small', 'b/small', 'd/backup']);
  });

  test.each([
    ['tools', { toolCall: false }], ['json_schema', { structuredOutput: false }], ['reasoning', { reasoning: false }], ['vision', { input: ['text', 'audio'] }], ['audio', { input: ['text', 'image'] }],
  ] as const)('leaves out those that lack %s when it is needed', (ability, lack) => {
    const factsOf = ({ id }: { id: string }): AbilityFacts => (id === 'a/small' || id === 'd/backup' ? able(lack) : able());
    expect(names(table, 'auto', { ...known, factsOf, abilities: [ability] })).toEqual(['b/small', 'a/large', 'c/odd']);
    expect(names(table, 'auto', { ...known, factsOf, abilities: new Set() })).toHaveLength(5);
    expect(ask(table, 'auto', { ...known, factsOf: () => able(lack), abilities: [ability] })).toEqual({ refused: 'no_suitable_deployment', unmet: 'abilities', retryAfterMs: null });
  });

  test('does not leave out what it knows nothing about, but puts it after what is known to be able', () => {
    const factsOf = ({ id }: { id: string }): AbilityFacts | null => (id === 'a/small' ? null : able());
    expect(names(table, 'auto', { ...known, factsOf, abilities: ['tools'] })).toEqual(['b/small', 'a/large', 'c/odd', 'a/small', 'd/backup']);
  });

  test('leaves out those whose window or longest answer is too small', () => {
    const fits = ({ id }: { id: string }) => (id === 'b/small' ? 'window' : id === 'a/small' ? 'output' : 'fits');
    expect(names(table, 'auto', { ...known, fits })).toEqual(['a/large', 'c/odd', 'd/backup']);
    expect(ask(table, 'auto', { fits: () => 'output' })).toMatchObject({ unmet: 'output' });
  });

  test('that has none but itself to choose among serves nothing, and does not turn in circles', () => {
    expect(ask(snapshot([model('a', [], { candidates: ['b'] }), model('b', [], { candidates: ['a'] })]), 'a')).toEqual({ refused: 'no_deployment_available', reason: 'unavailable', retryAfterMs: null });
  });

  test('can be the fallback of another', () => {
    expect(names(snapshot([...models, model('m', ['z/m'], { fallbacks: ['auto:capability'] })]), 'm', known)).toEqual(['z/m', 'a/large', 'a/small', 'b/small', 'c/odd']);
  });

  test('gives the shadow of the model that serves', () => {
    const shadowed = snapshot([model('x', ['a/x', { id: 's/x', shadow: 1 }]), model('y', ['a/y', { id: 's/y', shadow: 1 }]), model('auto', [], { candidates: ['x', 'y'] })]);
    expect(planOf(shadowed, 'auto', { costOf: ({ id }) => (id.endsWith('/y') ? 1 : 2) }).shadow).toMatchObject({ model: 'y', deployment: { id: 's/y' } });
  });
});
