import { randomBytes, randomUUID } from 'node:crypto';
import { link, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { asLauncherError, errorCode } from './launcher-error.ts';

/** Bearer secrets of the cluster: from the environment where given there, else from files made once in the data directory. */
export interface Secrets {
  adminKey: string;
  /** Where the admin key stands, mode 0600; null when it came from the environment. */
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
    const givenAdmin = given(env, 'DEJA_ADMIN_KEY');
    const masterKeyFile = join(directory, 'master-key');
    const givenMaster = given(env, 'DEJA_MASTER_KEY');
    const givenMasterFile = given(env, 'DEJA_MASTER_KEY_FILE');
    if (givenMaster === null && givenMasterFile === null) await kept(masterKeyFile, () => randomBytes(32).toString('base64'));
    return {
      adminKey: givenAdmin ?? (await kept(adminKeyFile, () => `deja-admin-${randomBytes(32).toString('base64url')}`)),
      adminKeyFile: givenAdmin === null ? adminKeyFile : null,
      bootstrapKey: given(env, 'DEJA_BOOTSTRAP_KEY') ?? (await kept(join(directory, 'client-key'), newClientKey)),
      masterKey: givenMaster === null ? { DEJA_MASTER_KEY_FILE: givenMasterFile ?? masterKeyFile } : { DEJA_MASTER_KEY: givenMaster },
    };
  } catch (error) {
    throw asLauncherError(error, dataDir);
  }
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
