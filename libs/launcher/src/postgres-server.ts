import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chown, mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Client, escapeIdentifier } from 'pg';
import { withoutSecrets } from './app-environment.ts';
import { asLauncherError, LauncherError } from './launcher-error.ts';
import { poll } from './poll.ts';
import { freePort } from './port.ts';
import { postgresFiles, type PostgresFiles } from './postgres-files.ts';
import { SupervisedProcess, type ProcessSpec } from './supervised-process.ts';

export interface PostgresOptions {
  /** Where its files go; made when missing, used again when there. */
  dir: string;
  /** A free one unless given. */
  port?: number;
  /** false: faster, and a power cut may lose everything; the death of the process still loses nothing. For tests. */
  durable?: boolean;
  /** Around the process: lines, starts, deaths. */
  watch?: Pick<ProcessSpec, 'onLine' | 'onStart' | 'onDeath' | 'onStopped'>;
}

/** A Postgres of ours, started again when it dies, always on the same port. */
export interface ManagedPostgres {
  /** Of the database `postgres`, which is always there. */
  url: string;
  port: number;
  /** Of the process as it is now; null between a death and the next start. */
  readonly pid: number | null;
  readonly process: SupervisedProcess;
  /** URL of that database, made when missing. */
  createDatabase(name: string): Promise<string>;
  /** Throws away a database, whoever is connected. */
  dropDatabase(name: string): Promise<void>;
  /** Resolves when it takes connections; rejects with a LauncherError at the deadline. */
  whenReady(deadlineMs?: number): Promise<void>;
  stop(): Promise<void>;
}

const USER = 'deja';
const STOP_GRACE_MS = 20_000;
const READY_MS = 60_000;

/** Starts the embedded Postgres on 127.0.0.1, after initdb the first time, and waits until it takes connections. Rejects with a LauncherError that quotes what Postgres said. */
export async function startPostgres(options: PostgresOptions): Promise<ManagedPostgres> {
  const files = await postgresFiles(options.dir);
  const password = await passwordOf(options.dir);
  await initialise(files, password);
  const port = options.port ?? (await freePort());
  const said: string[] = [];
  let ready = false;
  const server = new SupervisedProcess({
    name: 'postgres',
    command: files.postgres,
    args: flags(files.data, port, options.durable ?? true),
    env: { ...withoutSecrets(process.env), LC_ALL: 'C', TZ: 'UTC' },
    user: files.account,
    // Postgres' "fast" shutdown: ends sessions instead of waiting for them.
    stopSignal: 'SIGINT',
    ...options.watch,
    onLine: (line, stream) => {
      said.push(line);
      if (said.length > 8) said.shift();
      options.watch?.onLine?.(line, stream);
    },
    mayRestart: () => ready,
  });
  const urlOf = (database: string): string => `postgres://${USER}:${password}@127.0.0.1:${port}/${database}`;
  const whenReady = async (deadlineMs = READY_MS): Promise<void> => {
    const answer = await poll(() => (server.wanted ? answers(urlOf('postgres')) : 'gone'), { deadlineMs, everyMs: 25 });
    if (answer !== 'yes') throw new LauncherError(failureText(options.dir, 'Postgres did not start', said));
  };
  await server.start();
  try {
    await whenReady();
  } catch (error) {
    await server.stop(STOP_GRACE_MS);
    throw error;
  }
  ready = true;
  return {
    url: urlOf('postgres'),
    port,
    get pid() {
      return server.pid;
    },
    process: server,
    createDatabase: async (name) => {
      await createDatabase(urlOf('postgres'), name);
      return urlOf(name);
    },
    dropDatabase: (name) => dropDatabase(urlOf('postgres'), name),
    whenReady,
    stop: () => server.stop(STOP_GRACE_MS),
  };
}

/** Makes a database on the server that this URL names, unless it is there; answers its URL. */
export async function createDatabase(serverUrl: string, name: string): Promise<string> {
  await withClient(serverUrl, async (client) => {
    const there = await client.query('select 1 from pg_database where datname = $1', [name]);
    if (there.rowCount === 0) await client.query(`create database ${escapeIdentifier(name)}`);
  });
  const url = new URL(serverUrl);
  url.pathname = `/${name}`;
  return url.href;
}

