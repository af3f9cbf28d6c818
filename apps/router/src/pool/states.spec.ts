import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { TROUBLES, type CredentialRef, type Deployment } from '@deja/contracts';
import { MOST_SHOWN, poolStates, POOL_STATES } from './states.ts';

const NOW = 1_000_000;
const credential = (id: string, over: Partial<CredentialRef> = {}): CredentialRef => ({ id, version: 'v1', weight: 1, limits: {} as CredentialRef['limits'], unavailableUntilMs: 0, ...over });
const deployment = (id: string, over: Partial<Deployment> = {}): Deployment => ({ id, provider: id.split('/')[0]!, kind: 'openai', baseUrl: '', apiVersion: null, upstreamModel: id.split('/')[1]!, credentials: [], unavailableUntilMs: 0, ...over });
const stateOf = (over: Partial<Deployment>): string | undefined => poolStates([deployment('p/m', over)], NOW).deployments[0]?.state;

describe('a deployment', () => {
  test('is available while nothing speaks against it', () => {
    expect(stateOf({})).toBe('available');
  });

  test('is in its trouble until its pause is over, and on probation from then on', () => {
    for (const trouble of TROUBLES) {
      expect(stateOf({ trouble, unavailableUntilMs: NOW + 1 })).toBe(trouble);
      expect(stateOf({ trouble, unavailableUntilMs: NOW })).toBe('probation');
    }
  });

  test('that was drained is drained, and one without the credential it needs has none, whatever else is said of them', () => {
    expect(stateOf({ drained: true, trouble: 'failing', unavailableUntilMs: NOW + 1 })).toBe('drained');
    expect(stateOf({ keyed: true, trouble: 'failing', unavailableUntilMs: NOW + 1 })).toBe('no_credential');
    expect(stateOf({ keyed: true, credentials: [credential('p/a')] })).toBe('available');
  });
});

describe('a credential', () => {
  test('is one, by its name, in however many deployments it stands; its former value is not shown', () => {
    const credentials = [credential('p/a', { trouble: 'rejected', unavailableUntilMs: NOW + 1 }), credential('p/a', { version: 'v0', retiring: true }), credential('p/b')];
    expect(poolStates([deployment('p/m', { credentials }), deployment('p/n', { credentials })], NOW).credentials).toEqual([
      { provider: 'p', credential: 'a', state: 'rejected' },
      { provider: 'p', credential: 'b', state: 'available' },
    ]);
  });
});

test('each has exactly one state of the list, and no more have one than a scrape bears', () => {
  const health = fc.record({ trouble: fc.option(fc.constantFrom(...TROUBLES), { nil: undefined }), unavailableUntilMs: fc.integer({ min: NOW - 10, max: NOW + 10 }), drained: fc.boolean(), keyed: fc.boolean() }, { requiredKeys: ['unavailableUntilMs'] });
  fc.assert(fc.property(fc.array(health, { maxLength: 700, size: 'max' }), (list) => {
    const made = list.map(({ trouble, ...over }, n) => deployment(`p/m${n}`, { ...over, ...(trouble && { trouble }) }));
    const { deployments } = poolStates(made, NOW);
    expect(deployments).toHaveLength(Math.min(list.length, MOST_SHOWN));
    for (const { state } of deployments) expect(POOL_STATES).toContain(state);
  }), { numRuns: 30 });
});
