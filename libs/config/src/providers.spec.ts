import { describe, expect, test } from '@jest/globals';
import type { ProviderConfig } from './deja-config.ts';
import { parseConfig } from './parse-config.ts';

const NOTHING = { openaiApiKeys: [], openaiBaseUrl: null, variables: {} };

function good(provider: string): ProviderConfig {
  const result = parseConfig(`providers: { p: ${provider} }`, NOTHING);
  if (!result.ok) throw new Error(JSON.stringify(result.errors));
  expect(result.warnings).toEqual([]);
  return result.config.providers[0]!;
}

function errors(provider: string): [string, string][] {
  const result = parseConfig(`providers: { p: ${provider} }`, NOTHING);
  if (result.ok) throw new Error('accepted');
  return result.errors.map(({ path, message }) => [path, message]);
}

describe('a provider of deja.yaml', () => {
  test('may give a credential an address of its own, and limits of every kind; all of its pool have both', () => {
    const { credentials } = good(`{ kind: openai, credentials: [
      { name: a, value: "k1,k2", base_url: "https://eu.example.com/v1/", limits: { requests_per_minute: 1, tokens_per_minute: 2, requests_per_day: 3, tokens_per_day: 4, concurrency: 5 } },
      { name: b, value: k3 }] }`);
    const limits = { requests_per_minute: 1, tokens_per_minute: 2, requests_per_day: 3, tokens_per_day: 4, concurrency: 5 };
    expect(credentials.map((credential) => [credential.id, credential.baseUrl, credential.limits])).toEqual([
      ['p/a-1', 'https://eu.example.com/v1', limits],
      ['p/a-2', 'https://eu.example.com/v1', limits],
      ['p/b', null, {}],
    ]);
  });

  test('of kind azure-openai needs no address when every credential has one', () => {
    expect(good('{ kind: azure-openai, credentials: [{ name: a, value: k, base_url: "https://a.openai.azure.com" }, { name: b, value: l, base_url: "https://b.openai.azure.com" }] }')).toMatchObject({
      baseUrl: '',
      credentials: [{ baseUrl: 'https://a.openai.azure.com' }, { baseUrl: 'https://b.openai.azure.com' }],
    });
  });

  const missing = 'base_url is missing: write the resource, such as base_url: https://my-resource.openai.azure.com, here or with every credential';
  test.each([
    ['{ kind: azure-openai, credentials: [{ name: a, value: k, base_url: "https://a.openai.azure.com" }, { name: b, value: l }] }', 'providers.p', missing],
    ['{ kind: azure-openai }', 'providers.p', missing],
    ['{ kind: openai, base_url: "" }', 'providers.p.base_url', 'must be a URL, such as https://api.example.com/v1'],
    ['{ kind: openai, credentials: [{ name: a, value: k, base_url: "" }] }', 'providers.p.credentials[0].base_url', 'must be a URL, such as https://api.example.com/v1'],
    ['{ kind: openai, credentials: [{ name: a, value: k, base_url: "https://h/v1?key=x" }] }', 'providers.p.credentials[0].base_url', 'must end before any ? or #: write secrets under credentials'],
    ['{ kind: openai, credentials: [{ name: a, value: k, base_url: "https://u:p@h" }] }', 'providers.p.credentials[0].base_url', 'must hold neither user nor password: write secrets under credentials'],
    ['{ kind: openai, credentials: [{ name: a, value: k, base_url: 8 }] }', 'providers.p.credentials[0].base_url', 'must be text, but it is a number: write it in quotes'],
    ['{ kind: openai, credentials: [{ name: a, value: k, limits: { concurrency: 0 } }] }', 'providers.p.credentials[0].limits.concurrency', 'must be at least 1'],
    ['{ kind: openai, base_url: "http://169.254.169.254/v1" }', 'providers.p.base_url', 'must not name 169.254.169.254: link-local and metadata addresses are never called'],
    ['{ kind: openai, credentials: [{ name: a, value: k, base_url: "http://metadata.google.internal" }] }', 'providers.p.credentials[0].base_url', 'must not name metadata.google.internal: link-local and metadata addresses are never called'],
  ])('%s is refused at %s: %s', (written, path, message) => {
    expect(errors(written)).toEqual([[path, message]]);
  });
});
