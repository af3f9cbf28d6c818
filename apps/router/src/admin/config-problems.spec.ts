import { describe, expect, test } from '@jest/globals';
import { readEnvironment } from '@deja/config';
import { configVerdict } from './config-problems.ts';

const verdict = (yaml: string, variables: NodeJS.ProcessEnv = {}): ReturnType<typeof configVerdict> => configVerdict(yaml, { ...readEnvironment({}), variables });

describe('a configuration that is checked', () => {
  test('is good, and what has no effect in it is named with its line', () => {
    expect(verdict('cache: { scope: global }\n')).toEqual({ valid: true, errors: [], warnings: [{ path: 'cache.scope', line: 1, column: null, message: expect.stringContaining('no effect') }] });
  });

  test('is refused with the place of each problem', () => {
    expect(verdict('cache:\n  scope: moon\nlimts: {}\n')).toEqual({
      valid: false,
      errors: [
        { path: 'cache.scope', line: 2, column: 3, message: expect.stringContaining('must be one of') },
        { path: 'limts', line: 3, column: 1, message: expect.stringContaining('did you mean "limits"') },
      ],
      warnings: [],
    });
  });

  test.each([
    'providers: { p: { kind: openai, base_url: "http://127.0.0.1:9" } }\nmodels: [{ name: m, deployments: [{ provider: "x${env:PLANTED}", model: m }] }]',
    'providers: { p: { kind: openai, base_url: "http://127.0.0.1:9" } }\nmodels: [{ name: m, fallbacks: ["${env:PLANTED}"], deployments: [{ provider: p, model: m }] }]',
    'content_safety: { moderation: { model: "${env:PLANTED}" } }',
  ])('repeats nothing of the environment: %s', (yaml) => {
    const checked = verdict(yaml, { PLANTED: 'sk-planted "value"' });
    expect(checked.valid).toBe(false);
    expect(JSON.stringify(checked)).not.toContain('sk-planted');
    expect(checked.errors[0]).toMatchObject({ line: expect.any(Number), message: expect.stringContaining('refers to a value') });
  });

  test('reads no device and no folder', () => {
    const yaml = 'providers: { p: { kind: openai, credentials: [{ name: a, value: "${file:/dev/zero}" }, { name: b, value: "${file:/}" }] } }\nmodels: [{ name: m, deployments: [{ provider: p, model: m }] }]';
    expect(verdict(yaml).errors.map(({ message }) => message)).toEqual([expect.stringContaining('cannot be read'), expect.stringContaining('cannot be read')]);
  });
});
