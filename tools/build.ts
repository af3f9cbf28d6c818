import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { APPS, LauncherError } from '@deja/launcher';
import { runNx } from './nx.ts';

/** What runs, and the command line, which talks to it. */
const BUILT = [...APPS, 'cli'];
const SKIPPED = new Set(['node_modules', 'dist', 'out', 'coverage', 'test']);
const ROOT_FILES = ['package-lock.json', 'rolldown.preset.mjs', 'tsconfig.base.json', 'nx.json'];

export interface BuildOptions {
  root: string;
  /** Called once before a build that is needed. */
  onStart?: () => void;
  signal?: AbortSignal;
}

/**
 * Builds the apps unless nothing that goes into them changed since the last time: names, sizes and times of all sources are compared with what stood
 * there then, which takes milliseconds where asking Nx takes seconds. Resolves with whether it built. Throws a LauncherError after showing what the build said.
 */
export async function buildIfChanged({ root, onStart, signal }: BuildOptions): Promise<boolean> {
  const stampFile = join(root, 'node_modules', '.cache', 'deja', 'build');
  const before = await fingerprint(root);
  const known = await readFile(stampFile, 'utf8').catch(() => ''); // never built
  if (known === `${before}\n${await outputs(root)}`) return false;
  onStart?.();
  await build(root, signal);
  await mkdir(dirname(stampFile), { recursive: true });
  // The sources as they were before: a change during the build is built the next time.
  await writeFile(stampFile, `${before}\n${await outputs(root)}`);
  return true;
}

async function fingerprint(root: string): Promise<string> {
  const files = [...ROOT_FILES.map((name) => join(root, name)), ...(await sources(join(root, 'apps'))), ...(await sources(join(root, 'libs')))];
  return hashOf(root, files);
}

function outputs(root: string): Promise<string> {
  return hashOf(root, BUILT.map((app) => join(root, 'apps', app, 'out', 'main.mjs')));
}

async function hashOf(root: string, files: string[]): Promise<string> {
  const looks = await Promise.all(
    files.map(async (file) => {
      const found = await stat(file).catch(() => null); // what is missing is told apart from what is there
      return `${relative(root, file)} ${found === null ? 'missing' : `${found.size} ${found.mtimeMs}`}`;
    }),
  );
  return createHash('sha256').update(looks.sort().join('\n')).digest('hex');
}

async function sources(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { withFileTypes: true });
  const found = await Promise.all(
    entries.map(async (entry) => {
      const path = join(directory, entry.name);
      if (entry.isDirectory()) return SKIPPED.has(entry.name) ? [] : sources(path);
      return entry.name.endsWith('.spec.ts') ? [] : [path];
    }),
  );
  return found.flat();
}

async function build(root: string, signal?: AbortSignal): Promise<void> {
  const { code, text } = await runNx({ root, args: ['run-many', '-t', 'build', '-p', ...BUILT, '--outputStyle=static'], output: 'keep', env: { NODE_DISABLE_COMPILE_CACHE: '1' }, ...(signal === undefined ? {} : { signal }) });
  if (code === 0) return;
  signal?.throwIfAborted();
  if (/ENOSPC|no space left/i.test(text)) throw new LauncherError(`The disk that holds ${root} is full: free some space there, then start again.`);
  process.stderr.write(text);
  throw new LauncherError('The apps could not be built: the reason stands above.');
}
