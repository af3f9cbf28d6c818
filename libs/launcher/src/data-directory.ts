import { chmod, mkdir } from 'node:fs/promises';
import { asLauncherError } from './launcher-error.ts';

/** Makes the data directory; throws a LauncherError when that cannot be. */
export async function makeDataDirectory(dataDir: string): Promise<void> {
  try {
    await mkdir(dataDir, { recursive: true, mode: 0o711 });
    // Under root, Postgres' own account must pass through; what is secret lies in directories of mode 0700 below.
    if (process.getuid?.() === 0) await chmod(dataDir, 0o711);
  } catch (error) {
    throw asLauncherError(error, dataDir);
  }
}
