import { describe, expect, test } from '@jest/globals';
import { parseConfig } from './parse-config.ts';

const MODELS = 'models: [{ name: m, deployments: [{ provider: p, model: m }] }]\n';

/** The sentences about a deja.yaml whose references all give this value. */
function told(yaml: string, value: string): string {
  const parsed = parseConfig(yaml, { openaiApiKeys: [], openaiBaseUrl: null, variables: { X: value } }, () => value);
  if (parsed.ok) throw new Error('accepted');
  return parsed.errors.map(({ message }) => message).join('\n');
}

describe('a sentence about deja.yaml', () => {
  test.each([
    ['cache: { semantic: { embedder: "${file:x}" } }', 'kid2026:c2VjcmV0LXNlY3JldC1zZWNyZXQ'],
    ['content_safety: { moderation: { model: "${env:X}" } }', 'sk-planted "secretly"'],
    ['content_safety: { moderation: { model: "${env:X}" } }', 'first\nplanted'],
    ['outbound: { allow: ["${env:X}"] }', 'planted secret'],
    [`${MODELS}providers: { p: { kind: openai, base_url: "\${env:X}" } }`, 'http://metadata.google.internal/planted'],
    ['providers: { p: { kind: openai, base_url: "http://127.0.0.1:9" } }\nmodels: [{ name: m, deployments: [{ provider: "${env:X}", model: m }] }]', 'kid2026/planted'],
    ['providers: { p: { kind: openai, base_url: "http://127.0.0.1:9" } }\nmodels: [{ name: m, fallbacks: ["${env:X}"], deployments: [{ provider: p, model: m }] }]', 'kid2026/planted'],
  ])('repeats no part of a value that came by a reference: %s', (yaml, value) => {
    const sentences = told(yaml, value);
    const parts = value.split(/[^a-z0-9]+/i).filter((part) => part.length >= 3);
    expect(parts.filter((part) => sentences.includes(part))).toEqual([]);
    expect(sentences).toContain('refers to a value');
  });

  test('still says what is wrong where that tells nothing', () => {
    expect(told(`${MODELS}providers: { p: { kind: openai, base_url: "\${env:X}" } }`, 'zzz')).toBe('must be a URL, such as https://api.example.com/v1');
  });
});
