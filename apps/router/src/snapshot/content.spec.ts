import { describe, expect, test } from '@jest/globals';
import { parseConfig, type DejaConfig } from '@deja/config';
import type { CredentialRef } from '@deja/contracts';
import fc from 'fast-check';
import { credentialField, deploymentField, type PoolHealth } from '../pool/health-store.ts';
import type { Health } from '../pool/health.ts';
import type { Standing } from '../pool/standing.ts';
import { configurationOf, contentOf, digestOf, revokedCredentials, setAside, withHealth, withoutHealth, type Configuration, type ContentSources, type SnapshotContent } from './content.ts';

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

function sources(over: Partial<ContentSources> = {}, version = 'v1'): ContentSources {
  return { versionOf: () => version, storedFor: () => [], isKeyed: () => false, isDrained: () => false, ...over };
}

function parsed(yaml: string): DejaConfig {
  const result = parseConfig(yaml, { openaiApiKeys: [], openaiBaseUrl: null, variables: {} });
  if (!result.ok) throw new Error(JSON.stringify(result.errors));
  return result.config;
}

const content = (yaml: string = YAML, version = 'v1', over: Partial<ContentSources> = {}): SnapshotContent => contentOf(parsed(yaml), sources(over, version));

/** A credential of the admin API. */
const stored = (over: Partial<CredentialRef> = {}): CredentialRef => ({ id: 'a/s', version: 's1', weight: 1, limits: {}, unavailableUntilMs: 0, ...over });
const storedForA = (...credentials: CredentialRef[]): Partial<ContentSources> => ({ storedFor: (provider) => (provider === 'a' ? credentials : []) });

const standing = (over: Partial<Standing>): Standing => ({ health: null, window: null, latency: null, elsewhere: null, uses: null, ...over });
const trouble = (of: Health['trouble'], untilMs: number): Standing => standing({ health: { trouble: of, failures: 5, failedAtMs: 1, untilMs } });
const health = (entries: Record<string, Standing>): PoolHealth => ({ revision: 1, of: new Map(Object.entries(entries)) });
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

  test('of the same file is told apart by it alone: what the admin API gave has a revision of its own', () => {
    const one = (over: Partial<ContentSources>, vault: number, yaml = YAML): Configuration => configurationOf(parsed(yaml), sources(over), vault);
    const [plain, more] = [one({}, 1), one({ ...storedForA(stored()), isDrained: () => true }, 2)];
    expect(more.file).toBe(plain.file);
    expect([plain.vault, more.vault]).toEqual([1, 2]);
    expect(digestOf(more.content)).not.toBe(digestOf(plain.content));
    expect(one({}, 1, YAML.replace('weight: 2', 'weight: 3')).file).not.toBe(plain.file);
  });

  test('has the credentials of the admin API after those of the file, and what was drained', () => {
    const ofTenant = stored({ id: 'a/t', tenant: 'acme', baseUrl: 'https://a.example.com', checkedAddress: true });
    const made = content(YAML, 'v1', { ...storedForA(ofTenant), isDrained: (id) => id === 'b/m' });
    expect(made.deployments[0]!.credentials.map(({ id }) => id)).toEqual(['a/x', 'a/y', 'a/t']);
    expect(made.deployments[0]!.credentials[2]).toEqual(ofTenant);
    expect(made.deployments.map(({ drained }) => drained)).toEqual([undefined, true, undefined]);
  });

  test('shows what is set aside, of this version of a credential only', () => {
    const shown = withHealth(content(), health({ [credentialField('a/x', 'v1')]: trouble('rate_limited', 50), [credentialField('a/y', 'v0')]: trouble('rejected', 90), [deploymentField('b/m')]: trouble('failing', 70) }));
    expect(until(shown)).toMatchObject({ 'a/x': 50, 'a/y': 0 });
    expect(shown.deployments[0]!.credentials.map((c) => c.trouble)).toEqual(['rate_limited', undefined]);
    expect(shown.deployments.map((d) => d.trouble)).toEqual([undefined, 'failing', undefined]);
    expect(shown.deployments[0]).not.toHaveProperty('trouble');
    expect(setAside(shown, 49)).toMatchObject({ rate_limited: { credentials: 1, deployments: 0 }, failing: { credentials: 0, deployments: 1 }, rejected: { credentials: 0 } });
    expect(setAside(shown, 50)).toMatchObject({ rate_limited: { credentials: 0 } });
  });

  test('keeps the values of a rotated credential apart', () => {
    const shown = withHealth(content(YAML, 'v1', storedForA(stored({ version: 's2' }), stored({ weight: 0, retiring: true }))), health({ [credentialField('a/s', 's2')]: trouble('rejected', 50) }));
    expect(shown.deployments[0]!.credentials.slice(2)).toMatchObject([{ version: 's2', trouble: 'rejected' }, { version: 's1', unavailableUntilMs: 0 }]);
    expect(setAside(shown, 49).rejected.credentials).toBe(1);
  });

  test('shows no trouble where a few failures are only being watched', () => {
    expect(withHealth(content(), health({ [credentialField('a/x', 'v1')]: trouble('forbidden', 0) }))).toEqual(content());
  });

  test('shows latencies as the gateways were last told', () => {
    const latency = { sumMs: 1, weight: 1, atMs: 1, shownMs: 120 };
    const shown = withHealth(content(), health({ [deploymentField('a/m')]: standing({ latency }), [deploymentField('b/m')]: standing({ latency: { ...latency, shownMs: null } }) }));
    expect(shown.deployments.map((d) => d.firstByteMs)).toEqual([120, undefined, undefined]);
    expect(withoutHealth(shown)).toEqual(content());
  });

  test('names the credentials whose values are not to be used any more', () => {
    expect(revokedCredentials(content(), content())).toEqual([]);
    expect(revokedCredentials(content(), content(YAML, 'v2'))).toEqual(['a/x@v1', 'a/y@v1', 'b/z@v1']);
  });

  test('names the former value of a rotated credential when it is gone, and not the new one', () => {
    const [before, during, afterwards] = [[stored()], [stored({ version: 's2' }), stored({ weight: 0, retiring: true })], [stored({ version: 's2' })]].map((list) => content(YAML, 'v1', storedForA(...list)));
    expect(revokedCredentials(before!, during!)).toEqual([]);
    expect(revokedCredentials(during!, afterwards!)).toEqual(['a/s@s1']);
  });
});

