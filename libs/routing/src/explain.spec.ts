import { describe, expect, test } from '@jest/globals';
import type { RoutingSnapshot } from '@deja/contracts';
import fc from 'fast-check';
import { arbitraryAsked, arbitraryTable, ask, asked, credential, deployment, model, NOW, snapshot, view, type Asked } from '../test/tables.ts';
import { explainRequest, type ExplainedRole, type Explanation } from './explain.ts';

const explain = (table: RoutingSnapshot, wanted: string, of: Asked = {}): Explanation[] => explainRequest(table, ...asked(wanted, of));
const reasons = (rows: Explanation[]): Record<string, unknown> => Object.fromEntries(rows.map((row) => [`${row.deployment}#${row.credential}`, row.reason ?? row.order]));

test('whatever the table, the view and the request: an explanation shows the plan that the request would get, and a reason for everything else', () => {
  fc.assert(fc.property(arbitraryTable, arbitraryAsked, (table, [wanted, of]) => {
    const result = ask(table, wanted, of);
    const rows = explain(table, wanted, of);
    const listed = (role: ExplainedRole): unknown[] => rows.filter((row) => row.role === role).toSorted((a, b) => a.order! - b.order!).map(({ model: name, deployment: id, credential: by, order }) => [name, id, by, order]);
    const planned = 'plan' in result ? result.plan : { candidates: [], instead: { contextWindow: [], contentPolicy: [] }, shadow: null };
    const shown = (candidates: typeof planned.candidates): unknown[] => candidates.map((c, n) => [c.model, c.deployment.id, c.credential?.id ?? null, n + 1]);
    expect(listed('candidate')).toEqual(shown(planned.candidates));
    expect(listed('instead_context_window')).toEqual(shown(planned.instead.contextWindow));
    expect(listed('instead_content_policy')).toEqual(shown(planned.instead.contentPolicy));
    expect(listed('shadow')).toEqual(shown(planned.shadow === null ? [] : [planned.shadow]));
    for (const row of rows) expect([row.role === null, row.order === null]).toEqual([row.reason !== null, row.reason !== null]);
    const requested = table.models.find(({ name }) => name === wanted)?.deployments ?? [];
    for (const { id } of requested) {
      const { credentials } = table.deployments.find((d) => d.id === id)!;
      const ofIt = rows.filter((row) => row.model === wanted && row.deployment === id).map((row) => row.credential);
      expect(new Set(ofIt)).toEqual(new Set(credentials.length === 0 ? [null] : credentials.map((c) => c.id)));
    }
    // Nobody waits behind others where there was room, and nobody without an obstacle is left out of the model itself.
    expect(rows.filter((row) => row.model === wanted && planned.candidates.length < 16 && (row.reason === 'enough_before' || row.reason === 'only_instead'))).toEqual([]);
    expect(rows.filter((row) => row.reason === ('plan' in result ? 'only_instead' : 'enough_before'))).toEqual([]);
  }), { numRuns: 500 });
});

