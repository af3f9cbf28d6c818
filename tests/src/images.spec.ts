import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';

const ROOT = join(import.meta.dirname, '../..');
/** By URL, because it is no project that this one is built upon. */
const tool = async <T>(name: string): Promise<T> => (await import(new URL(`../../tools/image/${name}`, import.meta.url).href)) as T;
const { packageFolders, withoutContent } = await tool<{ packageFolders: (maps: { sources: string[] }[]) => string[]; withoutContent: (map: object) => object }>('bundle-sources.ts');
const { LICENSE_FILE, licensesText } = await tool<{ LICENSE_FILE: RegExp; licensesText: (packages: LicensedPackage[]) => string }>('licenses.ts');
const { sbomOf } = await tool<{ sbomOf: (whole: Sbom, image: object) => Sbom }>('sbom.ts');
const { librariesIn } = await tool<{ librariesIn: (lddOutput: string) => string[] }>('system-files.ts');
const DOCKERFILE = readFileSync(join(ROOT, 'Dockerfile'), 'utf8');

interface LicensedPackage { name: string; version: string; license: string | null; author: string | null; files: { name: string; text: string }[] }
interface Component { 'bom-ref': string; type: string; name: string; version: string; purl?: string }
interface Sbom { bomFormat: string; serialNumber: string; metadata: { timestamp: string; component: Component; tools: unknown[] }; components: Component[]; dependencies: { ref: string; dependsOn?: string[] }[] }

