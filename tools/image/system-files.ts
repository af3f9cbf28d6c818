import { execFileSync } from 'node:child_process';
import { chmodSync, cpSync, existsSync, mkdirSync, readdirSync, readFileSync, realpathSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { Component } from './sbom.ts';

/** Paths of what a program loads, from what `ldd` says of it: the loader, and libraries as they are asked for. */
export function librariesIn(lddOutput: string): string[] {
  return lddOutput.split('\n').flatMap((line) => /(?:=>\s+|^\s*)(\/\S+)\s+\(0x/.exec(line)?.[1] ?? []);
}

/** Looked up by glibc while it runs, so `ldd` does not know them; glibc 2.34 and later have them built in. */
const LOADED_BY_NAME = ['libnss_files.so.2', 'libnss_dns.so.2', 'libresolv.so.2'];

const ACCOUNTS = {
  'etc/passwd': 'root:x:0:0:root:/:/sbin/nologin\nnode:x:1000:1000:node:/tmp:/sbin/nologin\n',
  'etc/group': 'root:x:0:\nnode:x:1000:\n',
  'etc/nsswitch.conf': 'hosts: files dns\n',
};

/**
 * Puts under `target` all of the operating system that an image needs: this very Node, the libraries that it and `native` load, names for two users, /tmp.
 * No shell, no package manager. Where the libraries come from Debian packages these are written down for scanners, in the way of images without a package
 * manager (var/lib/dpkg/status.d), and returned for the SBOM.
 */
export function copySystem(target: string, native: readonly string[]): Component[] {
  const programs = [process.execPath, ...native];
  const loaded = programs.flatMap((program) => librariesIn(execFileSync('ldd', [program], { encoding: 'utf8' })));
  // What lies beside a native module travels with it.
  const libraries = new Set(loaded.filter((path) => !native.some((one) => dirname(one) === dirname(path))));
  const libc = [...libraries].find((path) => basename(path).startsWith('libc.so'));
  if (libc !== undefined) for (const name of LOADED_BY_NAME) if (existsSync(join(dirname(libc), name))) libraries.add(join(dirname(libc), name));
  copyFile(process.execPath, join(target, 'usr/local/bin/node'));
  for (const path of libraries) copyFile(path, join(target, path));
  for (const [path, text] of Object.entries(ACCOUNTS)) {
    mkdirSync(dirname(join(target, path)), { recursive: true });
    writeFileSync(join(target, path), text, { mode: 0o644 });
  }
  mkdirSync(join(target, 'tmp'));
  chmodSync(join(target, 'tmp'), 0o1777);
  const license = join(dirname(dirname(process.execPath)), 'LICENSE');
  if (existsSync(license)) copyFile(license, join(target, 'usr/local/LICENSE'));
  return [nodeComponent(), ...debianPackages([...libraries]).map((name) => describePackage(target, name))];
}

function copyFile(from: string, to: string): void {
  mkdirSync(dirname(to), { recursive: true });
  cpSync(realpathSync(from), to);
}

function nodeComponent(): Component {
  const { version } = process;
  const number = version.slice(1);
  return { 'bom-ref': `node@${number}`, type: 'application', name: 'node', version: number, purl: `pkg:generic/node@${number}`, cpe: `cpe:2.3:a:nodejs:node.js:${number}:*:*:*:*:*:*:*`, licenses: [{ license: { id: 'MIT' } }] };
}

/** Names of the packages that the files are from; none where there is no dpkg. */
function debianPackages(paths: readonly string[]): string[] {
  if (!existsSync('/var/lib/dpkg/info')) return [];
  const wanted = new Set(paths.flatMap((path) => [path, realpathSync(path)]).flatMap((path) => [path, path.replace(/^\/usr/, ''), `/usr${path}`]));
  const names = readdirSync('/var/lib/dpkg/info').filter((file) => file.endsWith('.list') && readFileSync(join('/var/lib/dpkg/info', file), 'utf8').split('\n').some((line) => wanted.has(line)));
  return names.map((file) => basename(file, '.list').replace(/:.*/, '')).sort();
}

/** Status, copyright and the licences it refers to of one package, put where scanners and readers look for them. */
function describePackage(target: string, name: string): Component {
  const status = execFileSync('dpkg-query', ['-s', name], { encoding: 'utf8' });
  mkdirSync(join(target, 'var/lib/dpkg/status.d'), { recursive: true });
  writeFileSync(join(target, 'var/lib/dpkg/status.d', name), status);
  const copyright = `/usr/share/doc/${name}/copyright`;
  if (existsSync(copyright)) {
    copyFile(copyright, join(target, copyright));
    for (const [path] of readFileSync(copyright, 'utf8').matchAll(/\/usr\/share\/common-licenses\/[\w.-]*\w/g)) if (existsSync(path)) copyFile(path, join(target, path));
  }
  const field = (key: string): string => new RegExp(`^${key}: (.*)$`, 'm').exec(status)?.[1] ?? '';
  const version = field('Version');
  const system = existsSync('/etc/os-release') ? readFileSync('/etc/os-release', 'utf8') : '';
  const release = /^ID=(.*)$/m.exec(system)?.[1] ?? 'debian';
  if (system !== '') copyFile('/etc/os-release', join(target, 'etc/os-release'));
  const distro = /^VERSION_ID="?([^"\n]*)/m.exec(system)?.[1];
  const purl = `pkg:deb/${release}/${name}@${encodeURIComponent(version)}?arch=${field('Architecture')}${distro === undefined ? '' : `&distro=${release}-${distro}`}`;
  return { 'bom-ref': purl, type: 'library', name, version, purl };
}