/** Throws away a database of the server that this URL names, whoever is connected to it. */
export async function dropDatabase(serverUrl: string, name: string): Promise<void> {
  await withClient(serverUrl, (client) => client.query(`drop database if exists ${escapeIdentifier(name)} with (force)`));
}

async function withClient(url: string, work: (client: Client) => Promise<unknown>): Promise<void> {
  const client = new Client({ connectionString: url });
  // A server that dies meanwhile fails the query in progress; the event would end the process.
  client.on('error', () => {});
  await client.connect();
  try {
    await work(client);
  } finally {
    await client.end();
  }
}

function flags(data: string, port: number, durable: boolean): string[] {
  const settings = {
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    max_connections: '200',
    log_checkpoints: 'off',
    ...(durable ? {} : { fsync: 'off', full_page_writes: 'off' }),
  };
  return ['-D', data, '-p', String(port), ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])];
}

/** initdb beside the final place, then one rename: a start that was interrupted never leaves half a cluster behind. */
async function initialise(files: PostgresFiles, password: string): Promise<void> {
  if (await stat(join(files.data, 'PG_VERSION')).then(() => true, () => false)) return;
  const fresh = `${files.data}.new`;
  const passwordFile = `${files.data}.password`;
  const own = (path: string): Promise<void> => (files.account === null ? Promise.resolve() : chown(path, files.account.uid, files.account.gid));
  try {
    await rm(fresh, { recursive: true, force: true });
    await mkdir(fresh, { recursive: true, mode: 0o700 });
    await own(fresh);
    await writeFile(passwordFile, `${password}\n`, { mode: 0o600 });
    await own(passwordFile);
    await initdb(files, fresh, passwordFile);
    await rm(files.data, { recursive: true, force: true });
    await rename(fresh, files.data);
  } catch (error) {
    throw asLauncherError(error, dirname(files.data));
  } finally {
    await rm(passwordFile, { force: true });
  }
}

async function initdb(files: PostgresFiles, target: string, passwordFile: string): Promise<void> {
  const args = ['-D', target, '-U', USER, '--auth=scram-sha-256', `--pwfile=${passwordFile}`, '--encoding=UTF8', '--locale=C', '--no-instructions'];
  const said: string[] = [];
  const code = await new Promise<number | null>((resolve, reject) => {
    const child = spawn(files.initdb, args, { ...files.account, env: { ...withoutSecrets(process.env), LC_ALL: 'C', TZ: 'UTC' }, stdio: ['ignore', 'ignore', 'pipe'], cwd: '/' });
    child.stderr.setEncoding('utf8').on('data', (text: string) => said.push(...text.trim().split('\n')));
    child.once('error', reject);
    child.once('close', resolve);
  });
  if (code !== 0) throw new LauncherError(failureText(dirname(target), 'initdb failed', said));
}

function failureText(dir: string, what: string, said: string[]): string {
  if (/no space left/i.test(said.join(' '))) return `The disk that holds ${dir} is full: free some space there, then start again.`;
  const why = said.findLast((line) => /FATAL|PANIC|error/i.test(line)) ?? said.at(-1) ?? 'it said nothing';
  return `${what}: ${why.trim()}`;
}

/** The password of this cluster's superuser, made once; the file is for the launcher's own user only. */
async function passwordOf(dir: string): Promise<string> {
  const file = join(dir, 'password');
  const known = await readFile(file, 'utf8').catch(() => ''); // not there before the first start
  if (known !== '') return known.trim();
  const made = randomBytes(24).toString('base64url');
  await writeFile(file, `${made}\n`, { mode: 0o600 }).catch((error: unknown) => {
    throw asLauncherError(error, dir);
  });
  return made;
}

async function answers(url: string): Promise<'yes' | null> {
  try {
    await withClient(url, (client) => client.query('select 1'));
    return 'yes';
  } catch {
    return null; // not yet
  }
}