describe('an explanation', () => {
  test('gives each its reason', () => {
    const table = snapshot([model('m', ['a/m', 'b/m', 'c/m', { id: 'd/m', region: 'us' }, { id: 's/m', shadow: 0 }, { id: 't/m', shadow: 0.1 }, { id: 'u/m', shadow: 0.1 }, 'w/m'], { fallbacks: ['f'] }), model('f', ['a/m'])], [
      deployment('a/m', ['x', credential('y', { unavailableUntilMs: NOW + 5, trouble: 'rate_limited' }), credential('own', { tenant: 'u' })]),
      deployment('b/m', ['b1'], { drained: true }),
      deployment('c/m', ['c1'], { unavailableUntilMs: NOW + 9, trouble: 'failing' }),
      deployment('u/m', [], { unavailableUntilMs: NOW + 9, trouble: 'failing' }),
      deployment('w/m', [], { unavailableUntilMs: NOW + 9, trouble: 'rate_limited' }),
    ]);
    const rows = explain(table, 'm', { random: () => 0.5, suits: ({ id }) => id !== 's/m' });
    expect(reasons(rows.filter((row) => row.model === 'm'))).toEqual({
      'a/m#x': expect.any(Number), 'a/m#y': 'credential_unavailable', 'a/m#own': 'credential_of_another_tenant', 'b/m#b1': 'drained', 'c/m#c1': 3, 'u/m#null': 'deployment_unavailable', 'd/m#null': expect.any(Number), 's/m#null': 'suits', 't/m#null': 'shadow_not_drawn', 'w/m#null': 'deployment_unavailable',
    });
    expect(reasons(rows.filter((row) => row.model === 'f'))).toMatchObject({ 'a/m#x': 'has_a_place_already' });
    expect(rows.find((row) => row.credential === 'y')).toMatchObject({ trouble: 'rate_limited', detail: { waitMs: 5 } });
    expect(rows.find((row) => row.credential === 'c1')).toMatchObject({ behind: 'out', trouble: 'failing', detail: { waitMs: 9 } });
    expect(rows.filter((row) => row.behind === 'out')).toHaveLength(1);
    expect(reasons(explain(table, 'm', { tenant: 'u', requires: { region: 'us' } }))).toMatchObject({ 'a/m#x': 'requires', 'd/m#null': 1 });
    expect(reasons(explain(table, 'm', { tenant: 'u' }))).toMatchObject({ 'a/m#x': 'tenant_has_own_credentials' });
    expect(reasons(explain(table, 'm', { pin: { provider: 'a', credential: 'x' } }))).toMatchObject({ 'a/m#y': 'another_credential_is_pinned', 'd/m#null': 'pin' });
  });

  test('says what is known and expected, and why one comes after the others', () => {
    const table = snapshot([model('m', [{ id: 'a/m', weight: 3, priority: 2 }])], [deployment('a/m', [credential('x', { weight: 4 })], { firstByteMs: 120 })]);
    const [row] = explain(table, 'm', { costOf: () => 42, capabilityOf: () => 7, view: view({ 'a/m': { inFlight: 2, suspectUntilMs: NOW + 1 } }) });
    expect(row).toEqual({
      model: 'm', deployment: 'a/m', credential: 'x', version: 'v', role: 'candidate', order: 1, reason: null, behind: 'suspect', trouble: null,
      detail: { weight: 3, priority: 2, credentialWeight: 4, waitMs: 0, firstByteMs: 120, inFlight: 2, costNanoUsd: 42, capability: 7 },
    });
  });

  test('tells the two parts apart of a deployment that serves a model and is its shadow', () => {
    const table = snapshot([model('m', [{ id: 'a/m', shadow: 1 }, 'a/m', 'a/m'])]);
    expect(explain(table, 'm').map(({ role, order, reason }) => [role, order, reason])).toEqual([['candidate', 1, null], [null, null, 'has_a_place_already'], ['shadow', 1, null]]);
  });

  test('says who is there only for another failure', () => {
    const table = snapshot([model('m', ['a/m'], { fallbacksOn: { contextWindow: ['long'], contentPolicy: [] } }), model('long', ['l/1'])], [deployment('a/m', [], { unavailableUntilMs: NOW + 1 })]);
    expect(reasons(explain(table, 'm'))).toEqual({ 'a/m#null': 'deployment_unavailable', 'l/1#null': 'only_instead' });
  });

  test('says that enough stand before one of many', () => {
    const table = snapshot([model('m', Array.from({ length: 20 }, (_, n) => `p${n}/m`))]);
    expect(explain(table, 'm').filter((row) => row.reason === 'enough_before')).toHaveLength(4);
  });

  test('is empty for a model that does not exist', () => {
    expect(explain(snapshot([]), 'm')).toEqual([]);
  });
});
