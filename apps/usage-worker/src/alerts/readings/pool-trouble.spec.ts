import { describe, expect, test } from '@jest/globals';
import type { CredentialRef, Deployment, Trouble } from '@deja/contracts';
import { credentialsOf, providersOf } from './pool-trouble.ts';

const NOW = 1_000_000;
type Health = 'in' | 'out' | 'probation';
const health = (of: Health): { unavailableUntilMs: number; trouble?: Trouble } => (of === 'in' ? { unavailableUntilMs: 0 } : { unavailableUntilMs: of === 'out' ? NOW + 1 : NOW, trouble: 'failing' });
const credential = (id: string, of: Health, over: Partial<CredentialRef> = {}): CredentialRef => ({ id, version: '1', weight: 1, limits: {}, ...health(of), ...over });
const deployment = (provider: string, of: Health, credentials: CredentialRef[] = [], over: Partial<Deployment> = {}): Deployment => ({
  id: `${provider}/m`, provider, kind: 'openai', baseUrl: 'https://example.com/v1', apiVersion: null, upstreamModel: 'm', credentials, ...health(of), ...over,
});
const shares = (deployments: Deployment[], above = 0.99) => Object.fromEntries(providersOf({ deployments }, above, NOW).map(({ labels, value }) => [labels.provider, value]));

describe('credentials that are set aside', () => {
  test('are 1, healthy ones 0, and of those on probation nothing is known; each once, whoever uses it', () => {
    const credentials = [credential('p/a', 'in'), credential('p/b', 'out', { tenant: 'acme' }), credential('p/c', 'probation'), credential('p/d', 'out', { retiring: true })];
    expect(credentialsOf({ deployments: [deployment('p', 'in', credentials), deployment('p', 'in', credentials)] }, NOW)).toEqual([
      { labels: { provider: 'p', credential: 'p/a' }, value: 0 },
      { labels: { tenant: 'acme', provider: 'p', credential: 'p/b' }, value: 1 },
      { labels: { provider: 'p', credential: 'p/c' }, value: null },
    ]);
  });
});

describe('a provider', () => {
  test('is down as far as its deployments are, or all of their credentials', () => {
    const out = [credential('p/a', 'out'), credential('p/b', 'out')];
    expect(shares([deployment('p', 'in'), deployment('p', 'out'), deployment('q', 'in', out), deployment('r', 'in', [credential('r/a', 'in'), ...out])])).toEqual({ p: 0.5, q: 1, r: 0 });
  });

  test('does not count what an operator took out', () => {
    expect(shares([deployment('p', 'out', [], { drained: true }), deployment('p', 'in')])).toEqual({ p: 0 });
  });

  test('is not known to be down or up where that depends on a deployment on probation', () => {
    expect(shares([deployment('p', 'out'), deployment('p', 'probation')])).toEqual({ p: null });
    expect(shares([deployment('p', 'in'), deployment('p', 'probation')])).toEqual({ p: 0 });
    expect(shares([deployment('p', 'out'), deployment('p', 'probation'), deployment('p', 'out')], 0.5)).toEqual({ p: 2 / 3 });
  });
});
