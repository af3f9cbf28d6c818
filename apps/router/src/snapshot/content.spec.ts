import { describe, expect, test } from '@jest/globals';
import { parseConfig } from '@deja/config';
import fc from 'fast-check';
import { credentialField, deploymentField, type PoolHealth } from '../pool/health-store.ts';
import type { Health } from '../pool/health.ts';
import { contentOf, digestOf, revokedCredentials, setAside, withHealth, withoutHealth, type SnapshotContent } from './content.ts';

const YAML = `
providers:
  a: { kind: openai, credentials: [{ name: x, value: planted-x, weight: 2 }, { name: y, value: planted-y }] }
  b: { kind: openai, base_url: "http://b/v1", credentials: [{ name: z, value: planted-z }] }
  c: { kind: simulated }
models:
  - { name: m, deployments: [{ provider: a, model: m }, { provider: b, model: m, priority: 2 }], fallbacks: [s] }
  - { name: n, deployments: [{ provider: a, model: m, weight: 5 }] }
  - { name: s, deployments: [{ provider: c, model: s }] }
`;

function content(yaml: string = YAML, version = 'v1'): SnapshotContent {
  const parsed = parseConfig(yaml, { openaiApiKeys: [], openaiBaseUrl: null, variables: {} });
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.errors));
  return contentOf(parsed.config, () => version);
}

const trouble = (of: Health['trouble'], untilMs: number): Health => ({ trouble: of, failures: 5, failedAtMs: 1, untilMs });
const health = (entries: Record<string, Health>): PoolHealth => ({ revision: 1, of: new Map(Object.entries(entries)) });
const until = (of: SnapshotContent): Record<string, number> => Object.fromEntries(of.deployments.flatMap((d) => [[d.id, d.unavailableUntilMs], ...d.credentials.map((c): [string, number] => [c.id, c.unavailableUntilMs])]));

describe('the content of a snapshot', () => {
  test('holds each deployment once, and no value of a credential', () => {
    const made = content();
    expect(made.deployments.map((d) => d.id)).toEqual(['a/m', 'b/m', 'c/s']);
    expect(made.deployments[0]).toMatchObject({ provider: 'a', kind: 'openai', upstreamModel: 'm', credentials: [{ id: 'a/x', version: 'v1', weight: 2 }, { id: 'a/y', weight: 1 }] });
    expect(made.models[0]).toEqual({ name: 'm', strategy: 'weighted', fallbacks: ['s'], deployments: [{ id: 'a/m', weight: 1, priority: 1 }, { id: 'b/m', weight: 1, priority: 2 }] });
    expect(JSON.stringify(made)).not.toContain('planted');
  });

  test('survives JSON with the same digest, and health does not change what it is made of', () => {
    const made = content();
    const healthy = withoutHealth(JSON.parse(JSON.stringify(withHealth(made, health({ [credentialField('a/x', 'v1')]: trouble('rejected', 5) })))));
    expect(digestOf(healthy)).toBe(digestOf(made));
    expect(digestOf(content(YAML, 'v2'))).not.toBe(digestOf(made));
  });

  test('shows what is set aside, of this version of a credential only', () => {
    const shown = withHealth(content(), health({ [credentialField('a/x', 'v1')]: trouble('rate_limited', 50), [credentialField('a/y', 'v0')]: trouble('rejected', 90), [deploymentField('a/m')]: trouble('failing', 70) }));
    expect(until(shown)).toMatchObject({ 'a/x': 50, 'a/y': 0 });
    expect(setAside(shown, 49)).toMatchObject({ credentials: 1 });
    expect(setAside(shown, 50)).toMatchObject({ credentials: 0 });
  });

  test('names the credentials whose values are not to be used any more', () => {
    expect(revokedCredentials(content(), content())).toEqual([]);
    expect(revokedCredentials(content(), content(YAML, 'v2'))).toEqual(['a/x', 'a/y', 'b/z']);
  });
});

describe('failures alone', () => {
  test('set a deployment aside while another one serves its models', () => {
    const shown = withHealth(content(), health({ [deploymentField('b/m')]: trouble('failing', 70) }));
    expect(until(shown)['b/m']).toBe(70);
  });

  test('never set aside everything of a model: the one that would be back first stays', () => {
    // n has a/m only
    expect(until(withHealth(content(), health({ [deploymentField('a/m')]: trouble('failing', 70), [deploymentField('b/m')]: trouble('failing', 60) })))).toMatchObject({ 'a/m': 0 });
    const two = content(YAML.replace('  - { name: n, deployments: [{ provider: a, model: m, weight: 5 }] }\n', ''));
    expect(until(withHealth(two, health({ [deploymentField('a/m')]: trouble('failing', 70), [deploymentField('b/m')]: trouble('failing', 60) })))).toMatchObject({ 'a/m': 70, 'b/m': 0 });
  });

  test('do not count for a deployment whose credentials are all out, as another one could serve', () => {
    const two = content(YAML.replace('  - { name: n, deployments: [{ provider: a, model: m, weight: 5 }] }\n', ''));
    const shown = withHealth(two, health({ [deploymentField('a/m')]: trouble('failing', 70), [credentialField('b/z', 'v1')]: trouble('rejected', 60) }));
    expect(until(shown)).toMatchObject({ 'a/m': 0, 'b/z': 60 });
  });

  test('at any moment and in any state leave a model a deployment, if one has a usable credential', () => {
    const made = content();
    const times = fc.constantFrom(0, 10, 20, 30);
    const state = fc.record({ a: times, b: times, c: times, x: times, y: times, z: times });
    fc.assert(fc.property(state, fc.constantFrom(5, 15, 25), (at, now) => {
      const shown = withHealth(made, health({
        [deploymentField('a/m')]: trouble('failing', at.a), [deploymentField('b/m')]: trouble('failing', at.b), [deploymentField('c/s')]: trouble('failing', at.c),
        [credentialField('a/x', 'v1')]: trouble('rejected', at.x), [credentialField('a/y', 'v1')]: trouble('rejected', at.y), [credentialField('b/z', 'v1')]: trouble('rejected', at.z),
      }));
      for (const model of shown.models) {
        const deployments = model.deployments.map(({ id }) => shown.deployments.find((d) => d.id === id)!);
        const hasCredential = (d: (typeof deployments)[number]): boolean => d.credentials.length === 0 || d.credentials.some((c) => c.unavailableUntilMs <= now);
        const possible = deployments.some(hasCredential);
        expect(deployments.some((d) => hasCredential(d) && d.unavailableUntilMs <= now)).toBe(possible);
      }
    }));
  });
});