describe('the Dockerfile', () => {
  test('installs from the package.json of every workspace, so that none is missing and a change of sources installs nothing', () => {
    const workspaces = ['apps', 'libs'].flatMap((group) => readdirSync(join(ROOT, group)).map((name) => `${group}/${name}`));
    const copied = [...DOCKERFILE.matchAll(/^COPY (\S+)\/package\.json \1\/$/gm)].map(([, workspace]) => workspace);
    expect(new Set(copied)).toEqual(new Set([...workspaces, 'tests']));
  });

  test('asks nothing of the engine that an old one does not know', () => {
    expect(DOCKERFILE).not.toMatch(/^# *syntax=|--mount|--link|<<|--parents|--exclude/m);
  });

  test('runs every app as a user by number, which is not root, and never anything as another', () => {
    expect([...DOCKERFILE.matchAll(/^USER (.*)$/gm)].map(([, user]) => user)).toEqual(['1000:1000']);
    expect([...DOCKERFILE.matchAll(/^FROM runtime AS (.*)$/gm)].map(([, app]) => app)).toEqual(['gateway', 'router', 'semantic-cache', 'usage-worker']);
  });
});

describe('what is in a bundle', () => {
  test('is every package that left code in it, nested ones by their own folder, and nothing of our own', () => {
    const sources = ['../src/main.ts', '../../../libs/redis/src/index.ts', '../../../node_modules/undici/lib/a.js', '../../../node_modules/undici/lib/b.js', '../../../node_modules/@qdrant/js/node_modules/undici/index.js', '\u0000rolldown/runtime.js'];
    expect(packageFolders([{ sources }, { sources: ['../../../node_modules/@scope/name/x.js'] }])).toEqual(['node_modules/@qdrant/js/node_modules/undici', 'node_modules/@scope/name', 'node_modules/undici']);
  });

  test('is not told word for word by the source maps of an image', () => {
    const map = { version: 3, sources: ['a.ts'], sourcesContent: ['planted'], names: ['b'], mappings: 'AAAA' };
    expect(withoutContent(map)).toEqual({ version: 3, sources: ['a.ts'], names: ['b'], mappings: 'AAAA' });
  });
});

describe('the SBOM of an image', () => {
  const component = (name: string, version: string): Component => ({ 'bom-ref': `${name}@${version}`, type: 'library', name, version, purl: `pkg:npm/${name}@${version}` });
  const whole = (number: string, timestamp: string): Sbom => ({
    bomFormat: 'CycloneDX', serialNumber: number, metadata: { timestamp, component: component('deja', '0.0.0'), tools: [] },
    components: [component('a', '1.0.0'), component('a', '2.0.0'), component('b', '1.0.0')],
    dependencies: [{ ref: 'deja@0.0.0', dependsOn: ['a@1.0.0'] }, { ref: 'a@2.0.0', dependsOn: ['b@1.0.0', 'a@1.0.0'] }, { ref: 'b@1.0.0' }],
  });
  const image = { name: 'deja-x', version: '1.2.3', timestamp: '1970-01-01T00:00:00.000Z', packages: [{ name: 'a', version: '2.0.0' }, { name: 'b', version: '1.0.0' }], others: [component('libc6', '2.36')] };

  test('lists what is in it, in the very version, and what belongs to the system; and nothing else of the repository', () => {
    const sbom = sbomOf(whole('urn:uuid:1', 'now'), image);
    expect(sbom.components.map((one) => one['bom-ref'])).toEqual(['a@2.0.0', 'b@1.0.0', 'libc6@2.36']);
    expect(sbom.dependencies).toEqual([
      { ref: 'deja-x@1.2.3', dependsOn: ['a@2.0.0', 'b@1.0.0', 'libc6@2.36'] }, { ref: 'a@2.0.0', dependsOn: ['b@1.0.0'] }, { ref: 'b@1.0.0', dependsOn: [] },
    ]);
    expect(sbom).toMatchObject({ bomFormat: 'CycloneDX', metadata: { timestamp: image.timestamp, tools: [], component: { type: 'container', name: 'deja-x', version: '1.2.3' } } });
  });

  test('is the same for the same image, and another for another', () => {
    const one = sbomOf(whole('urn:uuid:1', 'today'), image);
    expect(sbomOf(whole('urn:uuid:2', 'tomorrow'), image)).toEqual(one);
    expect(one.serialNumber).toMatch(/^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-9[0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(sbomOf(whole('urn:uuid:1', 'today'), { ...image, packages: image.packages.slice(1) }).serialNumber).not.toBe(one.serialNumber);
  });

  test('is none at all where something is in the bundle that npm does not know', () => {
    expect(() => sbomOf(whole('urn:uuid:1', 'now'), { ...image, packages: [{ name: 'stranger', version: '1.0.0' }] })).toThrow('npm sbom does not list what is in the bundle: stranger@1.0.0');
  });
});

describe('the licences of what is bundled', () => {
  const licensed = (name: string, license: string | null, ...texts: string[]): LicensedPackage => ({ name, version: '1.0.0', license, author: 'its author', files: texts.map((text) => ({ name: 'LICENSE', text })) });

  test('are told in full, with notices, each under the name of its package', () => {
    const text = licensesText([licensed('a', 'Apache-2.0', 'the Apache terms', 'a notice'), licensed('b', 'MIT', 'terms of b')]);
    expect(text).toMatch(/a 1\.0\.0: Apache-2\.0\n-+\nthe Apache terms\n\na notice\n[^]*b 1\.0\.0: MIT\n-+\nterms of b\n/);
  });

  test('of a package without a licence file are those that it names, with its author', () => {
    const text = licensesText([licensed('a', 'Apache-2.0', 'the Apache terms'), licensed('b', 'MIT'), licensed('c', 'Apache-2.0')]);
    expect(text).toMatch(/b 1\.0\.0: MIT\n-+\nCopyright \(c\) its author\n\nPermission is hereby granted/);
    expect(text).toMatch(/c 1\.0\.0: Apache-2\.0\n-+\nCopyright \(c\) its author\n\nthe Apache terms/);
  });

  test('must be known: a package that names none, or one whose text is not at hand, makes no image', () => {
    expect(() => licensesText([licensed('b', null)])).toThrow('b has no licence file, and the text of its licence (none named) is not at hand');
    expect(() => licensesText([licensed('b', 'BSD-2-Clause')])).toThrow('b has no licence file, and the text of its licence (BSD-2-Clause) is not at hand');
  });

  test.each([['LICENSE', true], ['license.md', true], ['LICENCE.txt', true], ['LICENSE-MIT', true], ['COPYING', true], ['NOTICE', true], ['README.md', false], ['licenses.js.map', false]])('%s among its files is a licence: %s', (name, isOne) => {
    expect(LICENSE_FILE.test(name)).toBe(isOne);
  });
});

test('what a program loads is read off ldd, with the loader and without what the kernel gives', () => {
  const glibc = '\tlinux-vdso.so.1 (0x00007f)\n\tlibm.so.6 => /lib/x86_64-linux-gnu/libm.so.6 (0x00007f)\n\t/lib64/ld-linux-x86-64.so.2 (0x00007f)\n';
  expect(librariesIn(glibc)).toEqual(['/lib/x86_64-linux-gnu/libm.so.6', '/lib64/ld-linux-x86-64.so.2']);
  expect(librariesIn('\t/lib/ld-musl-x86_64.so.1 (0x7f)\n\tlibc.musl-x86_64.so.1 => /lib/ld-musl-x86_64.so.1 (0x7f)\n')).toEqual(['/lib/ld-musl-x86_64.so.1', '/lib/ld-musl-x86_64.so.1']);
  expect(librariesIn('\tnot a dynamic executable\n')).toEqual([]);
});