describe('failures alone', () => {
  test('set a deployment aside while another one serves its models', () => {
    const shown = withHealth(content(), health({ [deploymentField('b/m')]: trouble('failing', 70) }));
    expect(until(shown)['b/m']).toBe(70);
  });

  test('leave the only deployment of a model without a mark, which would let one request at a time through', () => {
    expect(withHealth(content(), health({ [deploymentField('c/s')]: trouble('failing', 70) }))).toEqual(content());
  });

  test('count only beside others that serve: not a shadow, nothing drained, and no credential of one tenant alone', () => {
    const failing = health({ [deploymentField('a/m')]: trouble('failing', 70) });
    const two = YAML.replace('  - { name: n, deployments: [{ provider: a, model: m, weight: 5 }] }\n', '');
    expect(until(withHealth(content(two), failing))['a/m']).toBe(70);
    expect(until(withHealth(content(two.replace('priority: 2', 'shadow: 0.1')), failing))['a/m']).toBe(0);
    expect(until(withHealth(content(two, 'v1', { isDrained: (id) => id === 'b/m' }), failing))['a/m']).toBe(0);
    const withOneTenants = content(two, 'v1', { storedFor: (provider) => (provider === 'b' ? [stored({ id: 'b/t', tenant: 'acme' })] : []) });
    const everyonesAreOut = health({ [deploymentField('a/m')]: trouble('failing', 70), [credentialField('b/z', 'v1')]: trouble('rejected', 60) });
    expect(until(withHealth(withOneTenants, everyonesAreOut))['a/m']).toBe(0);
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

  test('of credentials are shown as they are, for plans turn to these last; beside a deployment that has no others left, another one stays', () => {
    const two = content(YAML.replace('  - { name: n, deployments: [{ provider: a, model: m, weight: 5 }] }\n', ''));
    const shown = withHealth(two, health({ [deploymentField('a/m')]: trouble('failing', 70), [credentialField('b/z', 'v1')]: trouble('failing', 60), [credentialField('a/x', 'v1')]: trouble('failing', 80) }));
    expect(until(shown)).toEqual({ 'a/m': 0, 'a/x': 80, 'a/y': 0, 'b/m': 0, 'b/z': 60, 'c/s': 0 });
    expect(shown.deployments[1]!.credentials[0]!.trouble).toBe('failing');
    expect(setAside(shown, 50).failing).toEqual({ credentials: 2, deployments: 0 });
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

describe('a provider without any credential', () => {
  const yaml = (credentials: string): string => `providers: { a: { kind: openai, base_url: "http://127.0.0.1:9/v1"${credentials} } }\nmodels: [{ name: m, deployments: [{ provider: a, model: m }] }]`;
  const keyed = (credentials: string, over: Partial<ContentSources> = {}): boolean | undefined => contentOf(parsed(yaml(credentials)), sources(over)).deployments[0]?.keyed;

  test('needs none where the file names none', () => {
    expect(keyed('')).toBeUndefined();
  });

  test('is not called where the file says that they come by the admin API, or the vault has some that are disabled', () => {
    expect(keyed(', credentials: []')).toBe(true);
    expect(keyed('', { isKeyed: () => true })).toBe(true);
  });
});
