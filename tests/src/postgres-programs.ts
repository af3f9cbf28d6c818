import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { chown, mkdir, readdir, rm } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { createDatabase, freePort, poll, temporaryDirectory } from '@deja/launcher';
import { Client } from 'pg';

const run = promisify(execFile);
const PROGRAMS = ['initdb', 'postgres', 'psql', 'pg_dump', 'pg_restore'];
/** Where Debian, Homebrew and others put all programs of one version. */
const PLACES = ['/usr/lib/postgresql', '/opt/homebrew/opt', '/usr/local/opt'];
/** Below it deja is not tried. */
const OLDEST = 15;
const READY_MS = 60_000;

/** A folder that has server and client programs of one Postgres, 15 or newer; null where there is none: the package that deja starts its own from has no client programs. */
export async function postgresPrograms(): Promise<string | null> {
  const versions = (await Promise.all(PLACES.map(async (place) => (await readdir(place).catch(() => [])).map((name) => join(place, name, 'bin'))))).flat();
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), ...versions.toSorted().toReversed()];
  for (const folder of folders) if (PROGRAMS.every((name) => existsSync(join(folder, name))) && (await versionOf(folder)) >= OLDEST) return folder;
  return null;
}

async function versionOf(folder: string): Promise<number> {
  const { stdout } = await run(join(folder, 'pg_dump'), ['--version']).catch(() => ({ stdout: '' })); // a wrapper without the program behind it
  return Number(/ (\d+)/.exec(stdout)?.[1] ?? 0);
}

/** A Postgres made by these programs; it goes with its data. */
export class OtherPostgres {
  readonly port: number;
  private readonly password: string;
  private readonly directory: string;
  private readonly server: ChildProcess;

  private constructor(made: Pick<OtherPostgres, 'port'> & { password: string; directory: string; server: ChildProcess }) {
    this.port = made.port;
    this.password = made.password;
    this.directory = made.directory;
    this.server = made.server;
  }

  static async start(programs: string): Promise<OtherPostgres> {
    const directory = await temporaryDirectory('deja-other-postgres-');
    const data = join(directory, 'data');
    const account = await accountFor(data);
    const options = { ...account, cwd: '/', env: { PATH: process.env['PATH'] ?? '', LC_ALL: 'C', TZ: 'UTC' } };
    const password = randomBytes(12).toString('hex');
    await run(join(programs, 'initdb'), ['-D', data, '-U', 'deja', '--auth=trust', '--encoding=UTF8', '--locale=C', '--no-sync'], options);
    const port = await freePort();
    const server = spawn(join(programs, 'postgres'), ['-D', data, '-p', String(port), '-c', 'listen_addresses=127.0.0.1', '-c', 'unix_socket_directories=', '-c', 'fsync=off', '-c', 'max_connections=200'], { ...options, stdio: 'ignore' });
    const other = new OtherPostgres({ port, password, directory, server });
    const ready = await poll(() => other.query('postgres', `alter role deja password '${password}'`).then(() => true, () => null), { deadlineMs: READY_MS });
    if (ready === null) throw new Error('the other Postgres did not start');
    return other;
  }

  /** A new, empty database. */
  database(name: string): Promise<string> {
    return createDatabase(this.url('postgres'), name);
  }

  url(database: string): string {
    return `postgres://deja:${this.password}@127.0.0.1:${this.port}/${database}`;
  }

  async query(database: string, text: string): Promise<Record<string, unknown>[]> {
    const client = new Client({ connectionString: this.url(database) });
    await client.connect();
    try {
      return (await client.query<Record<string, unknown>>(text)).rows;
    } finally {
      await client.end();
    }
  }

  async stop(): Promise<void> {
    const ended = once(this.server, 'exit');
    if (this.server.exitCode === null && this.server.kill('SIGQUIT')) await ended;
    await rm(this.directory, { recursive: true, force: true });
  }
}

/** Postgres does not run as root: then the account of that name has the data. */
async function accountFor(data: string): Promise<{ uid: number; gid: number } | object> {
  if (process.getuid?.() !== 0) return {};
  const [uid, gid] = await Promise.all(['-u', '-g'].map(async (flag) => Number((await run('id', [flag, 'postgres'])).stdout)));
  await mkdir(data);
  await chown(data, Number(uid), Number(gid));
  return { uid: Number(uid), gid: Number(gid) };
}
