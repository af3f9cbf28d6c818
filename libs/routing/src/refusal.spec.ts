import { describe, expect, test } from '@jest/globals';
import type { Trouble } from '@deja/contracts';
import fc from 'fast-check';
import { arbitraryAsked, arbitraryTable, ask, credential, deployment, model, NOW, snapshot, view } from '../test/tables.ts';

const out = (id: string, trouble: Trouble, ms: number) => credential(id, { trouble, unavailableUntilMs: NOW + ms });
const one = (...credentials: ReturnType<typeof credential>[]) => snapshot([model('m', ['a/m'])], [deployment('a/m', credentials)]);

describe('no deployment available', () => {
  test('says when the first candidate is usable again, fallbacks too', () => {
    const table = snapshot([model('m', ['a/m', 'b/m'], { fallbacks: ['f'] }), model('f', ['c/f'])], [
      deployment('a/m', [credential('a1', { unavailableUntilMs: NOW + 5000 }), credential('a2', { unavailableUntilMs: NOW + 9000 })], { unavailableUntilMs: NOW + 7000 }),
      deployment('b/m', ['b1'], { unavailableUntilMs: NOW + 8000 }),
      deployment('c/f', [], { unavailableUntilMs: NOW + 7500 }),
    ]);
    expect(ask(table, 'm')).toEqual({ refused: 'no_deployment_available', reason: 'unavailable', retryAfterMs: 7000 });
  });

  test('does not count the wait for one that could not serve this request, or that is drained', () => {
    const table = snapshot([model('m', ['a/m', 'b/m', 'c/m'])], [
      deployment('a/m', [], { unavailableUntilMs: NOW + 10 }), deployment('b/m', [], { unavailableUntilMs: NOW + 20, drained: true }), deployment('c/m', [], { unavailableUntilMs: NOW + 30 }),
    ]);
    expect(ask(table, 'm', { suits: ({ id }) => id !== 'a/m' })).toMatchObject({ retryAfterMs: 30 });
  });

  test('is a rate limit when whatever works waits for nothing else', () => {
    expect(ask(one(out('x', 'rate_limited', 50), out('y', 'rate_limited', 20)), 'm')).toEqual({ refused: 'no_deployment_available', reason: 'rate_limited', retryAfterMs: 20 });
    expect(ask(one(out('x', 'rate_limited', 50), out('y', 'exhausted', 80)), 'm')).toMatchObject({ reason: 'rate_limited', retryAfterMs: 50 });
    expect(ask(one(out('x', 'rate_limited', 50), out('y', 'rejected', 20)), 'm')).toMatchObject({ reason: 'rate_limited', retryAfterMs: 50 });
    const keyless = snapshot([model('m', ['a/m'])], [deployment('a/m', [], { trouble: 'rate_limited', unavailableUntilMs: NOW + 9 })]);
    expect(ask(keyless, 'm')).toMatchObject({ reason: 'rate_limited', retryAfterMs: 9 });
  });

  test('is a rate limit when only this gateway was told to wait', () => {
    expect(ask(one(credential('x')), 'm', { view: view({}, { 'x@v': { unavailableUntilMs: NOW + 40 } }) })).toEqual({ refused: 'no_deployment_available', reason: 'rate_limited', retryAfterMs: 40 });
    expect(ask(one(credential('x')), 'm', { view: view({}, { 'x@v': { unavailableUntilMs: NOW + 40, trouble: 'rejected' } }) })).toMatchObject({ reason: 'unavailable', retryAfterMs: 40 });
  });

  test('is none when no credential works', () => {
    expect(ask(one(out('x', 'rejected', 50), out('y', 'forbidden', 30)), 'm')).toEqual({ refused: 'no_deployment_available', reason: 'unavailable', retryAfterMs: 30 });
    const forbidden = snapshot([model('m', ['a/m', 'b/m'])], [deployment('a/m', [out('x', 'rate_limited', 50)]), deployment('b/m', [], { trouble: 'forbidden', unavailableUntilMs: NOW + 60 })]);
    expect(ask(forbidden, 'm')).toMatchObject({ reason: 'unavailable', retryAfterMs: 50 });
  });

  test('is never for failures alone: those are tried, and a credential’s limit is waited for though its deployment fails longer', () => {
    expect(ask(one(out('x', 'rate_limited', 50), out('y', 'failing', 60)), 'm')).toMatchObject({ plan: { candidates: [{ credential: { id: 'y' } }] } });
    const failing = { trouble: 'failing', unavailableUntilMs: NOW + 60 } as const;
    expect(ask(snapshot([model('m', ['a/m', 'b/m'])], [deployment('a/m', [out('x', 'rate_limited', 50)]), deployment('b/m', [], failing)]), 'm')).toMatchObject({ plan: { candidates: [{ deployment: { id: 'b/m' } }] } });
    expect(ask(snapshot([model('m', ['a/m'])], [deployment('a/m', [out('x', 'rate_limited', 50)], failing)]), 'm')).toEqual({ refused: 'no_deployment_available', reason: 'rate_limited', retryAfterMs: 50 });
  });

  test('has no time when an operator took everything out', () => {
    expect(ask(snapshot([model('m', ['a/m'])], [deployment('a/m', [], { drained: true })]), 'm')).toEqual({ refused: 'no_deployment_available', reason: 'unavailable', retryAfterMs: null });
  });
});

