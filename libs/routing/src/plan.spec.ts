import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { Candidate, CredentialRef, Deployment } from '@deja/contracts';
import { arbitraryAsked, arbitraryTable, ask, credential, deployment, firstChoices, model, named, names, NOW, planOf, snapshot, type Asked } from '../test/tables.ts';
import { resolveModelName } from './snapshot-index.ts';

describe('a plan', () => {
  test('tries another credential, then the next deployment, then the fallback models', () => {
    const table = snapshot(
      [model('m', ['a/m', { id: 'b/m', priority: 2 }], { fallbacks: ['f'] }), model('f', ['c/f'])],
      [deployment('a/m', [credential('a1', { weight: 1000 }), credential('a2', { weight: 0 })]), deployment('b/m', ['b1']), deployment('c/f')],
    );
    expect(names(table, 'm')).toEqual(['a/m#a1', 'a/m#a2', 'b/m#b1', 'c/f']);
    expect(planOf(table, 'm')).toMatchObject({
      snapshotVersion: 7, candidates: [{ model: 'm' }, { model: 'm' }, { model: 'm' }, { model: 'f', upstreamModel: 'f' }], instead: { contextWindow: [], contentPolicy: [] }, shadow: null, hedge: null,
    });
  });

  test('leaves an attempt for each further deployment and fallback when the first has many credentials; the others follow as spares', () => {
    const many = Array.from({ length: 20 }, (_, n) => `a${n}`);
    const table = snapshot([model('m', ['a/m'], { fallbacks: ['f'] }), model('f', ['c/f'])], [deployment('a/m', many)]);
    const planned = names(table, 'm');
    expect(planned).toHaveLength(16);
    expect(planned.map((name) => name.slice(0, 3))).toEqual(['a/m', 'a/m', 'a/m', 'c/f', ...Array<string>(12).fill('a/m')]);
  });

  test('spares reach further deployments before further credentials', () => {
    const table = snapshot([model('m', Array.from({ length: 20 }, (_, n) => `p${n}/m`))], Array.from({ length: 20 }, (_, n) => deployment(`p${n}/m`, ['x', 'y', 'z'])));
    const planned = names(table, 'm').map((name) => name.split('#')[0]);
    expect(planned).toHaveLength(16);
    expect(planned[1]).toBe(planned[0]);
    expect(new Set(planned).size).toBe(15);
  });

  test('repeats no candidate', () => {
    expect(names(snapshot([model('m', ['a/m'])], [deployment('a/m', ['a1', 'a2'])]), 'm').toSorted()).toEqual(['a/m#a1', 'a/m#a2']);
    expect(names(snapshot([model('m', ['a/m'], { fallbacks: ['f'] }), model('f', ['a/m', 'b/m'])]), 'm')).toEqual(['a/m', 'b/m']);
  });

  test('serves any other name through the model "*", under the name the client sent', () => {
    const table = snapshot([model('m', ['a/m']), model('*', ['a/*'])]);
    expect(planOf(table, 'other').candidates).toMatchObject([{ model: 'other', upstreamModel: 'other' }]);
    expect(ask(table, '*')).toEqual({ refused: 'model_not_found', retryAfterMs: null });
    expect(resolveModelName(table, 'other')).toEqual({ model: table.models[1], preference: null });
  });

  test('does not exist for an unknown model', () => {
    expect(ask(snapshot([model('m', ['a/m'])]), 'n')).toEqual({ refused: 'model_not_found', retryAfterMs: null });
  });

  test('leaves out what is drained or unavailable until later, and takes it back when the time has come', () => {
    const table = snapshot([model('m', ['a/m', 'b/m', 'c/m'])], [
      deployment('a/m', [credential('a1', { unavailableUntilMs: NOW + 1 }), credential('a2', { unavailableUntilMs: NOW })]),
      deployment('b/m', ['b1'], { unavailableUntilMs: NOW + 1 }),
      deployment('c/m', ['c1'], { drained: true }),
    ]);
    expect(names(table, 'm')).toEqual(['a/m#a2']);
  });

  test('distributes first choices over deployments and credentials by weight', () => {
    const table = snapshot([model('m', [{ id: 'a/m', weight: 3 }, { id: 'b/m', weight: 1 }])], [deployment('a/m', [credential('a1', { weight: 2 }), 'a2'])]);
    const shares = firstChoices(table, 'm', (seed) => ({ seed }));
    expect(shares['a/m#a1']).toBeCloseTo(0.5, 1);
    expect(shares['a/m#a2']).toBeCloseTo(0.25, 1);
    expect(shares['b/m']).toBeCloseTo(0.25, 1);
  });

  test('carries how the requested model is hedged', () => {
    const table = snapshot([model('m', ['a/m'], { hedge: { percentile: 95, maxShare: 0.05 } })]);
    expect(planOf(table, 'm').hedge).toEqual({ percentile: 95, maxShare: 0.05 });
  });
});

