import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const CACHE = join(import.meta.dirname, '..', '..', 'node_modules', '.cache', 'deja-python');
const INSTALL_MS = 180_000;

/**
 * The folder of programs of a Python environment that has what this file of requirements says, made once and kept; null, with the reason
 * printed, where there is no Python or nothing can be installed.
 * @param requirements path @param skipped what is not tested then, for the reason
 */
export async function pythonWith(requirements: string, skipped: string): Promise<string | null> {
  const folder = join(CACHE, createHash('sha256').update(await readFile(requirements)).digest('hex').slice(0, 16));
  const complete = join(folder, 'complete');
  const programs = join(folder, 'bin');
  if (existsSync(complete)) return programs;
  try {
    await run('python3', ['-m', 'venv', '--clear', folder], { timeout: INSTALL_MS });
    await run(join(programs, 'python'), ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--retries', '1', '--timeout', '15', '-r', requirements], { timeout: INSTALL_MS });
    await writeFile(complete, '');
    return programs;
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    const reason = String(error instanceof Error ? error.message : error).trim().split('\n').at(-1);
    process.stderr.write(`${skipped} skipped: it cannot be installed here (${reason}).\n`);
    return null;
  }
}