describe('no suitable deployment', () => {
  const table = snapshot([model('m', [{ id: 'a/m', region: 'eu', tags: ['x', 'y'] }, { id: 'b/m', region: 'us' }])]);

  test('names the need that is not met', () => {
    const unmet = (of: Parameters<typeof ask>[2]): unknown => {
      const result = ask(table, 'm', of);
      return 'unmet' in result ? result.unmet : result;
    };
    expect(unmet({ pin: { provider: 'z', credential: null } })).toBe('pin');
    expect(unmet({ requires: { region: 'jp' } })).toBe('requires');
    expect(unmet({ requires: { tags: ['x', 'z'] } })).toBe('requires');
    expect(unmet({ suits: () => false })).toBe('suits');
    expect(unmet({ fits: () => 'window' })).toBe('window');
    expect(unmet({ requires: { region: 'eu' }, fits: () => 'window' })).toBe('window'); // where the one that came furthest fails
  });

  test('takes a model asked for by name at its name: neither abilities nor the size of the answer keep it out', () => {
    const factsOf = () => ({ reasoning: false, toolCall: false, structuredOutput: false, input: ['text'] });
    expect(ask(table, 'm', { abilities: ['vision', 'tools'], factsOf, fits: () => 'output' })).toMatchObject({ plan: { candidates: [{}, {}] } });
  });

  test('keeps to the region and the tags asked for', () => {
    expect(ask(table, 'm', { requires: { region: 'eu', tags: ['y'] } })).toMatchObject({ plan: { candidates: [{ deployment: { id: 'a/m' } }] } });
  });
});

test('whatever the table: after the wait that a refusal names, there is a plan', () => {
  fc.assert(fc.property(arbitraryTable, arbitraryAsked, (table, [wanted, of]) => {
    const result = ask(table, wanted, of);
    if (!('refused' in result) || result.retryAfterMs === null) return;
    expect(result.retryAfterMs).toBeGreaterThanOrEqual(1);
    const later = { ...table, deployments: table.deployments.map((d) => ({ ...d, unavailableUntilMs: d.unavailableUntilMs - result.retryAfterMs!, credentials: d.credentials.map((c) => ({ ...c, unavailableUntilMs: c.unavailableUntilMs - result.retryAfterMs! })) })) };
    const here = of.view && { ...of.view, credentials: new Map([...of.view.credentials].map(([key, c]) => [key, { ...c, unavailableUntilMs: c.unavailableUntilMs - result.retryAfterMs! }])) };
    expect(ask(later, wanted, { ...of, ...(here && { view: here }) })).toHaveProperty('plan');
  }), { numRuns: 1000 });
});