describe('who is tried instead', () => {
  const table = snapshot([
    model('m', ['a/m'], { fallbacks: ['f'], fallbacksOn: { contextWindow: ['long', 'm', 'f'], contentPolicy: ['calm'] } }),
    model('f', ['f/1']), model('long', ['l/1', 'l/2']), model('calm', ['c/1']),
  ], [deployment('c/1', ['c1', 'c2', 'c3', 'c4', 'c5'])]);

  test('stands beside the candidates, by what the failure will be', () => {
    const { candidates, instead } = planOf(table, 'm');
    expect(candidates.map(named)).toEqual(['a/m', 'f/1']);
    expect(instead.contextWindow.map(named).toSorted()).toEqual(['f/1', 'l/1', 'l/2']);
    expect(instead.contextWindow.at(-1)).toMatchObject({ model: 'f' });
    expect(instead.contentPolicy).toHaveLength(4);
  });

  test('serves at once, before the other fallbacks, when the prompt is known not to fit', () => {
    const plan = planOf(table, 'm', { fits: ({ provider }) => (provider === 'a' ? 'window' : 'fits') });
    expect(plan.candidates.map(named).slice(0, 2).toSorted()).toEqual(['l/1', 'l/2']);
    expect(plan.candidates.map(named).slice(2)).toEqual(['f/1']);
    expect(plan.candidates[0]).toMatchObject({ model: 'long' });
    expect(plan.instead.contextWindow).toEqual([]);
  });

  test('is nobody when nothing fits: the refusal says so', () => {
    expect(ask(table, 'm', { fits: () => 'window' })).toEqual({ refused: 'no_suitable_deployment', unmet: 'window', retryAfterMs: null });
  });

  test('is not asked where something else is missing', () => {
    expect(names(table, 'm', { suits: ({ provider }) => provider !== 'a' })).toEqual(['f/1']);
  });
});

/** Whether something may serve as a matter of course, as a last resort, or not at all. */
type State = 'in' | 'last' | 'out';
const stateBy = (untilMs: number, trouble: string | undefined): State => (untilMs <= NOW ? 'in' : trouble === 'failing' ? 'last' : 'out');
const worse = (...states: State[]): State => (['out', 'last', 'in'] as const).find((state) => states.includes(state))!;
const stateOfDeployment = (of: Pick<Deployment, 'drained' | 'unavailableUntilMs' | 'trouble'>): State => (of.drained === true ? 'out' : stateBy(of.unavailableUntilMs, of.trouble));
function stateOfCredential(ref: CredentialRef | null, { view }: Asked): State {
  const here = view?.credentials.get(`${ref?.id}@v`);
  return ref === null ? 'in' : worse(stateBy(ref.unavailableUntilMs, ref.trouble), stateBy(here?.unavailableUntilMs ?? 0, here?.trouble));
}
const stateOf = (c: Candidate, of: Asked): State => worse(stateOfDeployment(c.deployment), stateOfCredential(c.credential, of));
const permittedOf = ({ credentials }: Deployment, { tenant, pin }: Asked): (CredentialRef | null)[] => {
  const own = credentials.filter((ref) => ref.tenant !== undefined && ref.tenant === tenant);
  const everyones = credentials.filter((ref) => ref.tenant === undefined);
  const holders = [...own, ...everyones].filter(({ id }) => id === pin?.credential);
  return credentials.length === 0 ? [null] : holders.length > 0 ? holders : own.length > 0 ? own : everyones;
};

