import { inspect } from 'node:util';
import { describe, expect, test } from '@jest/globals';
import { parseConfig, type DejaConfig } from '@deja/config';
import { FileCredentials } from './file-credentials.ts';

function config(value: string): DejaConfig {
  const parsed = parseConfig(`providers: { p: { kind: openai, credentials: [{ name: a, value: "${value}" }] } }`, { openaiApiKeys: [], openaiBaseUrl: null, variables: {} });
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.errors));
  return parsed.config;
}

function holding(value: string, salt = 'salt', now = (): number => 0): { file: FileCredentials; version: string } {
  const file = new FileCredentials(Buffer.from(salt), now);
  file.hold(config(value));
  return { file, version: file.versionOf(file.all[0]!) };
}

describe('credentials of the file', () => {
  test('are given out only in exactly the version that is held, and what was replaced for a moment', () => {
    let now = 0;
    const { file, version } = holding('sk-planted', 'salt', () => now);
    const given = (): unknown[] => [{ id: 'p/a', version: 'other' }, { id: 'p/b', version }, { id: 'p/a', version }].map((wanted) => file.valueOf(wanted)?.reveal());
    expect(given()).toEqual([undefined, undefined, 'sk-planted']);
    file.hold(config('sk-next'));
    now = 999;
    expect(given()).toEqual([undefined, undefined, 'sk-planted']);
    now = 1000;
    expect(given()).toEqual([undefined, undefined, undefined]);
  });

  test('have versions that change with the value and with the cluster, and are the same in every replica', () => {
    const versions = [holding('one'), holding('one'), holding('two'), holding('one', 'other salt')].map(({ version }) => version);
    expect(versions[0]).toBe(versions[1]);
    expect(new Set(versions).size).toBe(3);
  });

  test('do not print', () => {
    expect(inspect(holding('sk-planted').file, { depth: 9, showHidden: true })).not.toContain('planted');
  });
});
