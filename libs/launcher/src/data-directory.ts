import { chmod, mkdir, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { asLauncherError } from './launcher-error.ts';

/** Makes the data directory; throws a LauncherError when that cannot be. */
export async function makeDataDirectory(dataDir: string): Promise<void> {
  try {
    await makeWithParents(resolve(dataDir));
    // Under root, Postgres' own account must pass through; what is secret lies in directories of mode 0700 below.
    if (process.getuid?.() === 0) await chmod(dataDir, 0o711);
  } catch (error) {
    throw asLauncherError(error, dataDir);
  }
}

/** Like a recursive mkdir, which would try for ever where the system answers "no such file" for a name it will never take (as below /proc). */
async function makeWithParents(directory: string): Promise<void> {
  const there = await stat(directory).catch(() => null); // whatever is wrong with it shows in mkdir
  if (there?.isDirectory()) return;
  if (dirname(directory) !== directory) await makeWithParents(dirname(directory));
  await mkdir(directory, { mode: 0o711 }).catch((error: unknown) => {
    const isThere = typeof error === 'object' && error !== null && 'code' in error && error.code === 'EEXIST' && there === null;
    if (!isThere) throw error; // another start may have made it in the meantime
  });
}