test('whatever the table, the view and the request: a plan is usable, suitable, distinct, bounded, in the order of the models, and the same for the same random numbers', () => {
  fc.assert(fc.property(arbitraryTable, arbitraryAsked, (table, [wanted, of]) => {
    const result = ask(table, wanted, of);
    expect(ask(table, wanted, of)).toEqual(result);
    if ('refused' in result) return;
    const { candidates, instead, shadow } = result.plan;
    expect(candidates.length).toBeGreaterThan(0);
    expect(candidates.length).toBeLessThanOrEqual(Math.max(16, of.maxAttempts!));
    for (const list of [candidates, instead.contextWindow, instead.contentPolicy]) expect(new Set(list.map((c) => JSON.stringify([named(c), c.upstreamModel]))).size).toBe(list.length);
    for (const c of [...candidates, ...instead.contextWindow, ...instead.contentPolicy, ...(shadow ? [shadow] : [])]) {
      expect(c === shadow ? ['in'] : ['in', 'last']).toContain(stateOf(c, of));
      expect(c.credential === null).toBe(c.deployment.credentials.length === 0);
      expect([undefined, of.tenant]).toContain(c.credential?.tenant);
      expect(c.deployment.baseUrl).toBe(c.credential?.baseUrl ?? 'https://x/v1');
      expect(of.suits!(c.deployment, c.upstreamModel)).toBe(true);
      expect(of.fits!(c.deployment, c.upstreamModel)).not.toBe('window');
      expect(c.deployment.provider).toBe(of.pin?.provider ?? c.deployment.provider);
      const part = table.models.find(({ name }) => name === c.model)!.deployments.find(({ id }) => id === c.deployment.id)!;
      expect(part.region).toBe(of.requires?.region ?? part.region);
      expect(part.shadow !== undefined).toBe(c === shadow);
    }
    if (wanted !== 'm0') return;
    const first = candidates.slice(0, Math.min(of.maxAttempts!, candidates.length)).filter((c) => stateOf(c, of) === 'in').map((c) => c.model);
    const own = first.filter((name) => name === 'm0').length;
    expect(first.slice(0, own).every((name) => name === 'm0')).toBe(true);
  }), { numRuns: 500 });
});

test('whatever the table, the view and the request: what is out for failures alone comes after everything else, also of the fallback models', () => {
  fc.assert(fc.property(arbitraryTable, arbitraryAsked, (table, [wanted, of]) => {
    const result = ask(table, wanted, of);
    if ('refused' in result) return;
    const { candidates, instead } = result.plan;
    for (const list of [candidates, instead.contextWindow, instead.contentPolicy]) {
      const states = list.map((c) => stateOf(c, of));
      expect(states).toEqual(states.toSorted()); // 'in' before 'last'
    }
  }), { numRuns: 500 });
});

test('whatever the table, the view and the request: there is a plan whenever a deployment that suits is in, or out for failures alone, and all of these have a place where there is room', () => {
  fc.assert(fc.property(arbitraryTable, arbitraryAsked, (table, [, of]) => {
    const able = table.models[0]!.deployments.flatMap(({ id, region, shadow }) => {
      const d = table.deployments.find((one) => one.id === id)!;
      const suits = shadow === undefined && region === (of.requires?.region ?? region) && d.provider === (of.pin?.provider ?? d.provider) && of.suits!(d, d.upstreamModel) && of.fits!(d, d.upstreamModel) !== 'window';
      return suits && stateOfDeployment(d) !== 'out' ? permittedOf(d, of).filter((ref) => stateOfCredential(ref, of) !== 'out').map((ref) => (ref === null ? id : `${id}#${ref.id}`)) : [];
    });
    const result = ask(table, 'm0', of);
    expect('plan' in result || able.length === 0).toBe(true);
    const planned = 'plan' in result ? result.plan.candidates.map(named) : [];
    expect(planned.length < 16 ? able.filter((name) => !planned.includes(name)) : []).toEqual([]);
  }), { numRuns: 1000 });
});
