import { inspect } from 'node:util';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { parseConfig } from './parse-config.ts';

const NOTHING = { openaiApiKeys: [], openaiBaseUrl: null, variables: {} };

function good(text: string, readFile?: (path: string) => string): Extract<ReturnType<typeof parseConfig>, { ok: true }> {
  const result = parseConfig(text, NOTHING, readFile);
  if (!result.ok) throw new Error(JSON.stringify(result.errors));
  return result;
}

function errors(text: string, readFile?: (path: string) => string): { message: string; path: string }[] {
  const result = parseConfig(text, NOTHING, readFile);
  if (result.ok) throw new Error('accepted');
  return result.errors;
}

describe('a deja.yaml that is none', () => {
  test.each(['', '  \n', '# only a comment\n', 'null\n'])('an empty file (%j) is refused: a save cut short must not take the configuration away', (text) => {
    expect(errors(text)).toEqual([expect.objectContaining({ message: expect.stringContaining('empty') })]);
  });

  test('a file that refers to itself is refused like any other bad file', () => {
    expect(errors('providers: &a [*a]\n')).not.toHaveLength(0);
  });

  test.each([200, 700, 1500, 20_000])('a file nested %d deep is refused like any other bad file', (depth) => {
    expect(errors(`providers: ${'['.repeat(depth)}${']'.repeat(depth)}`)).not.toHaveLength(0);
  });

  test.each(['['.repeat(50_000), `content_safety: { deny: ${'['.repeat(50_000)} }`])('a file nested deeper than can be read is called so, and nothing else (%#)', (text) => {
    expect(errors(text).map(({ message }) => message)).toEqual(['the file is nested too deeply to be a configuration']);
  });

  test('a file that a credential names and that cannot be read, or is empty, is an error that names it', () => {
    const text = 'providers: { a: { kind: openai, credentials: [{ name: x, value: "${file:/run/x}" }] } }';
    const missing = (): string => { throw Object.assign(new Error('gone'), { code: 'ENOENT' }); };
    expect(errors(text, missing)[0]?.message).toBe('the file /run/x cannot be read (ENOENT): create it, or correct ${file:/run/x}');
    expect(errors(text, () => '\n')[0]?.message).toBe('the file /run/x is empty: write the value into it');
    expect(good(text, () => 'k').files).toEqual(['/run/x']);
  });

  test('never prints the value of a credential: not in the configuration, not in an error', () => {
    const text = 'providers: { a: { kind: openai, credentials: [{ name: x, value: "planted 1" }] }, b: { kind: openai, credentials: [{ name: y, value: "planted2" }] } }';
    expect(JSON.stringify(errors(text))).not.toContain('planted');
    const { config } = good('providers: { a: { kind: openai, credentials: [{ name: x, value: planted3 }] } }');
    expect(JSON.stringify(config) + inspect(config, { depth: 9 }) + String(config.providers[0]?.credentials[0]?.value)).not.toContain('planted');
  });

  test('whatever the text, there is an answer: a configuration, or problems with their places', () => {
    const word = fc.constantFrom('providers', 'models', 'limits', 'cache', 'name', 'kind', 'openai', ':', '-', ' ', '\n', '  ', '{', '}', '[', ']', '"', '${env:X}', '&a', '*a', '#', '1', '<<', '!!map', '?');
    fc.assert(fc.property(fc.oneof(fc.string(), fc.array(word).map((words) => words.join(''))), (text) => {
      const result = parseConfig(text, NOTHING, () => '');
      const problems = result.ok ? [] : result.errors;
      expect(result.ok || problems.length > 0).toBe(true);
      for (const problem of problems) expect(Math.min(problem.line, problem.column, problem.message.length)).toBeGreaterThan(0);
    }), { numRuns: 500 });
  });
});
