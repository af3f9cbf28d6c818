import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { readEnvironment } from '@deja/config';
import { configVerdict } from './config-problems.ts';

const verdict = (yaml: string): ReturnType<typeof configVerdict> => configVerdict(yaml, readEnvironment({}));

describe('a configuration that is checked', () => {
  test('is good, and what has no effect in it is named with its line', async () => {
    expect(await verdict('cache: { scope: global }\n')).toEqual({ valid: true, errors: [], warnings: [{ path: 'cache.scope', line: 1, column: 10, message: expect.stringContaining('no effect') }] });
  });

  test('is refused with the place of each problem', async () => {
    expect(await verdict('cache:\n  scope: moon\nlimts: {}\n')).toEqual({
      valid: false,
      errors: [
        { path: 'cache.scope', line: 2, column: 3, message: expect.stringContaining('must be one of') },
        { path: 'limts', line: 3, column: 1, message: expect.stringContaining('did you mean "limits"') },
      ],
      warnings: [],
    });
  });

  const WITH_PROVIDER = 'models: [{ name: m, deployments: [{ provider: p, model: m }] }]\n';

  test.each([
    ['cache: { semantic: { embedder: "${file:PLANTED}" } }', 'cache.semantic.embedder'],
    ['content_safety: { moderation: { model: "${env:PLANTED}" } }', 'content_safety.moderation.model'],
    ['cache: { scope: "${file:PLANTED}" }', 'cache.scope'],
    [`${WITH_PROVIDER}providers: { p: { kind: openai, base_url: "\${file:PLANTED}" } }`, 'providers.p.base_url'],
    [`${WITH_PROVIDER}providers: { p: { kind: openai, credentials: [{ name: a, value: "\${file:PLANTED}" }] } }`, 'providers.p.credentials[0].value'],
  ])('reads neither a file nor a variable that it refers to, and says so: %s', async (yaml, path) => {
    const folder = mkdtempSync(join(tmpdir(), 'deja-config-'));
    const file = join(folder, 'planted');
    writeFileSync(file, 'planted: one,two');
    process.env['PLANTED'] = 'planted: one';
    try {
      const checked = await verdict(yaml.replace('file:PLANTED', `file:${file}`));
      // The same as of one that is not there: there is nothing to be found out by asking.
      expect(checked).toEqual(await verdict(yaml.replace(':PLANTED', ':/nowhere')));
      expect(checked).toEqual({ valid: true, errors: [], warnings: [{ path, line: expect.any(Number), column: expect.any(Number), message: expect.stringContaining('not looked at') }] });
    } finally {
      rmSync(folder, { recursive: true });
      delete process.env['PLANTED'];
    }
  });

  test('is bad for its other mistakes, whatever a reference in it gives', async () => {
    expect(await verdict('cache: { scope: "${env:X}", semantic: { max_wrong_rate: 7 } }')).toMatchObject({ valid: false, errors: [{ path: 'cache.semantic.max_wrong_rate' }], warnings: [] });
  });

  test('is checked elsewhere where it is long, with the same outcome, while others have their turn', async () => {
    const long = `cache: { scope: moon }\nlimts: {}\n${'# nothing\n'.repeat(20_000)}`;
    let turns = 0;
    const others = setInterval(() => turns++, 1);
    const [checked, again] = await Promise.all([verdict(long), verdict(long)]).finally(() => clearInterval(others));
    expect(checked).toEqual(await verdict(long.slice(0, 1000)));
    expect(again).toEqual(checked);
    expect(turns).toBeGreaterThan(0);
  });

  test('says of a thousand problems where they are, and of others how many there are', async () => {
    const { errors } = await verdict(Array.from({ length: 3000 }, (_, n) => `key${n}: 1`).join('\n'));
    expect(errors).toHaveLength(1001);
    expect(errors.at(-1)).toEqual({ path: '', line: 1001, column: 1, message: 'and 2000 more from here on' });
  });
});
