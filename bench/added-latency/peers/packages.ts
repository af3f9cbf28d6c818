import { spawn } from 'node:child_process';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Peer } from './peer.ts';

const CACHE = fileURLToPath(new URL('../../../node_modules/.cache/deja/peers', import.meta.url));

/** Installs a peer's packages beside those of deja, where they stay for the next time. Gives the folder; rejects with one sentence. */
export async function installPackages(name: string, { dependencies, overrides }: NonNullable<Peer['packages']>): Promise<string> {
  const folder = join(CACHE, name);
  const wanted = JSON.stringify({ private: true, dependencies, overrides }, null, 2);
  const stamp = join(folder, 'installed.json');
  if ((await readFile(stamp, 'utf8').catch(() => null)) === wanted) return folder;
  process.stderr.write(`Installing ${Object.entries(dependencies).map(([one, version]) => `${one} ${version}`).join(', ')} for ${name} …\n`);
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'package.json'), wanted);
  await npmInstall(folder);
  await writeFile(stamp, wanted);
  return folder;
}

/** Without scripts: what is measured needs none, and a stranger's are not run. */
async function npmInstall(folder: string): Promise<void> {
  const child = spawn('npm', ['install', '--prefix', folder, '--ignore-scripts', '--omit=dev', '--no-audit', '--no-fund', '--no-package-lock', '--loglevel=error'], { cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => (said = `${said}${chunk.toString('utf8')}`.slice(-2000)));
  const code = await new Promise<number | null>((resolve, reject) => child.once('error', reject).once('close', resolve));
  if (code !== 0) throw new Error(`npm could not install its packages: ${said.trim().split('\n').at(-1) ?? ''}`);
}
