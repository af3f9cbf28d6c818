import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { readEnvironment, type DejaConfig } from '@deja/config';
import { createLogger } from '@deja/telemetry';
import { BadConfigFile, ConfigFile } from './config-file.ts';

jest.setTimeout(30_000);

let dir: string;
let file: ConfigFile;
let lines: string[];
let configs: DejaConfig[];

const yaml = (...models: string[]): string => `providers: { p: { kind: simulated } }\nmodels: [${models.map((m) => `{ name: ${m}, deployments: [{ provider: p, model: ${m} }] }`).join(', ')}]\n`;
const names = (config: DejaConfig | undefined): string[] => (config?.models ?? []).map((model) => model.name);

function open(path: string): ConfigFile {
  const variables = { DEJA_CONFIG: path };
  const logger = createLogger({ service: 'router', instance: 'test', destination: { write: (line: string) => void lines.push(line) } });
  file = new ConfigFile({ ...readEnvironment(variables), variables }, logger);
  return file;
}

async function watching(path: string): Promise<string[]> {
  const first = await open(path).load();
  file.watch(async (config) => void configs.push(config));
  return names(first);
}

/** Two seconds are the promise; the deadline is longer because the machine may be busy. */
async function eventually(what: string, look: () => boolean): Promise<void> {
  const untilMs = Date.now() + 10_000;
  while (!look()) {
    if (Date.now() > untilMs) throw new Error(`not in time: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'deja-config-'));
  lines = [];
  configs = [];
});
afterEach(async () => {
  await file.close();
  await rm(dir, { recursive: true });
});

describe('a change of deja.yaml is noticed', () => {
  test('when the file is written in place', async () => {
    await writeFile(join(dir, 'deja.yaml'), yaml('a'));
    expect(await watching(join(dir, 'deja.yaml'))).toEqual(['a']);
    await writeFile(join(dir, 'deja.yaml'), yaml('a', 'b'));
    await eventually('the change', () => configs.length > 0);
    expect(names(configs.at(-1))).toEqual(['a', 'b']);
  });

  test('when another file takes its name, as editors do', async () => {
    await writeFile(join(dir, 'deja.yaml'), yaml('a'));
    await watching(join(dir, 'deja.yaml'));
    await writeFile(join(dir, 'new'), yaml('b'));
    await rename(join(dir, 'new'), join(dir, 'deja.yaml'));
    await eventually('the change', () => configs.length > 0);
    expect(names(configs.at(-1))).toEqual(['b']);
  });

  test('when a symbolic link on the way to it moves, as in a mounted ConfigMap', async () => {
    for (const version of ['1', '2']) {
      await mkdir(join(dir, version));
      await writeFile(join(dir, version, 'deja.yaml'), yaml(`v${version}`));
    }
    await symlink('1', join(dir, 'data'));
    await symlink('data/deja.yaml', join(dir, 'deja.yaml'));
    expect(await watching(join(dir, 'deja.yaml'))).toEqual(['v1']);
    await symlink('2', join(dir, 'data-new'));
    await rename(join(dir, 'data-new'), join(dir, 'data'));
    await eventually('the change', () => configs.length > 0);
    expect(names(configs.at(-1))).toEqual(['v2']);
  });

  test('when it appears only after the start', async () => {
    expect(await watching(join(dir, 'deja.yaml'))).toEqual(['simulated']);
    await writeFile(join(dir, 'deja.yaml'), yaml('a'));
    await eventually('the change', () => configs.length > 0);
    expect(names(configs.at(-1))).toEqual(['a']);
  });

  test('when a file changes that a credential refers to', async () => {
    await writeFile(join(dir, 'secret'), 'sk-one');
    await writeFile(join(dir, 'deja.yaml'), `providers: { p: { kind: openai, credentials: [{ name: a, value: "\${file:${join(dir, 'secret')}}" }] } }`);
    await watching(join(dir, 'deja.yaml'));
    await writeFile(join(dir, 'secret'), 'sk-two');
    await eventually('the change', () => configs.length > 0);
    expect(configs.at(-1)?.providers[0]?.credentials[0]?.value.reveal()).toBe('sk-two');
  });
});

describe('a bad deja.yaml', () => {
  test('at the start is an error that names each problem with its place', async () => {
    const path = join(dir, 'deja.yaml');
    await writeFile(path, 'modles: []\ncache: { scope: tennant }\n');
    await expect(open(path).load()).rejects.toEqual(new BadConfigFile(path, [
      { path: 'modles', line: 1, column: 1, message: 'unknown key "modles" (did you mean "models"?)' },
      { path: 'cache.scope', line: 2, column: 10, message: 'must be one of key, user, tenant, global (did you mean "tenant"?)' },
    ]));
  });

  test('later is refused whole and said once; the next good one is taken', async () => {
    const path = join(dir, 'deja.yaml');
    await writeFile(path, yaml('a'));
    await watching(path);
    await writeFile(path, `${yaml('b')}cahce: {}\n`);
    await eventually('the refusal', () => lines.length > 0);
    await file.check();
    expect(configs).toEqual([]);
    expect(lines.filter((line) => line.includes(`${path}:3:1: cahce: unknown key \\"cahce\\" (did you mean \\"cache\\"?)`))).toHaveLength(1);
    await writeFile(path, yaml('c'));
    await eventually('the good one', () => configs.length > 0);
    expect(configs.map(names)).toEqual([['c']]);
  });

  test('or none at all leaves the last good one in force', async () => {
    const path = join(dir, 'deja.yaml');
    await writeFile(path, yaml('a'));
    await watching(path);
    await rm(path);
    await eventually('the warning', () => lines.some((line) => line.includes('the configuration file is gone')));
    expect(configs).toEqual([]);
  });

  test('that was only touched is no change', async () => {
    const path = join(dir, 'deja.yaml');
    await writeFile(path, yaml('a'));
    await watching(path);
    await writeFile(path, yaml('a'));
    await file.check();
    expect(configs).toEqual([]);
  });
});
