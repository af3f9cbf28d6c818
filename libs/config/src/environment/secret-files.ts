import { ConfigError } from './config-error.ts';

/** Content of a text file; throws an error of the system when it cannot be read. */
export type ReadFile = (path: string) => string;

/** Variables whose value opens something. Each may stand in a file instead, which `<name>_FILE` names. */
export const SECRET_VARIABLES = [
  'DEJA_ADMIN_KEY', 'DEJA_BOOTSTRAP_KEY', 'DEJA_MASTER_KEY', 'DATABASE_URL', 'REDIS_URL', 'CACHE_REDIS_URL', 'QDRANT_API_KEY', 'OPENAI_API_KEY',
] as const;

/** Variables, and which of their values came out of files. */
export interface Variables {
  values: NodeJS.ProcessEnv;
  /** From a variable's name to the path of the file that its value was read from. */
  files: ReadonlyMap<string, string>;
}

/**
 * The same variables with the content of their files, without blanks around it. Empty variables count as absent. Throws a ConfigError where both of a pair
 * are set, since either may be the old one, and where a file cannot be read or is empty.
 */
export function withSecretFiles(given: NodeJS.ProcessEnv, readFile: ReadFile): Variables {
  const values = { ...given };
  const files = new Map<string, string>();
  for (const name of SECRET_VARIABLES) {
    const twin = `${name}_FILE`;
    const path = given[twin]?.trim() ?? '';
    if (path === '') continue;
    if ((given[name]?.trim() ?? '') !== '') throw new ConfigError(`${name} and ${twin} are both set: take out the one that is not meant.`);
    values[name] = contentOf(twin, path, readFile);
    files.set(name, path);
  }
  return { values, files };
}

function contentOf(twin: string, path: string, readFile: ReadFile): string {
  const content = readable(twin, path, readFile).trim();
  if (content === '') throw new ConfigError(`${twin} names the file ${path}, which is empty: write the value into it.`);
  return content;
}

function readable(twin: string, path: string, readFile: ReadFile): string {
  try {
    return readFile(path);
  } catch (error) {
    const code = typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : 'unknown reason';
    throw new ConfigError(`${twin} names the file ${path}, which cannot be read (${code}): make it a file that this process may read.`);
  }
}
