import { randomBytes, randomUUID } from 'node:crypto';
import { link, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { asLauncherError, errorCode, LauncherError } from './launcher-error.ts';

/** Bearer secrets of the cluster: from the environment or the files it names where given there, else from files made once in the data directory. */
export interface Secrets {
  adminKey: string;
  /** Where the admin key stands: the file that DEJA_ADMIN_KEY_FILE names, else one of mode 0600; null when it came from the environment itself. */
  adminKeyFile: string | null;
  /** Client key of tenant `default`. */
  bootstrapKey: string;
  /** What apps need to find the master key: DEJA_MASTER_KEY or DEJA_MASTER_KEY_FILE. */
  masterKey: { DEJA_MASTER_KEY: string } | { DEJA_MASTER_KEY_FILE: string };
}

/** Reads the secrets, and makes those that are nowhere yet: files of mode 0600 in `<data dir>/secrets` (0700). */
export async function readSecrets(dataDir: string, env: NodeJS.ProcessEnv): Promise<Secrets> {
  const directory = join(dataDir, 'secrets');
  try {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    const adminKeyFile = join(directory, 'admin-key');
    const givenAdmin = await secretFrom(env, 'DEJA_ADMIN_KEY');
    const masterKeyFile = join(directory, 'master-key');
    const givenAdminFile = fileOf(env, 'DEJA_ADMIN_KEY');
    const givenMaster = given(env, 'DEJA_MASTER_KEY');
    const givenMasterFile = fileOf(env, 'DEJA_MASTER_KEY');
    if (givenMaster === null && givenMasterFile === null) await kept(masterKeyFile, () => randomBytes(32).toString('base64'));
    return {
      adminKey: givenAdmin ?? (await kept(adminKeyFile, () => `deja-admin-${randomBytes(32).toString('base64url')}`)),
      adminKeyFile: givenAdmin === null ? adminKeyFile : givenAdminFile,
      bootstrapKey: (await secretFrom(env, 'DEJA_BOOTSTRAP_KEY')) ?? (await kept(join(directory, 'client-key'), newClientKey)),
      masterKey: givenMaster === null ? { DEJA_MASTER_KEY_FILE: givenMasterFile ?? masterKeyFile } : { DEJA_MASTER_KEY: givenMaster },
    };
  } catch (error) {
    throw asLauncherError(error, dataDir);
  }
}

/**
 * A secret of the environment: its variable, or the content of the file that `<name>_FILE` names, without blanks around it. null where neither is
 * set. Rejects with a LauncherError where both are, and where the file cannot be read or is empty: the same rules by which apps read theirs.
 */
export async function secretFrom(env: NodeJS.ProcessEnv, name: string): Promise<string | null> {
  const file = fileOf(env, name);
  if (file === null) return given(env, name);
  const content = await readFile(file, 'utf8').catch((error: unknown) => {
    throw new LauncherError(`${name}_FILE names the file ${file}, which cannot be read (${errorCode(error) ?? 'unknown reason'}): make it a file that you may read.`, { cause: error });
  });
  if (content.trim() === '') throw new LauncherError(`${name}_FILE names the file ${file}, which is empty: write the value into it.`);
  return content.trim();
}

/** The absolute path that `<name>_FILE` gives; null where it gives none. Throws a LauncherError where the variable itself is set as well. */
function fileOf(env: NodeJS.ProcessEnv, name: string): string | null {
  const file = given(env, `${name}_FILE`);
  if (file !== null && given(env, name) !== null) throw new LauncherError(`${name} and ${name}_FILE are both set: take out the one that is not meant.`);
  return file === null ? null : resolve(file);
}

/** 48 bits that tell it apart for people, 256 that prove it. It is made outside the cluster, so the router knows it by its hash alone. */
function newClientKey(): string {
  return `sk-deja-${randomBytes(6).toString('hex')}-${randomBytes(32).toString('hex')}`;
}

function given(env: NodeJS.ProcessEnv, name: string): string | null {
  const value = env[name]?.trim();
  return value === undefined || value === '' ? null : value;
}

/** The secret in that file, made and written when there is none. It appears whole or not at all. */
async function kept(file: string, make: () => string): Promise<string> {
  const known = await readFile(file, 'utf8').catch(ifMissing);
  if (known !== null && known.trim() !== '') return known.trim();
  const half = `${file}.${randomUUID()}`;
  try {
    await writeFile(half, `${make()}\n`, { mode: 0o600 });
    // An empty one is what a full disk left; one that another start has made in the meantime stays.
    if (known === null) await link(half, file).catch(ifThere);
    else await rename(half, file);
  } finally {
    await rm(half, { force: true });
  }
  return (await readFile(file, 'utf8')).trim();
}

function ifMissing(error: unknown): null {
  if (errorCode(error) === 'ENOENT') return null;
  throw error;
}

function ifThere(error: unknown): void {
  if (errorCode(error) !== 'EEXIST') throw error;
}
